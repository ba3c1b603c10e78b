"""Fixtures for tests of amazon_ml."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard
from operator_kit import BUCKET, Airflow, FakeTask
from variants_kit import NAME, variants, weights

from amazon_ml.operators.endpoint import EndpointOperator


@pytest.fixture(scope="session", autouse=True)
def models_read_once() -> Iterator[None]:
    """One reader of botocore's service models for all clients: reading SageMaker's takes a third of a second."""
    from botocore import loaders, session

    loader = loaders.create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "create_loader", lambda *_: loader)
        yield


@pytest.fixture(autouse=True)
def operators_outside_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests call ``execute``, which Airflow else guards."""
    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture
def ti(request: pytest.FixtureRequest) -> FakeTask:
    """A task instance whose run is this test's own, so that no two tests share a job."""
    return FakeTask(run_id=f"manual__{request.node.name}", start_date=datetime.now(UTC))


@pytest.fixture
def old_ti(ti: FakeTask) -> FakeTask:
    """A task that started an hour ago."""
    ti.start_date = datetime.now(UTC) - timedelta(hours=1)
    return ti


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of code with a script that ends at once, ``main.py``, to be overwritten as a test needs."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "main.py").write_text("print('hello')\n")
    return folder


@pytest.fixture
def task_states(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Airflow's database says of the task: set ``state``; None is "cleared", the text "removed" is gone."""
    states: dict[str, Any] = {"state": "running"}

    def answer(key: Any) -> str | None:
        return states["state"]

    monkeypatch.setattr("amazon_ml.triggers.sagemaker_job.task_state", answer)
    monkeypatch.setattr("amazon_ml.operators.run.task_state", answer)
    return states


@pytest.fixture
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that would leave this machine, and every look-up of a name for one."""
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a connection to {address[0]}")
        connect(self, address)

    def guarded_resolve(host: Any, *arguments: Any, **named: Any) -> Any:
        if host not in {"127.0.0.1", "::1", "localhost", b"127.0.0.1", None}:
            raise AssertionError(f"a look-up of {host}")
        return resolve(host, *arguments, **named)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_resolve)


@pytest.fixture
def aws(localaws: Any, loopback_only: None) -> Iterator[Any]:
    """boto3 clients of the session's localaws by service, with the bucket ``jobs-bucket`` there."""
    import boto3

    clients: dict[str, Any] = {}

    def client(service: str) -> Any:
        return clients.setdefault(service, boto3.client(service))

    client("s3").create_bucket(Bucket=BUCKET)
    yield client
    for made in clients.values():
        made.close()


@pytest.fixture
def both(aws: Any, airflow: Airflow) -> list[dict[str, Any]]:
    """The endpoint of two variants in service, half of the traffic for each, whatever tests before have done."""
    given = variants(aws, airflow)
    task = FakeTask(task_id="deploy", run_id="two-variants")
    airflow.run(lambda: EndpointOperator(task_id="deploy", endpoint_name=NAME, variants=given), task)
    airflow.run(weights({"champion": 0.5, "challenger": 0.5}), task.next_try())
    return given
