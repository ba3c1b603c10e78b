"""The record of who has called what."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from localaws.core.context import Context
from localaws.core.credentials import Credentials
from localaws.gateway.admission import Admission
from localaws.gateway.app import Application
from localaws.gateway.auth.sigv4 import Proof
from localaws.gateway.calls import Calls
from localaws.gateway.protocol.http import Headers, HttpRequest, HttpResponse
from localaws.gateway.router import Route

AIRFLOW = "Boto3/1.43 md/Botocore#1.43 Airflow/3.3.2 AmPP/9.39.0"


def _request(agent: str) -> HttpRequest:
    return HttpRequest("POST", "/", "", Headers([("User-Agent", agent)]), b"")


def _proof(key: str) -> Proof:
    return Proof(key, "us-east-1", "sagemaker", "", Mock())


@pytest.mark.parametrize(
    ("key", "agent", "caller"),
    [("ROOT", AIRFLOW, "airflow"), ("ROOT", "Boto3/1.43", "other"), ("ISSUED", AIRFLOW, "job")],
)
def test_a_call_is_written_with_its_caller(tmp_path: Path, key: str, agent: str, caller: str) -> None:
    calls = Calls(tmp_path / "calls.txt", "ROOT")
    calls.note(_request(agent), _proof(key), "sagemaker", "CreateModel")
    assert (tmp_path / "calls.txt").read_text() == f"{caller} sagemaker:CreateModel\n"


def test_a_call_is_written_once_also_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        calls = Calls(tmp_path / "calls.txt", "ROOT")
        for operation in ("CreateModel", "CreateModel", "DeleteModel"):
            calls.note(_request(AIRFLOW), _proof("ROOT"), "sagemaker", operation)
    assert (tmp_path / "calls.txt").read_text().split("\n") == [
        "airflow sagemaker:CreateModel",
        "airflow sagemaker:DeleteModel",
        "",
    ]


def test_an_unsigned_call_is_not_written(tmp_path: Path) -> None:
    Calls(tmp_path / "calls.txt", "ROOT").note(_request(AIRFLOW), None, "cognito-idp", "SignUp")
    assert not (tmp_path / "calls.txt").exists()


@pytest.mark.parametrize(
    ("where", "lines"),
    [
        (Route("sts", "GetCallerIdentity"), ["airflow sts:GetCallerIdentity"]),
        # A path of the server's own, which AWS does not have.
        (Route("s3", "WaitUntilDurable"), []),
    ],
)
def test_the_gateway_writes_operations_of_aws_alone(tmp_path: Path, where: Route, lines: list[str]) -> None:
    context = Context(tmp_path, "http://127.0.0.1:4566", "us-east-1", Mock(), Credentials("ROOT", "secret"))
    application = Application(context, Mock(handle=Mock(return_value=HttpResponse(200, [], b""))))
    answer = application.handle(Admission(_request(AIRFLOW), _proof("ROOT"), where, 0))
    assert answer.status == 200
    written = tmp_path / "calls.txt"
    assert (written.read_text().splitlines() if written.exists() else []) == lines
