"""The rules of the waiter file, and the bookkeeping of a wait."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from botocore.waiter import WaiterModel

from amazon_ml.naming import identifier, unversioned
from amazon_ml.waiting import RULES_FILE, Watch, rules, transient

NAMES = list(json.loads(RULES_FILE.read_text())["waiters"])
SESSION = botocore.session.get_session()
MODEL = SESSION.get_service_model("sagemaker")


def error(code: str, status: int = 400, message: str = "words") -> ClientError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "DescribeTrainingJob")  # type: ignore[arg-type]


def watch(waiter: str = "training_job_finished", seconds: float = 60) -> tuple[Watch, list[str]]:
    lines: list[str] = []
    return Watch(rules(waiter), "job-1", time.time() + seconds, lines.append), lines


@pytest.mark.parametrize("name", NAMES)
def test_the_rules_fit_the_service(name: str) -> None:
    found = rules(name)
    model = SESSION.get_service_model(found.service)
    operation = model.operation_model(f"Describe{found.kind}")
    noun = unversioned(found.kind)
    assert operation.input_shape.required_members == [identifier(found.kind)]
    if found.parts:
        assert identifier(found.kind) in model.operation_model(found.parts).input_shape.members
    statuses = member(operation.output_shape, found.status).enum
    for acceptor in found.acceptors:
        if acceptor["matcher"] == "path":
            assert acceptor["argument"] == found.status
            assert acceptor["expected"] in statuses
    assert member(operation.output_shape, found.started).type_name == "timestamp"
    assert (f"Stop{noun}" in model.operation_names) == found.stop
    assert xform_name(f"Describe{found.kind}") == f"describe_{xform_name(found.kind)}"


def member(shape: Any, path: str) -> Any:
    """The shape at a path such as "Workforce.Status"."""
    for name in path.split("."):
        shape = shape.members[name]
    return shape


def test_the_file_is_one_that_botocore_reads() -> None:
    model = WaiterModel({**json.loads(RULES_FILE.read_text())})
    assert set(model.waiter_names) == set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("finished")])
def test_every_last_status_of_a_job_ends_the_wait(name: str) -> None:
    found = rules(name)
    statuses = MODEL.operation_model(f"Describe{found.kind}").output_shape.members[found.status].enum
    ending = {status for status in statuses if found.outcome({found.status: status})}
    (success,) = ending - {"Failed", "Stopped"}
    assert success in {"Completed", "Succeeded"}
    assert found.outcome({found.status: success}) == "success"


def test_an_unknown_waiter_is_an_error() -> None:
    with pytest.raises(KeyError):
        rules("tea_is_ready")


def test_progress_is_said_once() -> None:
    waiting, lines = watch()
    answer: dict[str, Any] = {
        "TrainingJobStatus": "InProgress",
        "SecondaryStatusTransitions": [{"Status": "Starting", "StatusMessage": "Preparing"}],
    }
    assert waiting.answered(answer) is None
    assert waiting.answered(answer) is None
    answer["SecondaryStatusTransitions"].append({"Status": "Training"})
    answer["FinalMetricDataList"] = [{"MetricName": "val_acc", "Value": 0.5}]
    assert waiting.answered(answer) is None
    answer["FinalMetricDataList"] = [{"MetricName": "val_acc", "Value": 0.75}]
    answer["TrainingJobStatus"] = "Completed"
    event = waiting.answered(answer)
    assert event == {"status": "success", "name": "job-1", "resource_status": "Completed", "message": ""}
    assert lines == [
        "TrainingJob job-1: Starting: Preparing",
        "TrainingJob job-1: Training",
        "TrainingJob job-1: val_acc = 0.5",
        "TrainingJob job-1: val_acc = 0.75",
    ]


def test_processing_and_endpoint_progress_carries_the_reason() -> None:
    waiting, lines = watch("processing_job_finished")
    waiting.answered({"ProcessingJobStatus": "InProgress"})
    event = waiting.answered({"ProcessingJobStatus": "Failed", "FailureReason": "AlgorithmError: exit code 1"})
    assert event and event["status"] == "failure"
    assert lines == [
        "ProcessingJob job-1: InProgress",
        "ProcessingJob job-1: Failed: AlgorithmError: exit code 1",
    ]


def test_an_outage_is_said_once_and_waited_out() -> None:
    waiting, lines = watch()
    away = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    assert waiting.refused(away) is None
    assert waiting.refused(away) is None
    assert waiting.refused(error("ThrottlingException")) is None
    assert len(lines) == 1
    assert waiting.answered({"TrainingJobStatus": "InProgress"}) is None
    assert waiting.refused(error("InternalFailure", 503)) is None
    assert len(lines) == 2


def test_an_outage_does_not_outlast_the_deadline() -> None:
    waiting, _ = watch(seconds=-1)
    event = waiting.refused(EndpointConnectionError(endpoint_url="http://127.0.0.1:1"))
    assert event and event["status"] == "deadline"


def test_a_job_that_is_done_in_time_is_done_even_when_seen_late() -> None:
    waiting, _ = watch(seconds=-1)
    event = waiting.answered({"TrainingJobStatus": "Completed"})
    assert event and event["status"] == "success"


def test_a_refusal_ends_the_wait_with_its_reason() -> None:
    waiting, _ = watch()
    event = waiting.refused(error("AccessDeniedException", message="not for you"))
    assert event and event["status"] == "error"
    assert "not for you" in event["message"]


def test_a_job_that_vanished_ends_the_wait() -> None:
    waiting, _ = watch()
    event = waiting.refused(error("ValidationException", message="Requested resource not found."))
    assert event and event["status"] == "failure"


def test_an_endpoint_that_vanished_is_deleted() -> None:
    waiting, _ = watch("endpoint_deleted")
    assert waiting.answered({"EndpointStatus": "Deleting"}) is None
    event = waiting.refused(error("ValidationException", message="Could not find endpoint"))
    assert event and event["status"] == "success"


def test_a_short_job_is_looked_at_often_and_a_long_one_seldom() -> None:
    waiting, _ = watch(seconds=9999)
    for age, expected in [(1, 1.0), (600, 12.0), (7200, 30.0)]:
        started = datetime.now(UTC) - timedelta(seconds=age)
        waiting.answered({"TrainingJobStatus": "InProgress", "CreationTime": started})
        assert waiting.delay() == pytest.approx(expected, rel=0.05)


def test_the_pause_ends_at_the_deadline() -> None:
    waiting, _ = watch(seconds=0.5)
    assert waiting.delay() <= 0.5


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (error("ThrottlingException"), True),
        (error("Whatever", 500), True),
        (error("Whatever", 503), True),
        (error("NotImplemented", 501), False),
        (error("ValidationException"), False),
        (error("AccessDeniedException", 403), False),
        (EndpointConnectionError(endpoint_url="x"), True),
        (ReadTimeoutError(endpoint_url="x"), True),
        (NoCredentialsError(), False),
        (KeyError("x"), False),
    ],
)
def test_only_what_may_pass_is_asked_again(given: Exception, expected: bool) -> None:
    assert transient(given) is expected
