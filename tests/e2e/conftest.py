"""A real Airflow (all four components) and a real localaws, on free ports, for one session."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from runs_kit import SAMPLES, ended, until_known

from include import synthetic
from stack import processes, services, summary
from stack.airflow_api import AirflowApi
from stack.layout import Stack

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The demo goes first, since the others begin from what it has ingested; the killing of processes goes last."""
    order = {"test_demo.py": 0, "test_faults.py": 2}
    items.sort(key=lambda item: order.get(item.path.name, 1))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack with the project's DAGs, the tests' own ones, and a sample of 600 reviews."""
    folder = tmp_path_factory.mktemp("stack")
    dags = folder / "dags"
    dags.mkdir()
    for source in [*(ROOT / "dags").glob("*.py"), *(ROOT / "tests" / "e2e" / "dags").glob("*.py")]:
        (dags / source.name).symlink_to(source)
    source = os.environ.get("REVIEWS_SOURCE", "")
    if not source:
        source = str(folder / "reviews.csv")
        synthetic.write(Path(source))
    stack = Stack(
        home=folder / "home",
        localaws_port=free_port(),
        airflow_port=free_port(),
        dags=dags,
        settings={
            "REVIEWS_SOURCE": str(Path(source).resolve()),
            "REVIEWS_MAX_REVIEWS": "600",
            "REVIEWS_EPOCHS": "1",
            "REVIEWS_MAX_EPOCH_ROWS": "256",
            "REVIEWS_MIN_ACCURACY": "0.2",
            # Every first of January: after a backfill up to the last one Airflow has no missed run to make up for.
            "REVIEWS_RETRAINING_CRON": "0 3 1 1 *",
            # How soon a triggerer takes over from one that was killed: half a minute by default.
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
        },
    )
    try:
        services.up(stack)
        yield stack
    finally:
        services.down(stack)
        assert processes.belonging(stack) == [], "make down would leave processes behind"


@pytest.fixture(scope="session")
def api(stack: Stack) -> AirflowApi:
    return AirflowApi(stack)


@pytest.fixture(scope="session")
def ingested(api: AirflowApi) -> str:
    """The run id of the ingest that the DAGs begin from: the demo's, or one of its own."""
    until_known(api, "ingest_reviews")
    runs = api.call("GET", "/dags/ingest_reviews/dagRuns", params={"state": "success", "order_by": "start_date"})
    if runs["dag_runs"]:
        return str(runs["dag_runs"][-1]["dag_run_id"])
    api.trigger("ingest_reviews", "sample")
    assert ended(api, "ingest_reviews", "sample")["run"] == "success"
    return "sample"


@pytest.fixture(scope="session")
def started(api: AirflowApi, ingested: str) -> None:
    """The runs of ``SAMPLES`` are under way."""
    for dag_id, (run_id, conf) in SAMPLES.items():
        until_known(api, dag_id)
        api.trigger(dag_id, run_id, conf)


@pytest.fixture(scope="session")
def client(stack: Stack) -> Callable[[str], Any]:
    """boto3 clients of the stack's localaws, by service."""
    return partial(summary.client, stack)
