"""Throttling, outages, restarts: a job runs once, and its task learns of its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from fault_proxy import Faults, fault_proxy
from operator_kit import BUCKET, Airflow, FakeTask, first_event, rebuild
from test_job_operators import TRAIN, name, training, training_jobs

from amazon_ml.exceptions import DeadlineExceeded, JobFailed, RequestRefused
from amazon_ml.hooks.base import ServiceHook, is_busy
from amazon_ml.hooks.sagemaker import SageMakerJobHook


@pytest.fixture
def faults(localaws: Any, aws: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """A proxy before localaws that every client in this test goes through."""
    # botocore's backoff is seconds by design; here its steps are what matters.
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)
    with fault_proxy(localaws.port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


def test_throttling_and_server_errors_are_tried_again(
    aws: Any, faults: Faults, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    (source / "main.py").write_text(TRAIN)
    faults.plan = {
        "CreateTrainingJob": [(400, "ThrottlingException"), (503, "ServiceUnavailable"), (500, "InternalFailure")],
        "DescribeTrainingJob": [(400, "ThrottlingException")] * 4,
    }
    xcom = airflow.run(training(source, ti, hyperparameters={"epochs": 1}), ti)
    assert xcom["status"] == "Completed"
    assert faults.seen["CreateTrainingJob"] == 4
    assert training_jobs(aws, ti) == {name(ti): "Completed"}


def test_a_poll_goes_on_through_more_errors_than_one_call_is_tried(
    faults: Faults, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    (source / "main.py").write_text(TRAIN)
    deferred = airflow.start(training(source, ti, hyperparameters={"epochs": 1}), ti)
    faults.plan = {"DescribeTrainingJob": [(503, "ServiceUnavailable")] * 5}
    assert airflow.fire(deferred)["status"] == "success"
    assert faults.plan["DescribeTrainingJob"] == []


@pytest.mark.parametrize(("status", "code"), [(400, "ValidationException"), (400, "AccessDeniedException")])
def test_a_refusal_is_not_tried_again(
    faults: Faults, airflow: Airflow, ti: FakeTask, source: Path, status: int, code: str
) -> None:
    faults.plan = {"CreateTrainingJob": [(status, code)]}
    with pytest.raises(RequestRefused, match=f"{code}: {code} by the proxy"):
        airflow.run(training(source, ti), ti)
    assert faults.seen["CreateTrainingJob"] == 1


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_quota_in_use_is_waited_for_within_the_try(
    aws: Any,
    faults: Faults,
    airflow: Airflow,
    ti: FakeTask,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    deferrable: bool,
) -> None:
    monkeypatch.setattr("amazon_ml.operators.job._capacity_pause", lambda waited: 0.2)
    (source / "main.py").write_text(TRAIN)
    faults.plan = {"CreateTrainingJob": [(400, "ResourceLimitExceeded")] * 2}
    xcom = airflow.run(training(source, ti, hyperparameters={"epochs": 1}, deferrable=deferrable), ti)
    assert (xcom["name"], xcom["status"]) == (name(ti), "Completed")
    assert faults.seen["CreateTrainingJob"] == 3
    assert len(airflow.deferrals) == (3 if deferrable else 0)


def test_a_job_that_got_no_instances_is_followed_by_the_next_attempt(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amazon_ml.operators.job._capacity_pause", lambda waited: 0.2)
    describe = SageMakerJobHook.describe
    reason = "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different one."

    def without_capacity(self: SageMakerJobHook, kind: str, job: str) -> dict[str, Any] | None:
        found = describe(self, kind, job)
        if found and job == name(ti) and found["TrainingJobStatus"] == "Completed":
            return {**found, "TrainingJobStatus": "Failed", "FailureReason": reason}
        return found

    monkeypatch.setattr(SageMakerJobHook, "describe", without_capacity)
    (source / "main.py").write_text(TRAIN)
    xcom = airflow.run(training(source, ti, hyperparameters={"epochs": 1}), ti)
    assert (xcom["name"], xcom["status"]) == (name(ti, 2), "Completed")


def test_a_wait_for_capacity_ends_with_the_task_s_time(
    faults: Faults, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    (source / "main.py").write_text(TRAIN)
    faults.plan = {"CreateTrainingJob": [(400, "ResourceLimitExceeded")]}
    with pytest.raises(DeadlineExceeded, match=r"found no capacity until.*ResourceLimitExceeded"):
        airflow.run(training(source, ti, timeout=timedelta(seconds=30)), ti)


def test_a_quota_of_which_nothing_is_in_use_fails_at_once() -> None:
    words = "The account-level service limit 'ml.p3.2xlarge for training job usage' is {} Instances, with current "
    words += "utilization of {} Instances and a request delta of 1 Instances."

    def refused(limit: int, used: int) -> ClientError:
        error = {"Code": "ResourceLimitExceeded", "Message": words.format(limit, used)}
        return ClientError({"Error": error}, "CreateTrainingJob")

    assert is_busy(refused(10, 10))
    assert not is_busy(refused(0, 0))


def test_a_create_whose_answer_got_lost_is_not_made_twice(
    aws: Any, faults: Faults, airflow: Airflow, ti: FakeTask, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "main.py").write_text(TRAIN)
    call = ServiceHook._call

    def lose(self: ServiceHook, method: str, **request: Any) -> dict[str, Any]:
        answer = call(self, method, **request)
        # What botocore does when no answer comes: the same again.
        return call(self, method, **request) if method == "create_training_job" else answer

    monkeypatch.setattr(ServiceHook, "_call", lose)
    assert airflow.run(training(source, ti, hyperparameters={"epochs": 1}), ti)["status"] == "Completed"
    assert training_jobs(aws, ti) == {name(ti): "Completed"}


def test_access_lost_while_waiting_fails_the_task_with_the_reason(
    faults: Faults, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    (source / "main.py").write_text("import time; time.sleep(1)\n")
    deferred = airflow.start(training(source, ti), ti)
    faults.plan = {"DescribeTrainingJob": [(403, "AccessDeniedException")]}
    event = airflow.fire(deferred)
    with pytest.raises(JobFailed, match=r"its status could not be read.*AccessDeniedException"):
        airflow.resume(training(source, ti), ti, deferred, event)
    # The job was left alone: the next try attaches.
    assert airflow.run(training(source, ti), ti.next_try())["name"] == name(ti)


def test_a_restart_of_aws_in_mid_job_is_waited_out(
    own_localaws: Any, loopback_only: None, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    import boto3

    # A session of its own: the default one keeps the keys of the localaws that it first saw.
    boto3.session.Session().client("s3").create_bucket(Bucket=BUCKET)
    (source / "main.py").write_text("import time; time.sleep(4)\n")
    deferred = airflow.start(training(source, ti), ti)

    def restart() -> None:
        time.sleep(1)
        own_localaws.kill()
        time.sleep(1)
        own_localaws.restart()

    thread = threading.Thread(target=restart)
    thread.start()
    event = airflow.fire(deferred)
    thread.join()
    assert airflow.resume(training(source, ti), ti, deferred, event)["status"] == "Completed"


def test_a_trigger_taken_over_by_another_triggerer_ends_the_same(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    import asyncio

    (source / "main.py").write_text("import time; time.sleep(2)\n")
    deferred = airflow.start(training(source, ti), ti)

    async def both() -> list[Any]:
        first = asyncio.create_task(first_event(rebuild(deferred.trigger)))
        await asyncio.sleep(0.5)
        first.cancel()  # the triggerer shuts down: no word to the trigger
        twice = [first_event(rebuild(deferred.trigger)) for _ in range(2)]
        return list(await asyncio.gather(*twice))

    assert [event["status"] for event in asyncio.run(both())] == ["success", "success"]
    assert training_jobs(aws, ti) == {name(ti): "Completed"}
