"""Which failures are tried again, as the policy decides and as the job operators tell them apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from airflow.sdk import RetryPolicy
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowFailException
from botocore.exceptions import EndpointConnectionError
from operator_kit import Airflow, FakeTask
from test_job_kills import SLEEP, until_it_sleeps
from test_job_operators import TRAIN, name, processing, training, training_jobs

from amazon_ml.exceptions import BadInput, JobFailed, JobLost
from amazon_ml.retry import FailureBudget

EXIT_2 = """
import pathlib, sys
reason = pathlib.Path("/opt/ml/output/{file}")
reason.parent.mkdir(exist_ok=True)
reason.write_text("line 7: a quotation mark is not closed")
sys.exit(2)
"""


class Store(dict[str, Any]):
    """Airflow's state store of one task instance."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


@pytest.fixture
def fails() -> Callable[..., bool]:
    """Whether an exception of the task, after all before it, fails the task."""
    store, policy = Store(), FailureBudget(retries=2)

    def decide(error: BaseException, max_tries: int = 10) -> bool:
        context: Any = {"task_state_store": store}
        return policy.evaluate(error, 1, max_tries, context).action is RetryAction.FAIL

    return decide


def test_the_third_failure_of_its_own_fails_a_task(fails: Callable[..., bool]) -> None:
    assert [fails(JobFailed("again")) for _ in range(3)] == [False, False, True]


def test_a_cleared_task_has_its_failures_before_it_again(fails: Callable[..., bool]) -> None:
    assert [fails(KeyError("bug"), max_tries=10) for _ in range(3)] == [False, False, True]
    assert [fails(KeyError("bug"), max_tries=13) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    "error",
    [JobLost("InternalServerError"), EndpointConnectionError(endpoint_url="http://127.0.0.1:4566")],
    ids=lambda error: type(error).__name__,
)
def test_what_aws_lost_or_did_not_answer_is_not_counted(fails: Callable[..., bool], error: Exception) -> None:
    assert not any(fails(error) for _ in range(8))


def test_a_value_error_fails_at_once(fails: Callable[..., bool]) -> None:
    assert fails(ValueError("the input is wrong"))


def test_half_an_answer_is_no_wrong_input(fails: Callable[..., bool]) -> None:
    assert not fails(json.JSONDecodeError("Expecting value", "", 0))


def test_without_a_context_airflow_decides() -> None:
    policy: RetryPolicy = FailureBudget()
    assert policy.evaluate(JobFailed("once"), 1, 2).action is RetryAction.DEFAULT
    assert FailureBudget.deserialize(FailureBudget(retries=5).serialize()).retries == 5


@pytest.mark.parametrize(("make", "file"), [(training, "failure"), (processing, "message")])
def test_a_script_that_ends_with_2_fails_its_task_at_once_with_its_sentence(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path, make: Any, file: str
) -> None:
    (source / "main.py").write_text(EXIT_2.replace("{file}", file))
    with pytest.raises(BadInput, match="line 7: a quotation mark is not closed") as failure:
        airflow.run(make(source, ti), ti)
    assert isinstance(failure.value, AirflowFailException)


def test_a_script_that_ends_otherwise_may_be_tried_again(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    (source / "main.py").write_text("raise SystemExit(3)")
    with pytest.raises(JobFailed) as failure:
        airflow.run(training(source, ti), ti)
    assert type(failure.value) is JobFailed


def test_a_job_whose_supervisor_was_killed_is_lost_and_recreated(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    (source / "main.py").write_text(SLEEP)
    deferred = airflow.start(training(source, ti), ti)
    until_it_sleeps(name(ti))
    (supervisor,) = [each for each in psutil.process_iter(["cmdline"]) if _supervises(each, name(ti))]
    supervisor.kill()
    with pytest.raises(JobLost, match="InternalServerError"):
        airflow.resume(training(source, ti), ti, deferred, airflow.fire(deferred))
    (source / "main.py").write_text(TRAIN)
    airflow.run(training(source, ti, hyperparameters={"epochs": 1}), ti.next_try())
    assert training_jobs(aws, ti) == {name(ti): "Failed", name(ti, 2): "Completed"}


def _supervises(process: psutil.Process, job: str) -> bool:
    line = process.info["cmdline"] or []
    return "localaws.sagemaker.supervise" in line and any(word.endswith(f"/{job}") for word in line)
