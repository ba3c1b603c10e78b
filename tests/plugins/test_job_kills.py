"""What ends a task before its job is done: deadlines, users, time-outs. The job is stopped, unless the task goes on."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferred
from operator_kit import Airflow, FakeTask
from test_job_operators import TRAIN, name, training, training_jobs
from waiting_kit import until

from amazon_ml.exceptions import DeadlineExceeded, TaskKilled
from amazon_ml.hooks.sagemaker import SageMakerJobHook

SLEEP = "import time\nprint('sleeping', flush=True)\ntime.sleep(300)\n"


def until_it_sleeps(job: str) -> None:
    """Wait until SLEEP has said so in the job's log."""
    for _ in range(100):
        if any("sleeping" in line for line in SageMakerJobHook().logs.tail("/aws/sagemaker/TrainingJobs", f"{job}/")):
            return
    raise AssertionError(f"{job} does not sleep")


def until_status(aws: Any, job: str, *statuses: str) -> str:
    def look() -> tuple[str, str]:
        description = aws("sagemaker").describe_training_job(TrainingJobName=job)
        return description["TrainingJobStatus"], description["SecondaryStatus"]

    return until(look, lambda seen: not set(seen).isdisjoint(statuses), every=0.1)[0]


def test_the_deadline_stops_the_job_and_the_next_try_waits_for_its_end(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    (source / "main.py").write_text(SLEEP)
    with pytest.raises(DeadlineExceeded, match=r"InProgress when the task's time was over \(0:00:03"):
        airflow.run(training(source, ti, timeout=timedelta(seconds=3)), ti)
    assert training_jobs(aws, ti)[name(ti)] in {"Stopping", "Stopped"}

    (source / "main.py").write_text(TRAIN)
    assert airflow.run(training(source, ti, hyperparameters={"epochs": 1}), ti.next_try())["name"] == name(ti, 2)
    assert training_jobs(aws, ti) == {name(ti): "Stopped", name(ti, 2): "Completed"}


def test_the_deadline_is_counted_from_the_start_of_the_try(
    aws: Any, airflow: Airflow, old_ti: FakeTask, source: Path
) -> None:
    deferred = airflow.start(training(source, old_ti, timeout=timedelta(hours=2)), old_ti)
    assert deferred.trigger.deadline == pytest.approx(time.time() + 3600, abs=60)
    # Airflow's own time-out is for a triggerer that is away: it must not come first.
    assert deferred.timeout > timedelta(hours=1)
    limited = training(source, old_ti, execution_timeout=timedelta(minutes=90))
    assert airflow.start(limited, old_ti.next_try()) and airflow.deferrals[-1].trigger.deadline < time.time() + 5400


def test_a_user_who_ends_a_deferred_task_stops_its_job(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path, task_states: dict[str, Any]
) -> None:
    (source / "main.py").write_text(SLEEP)
    deferred = airflow.start(training(source, ti), ti)
    until_it_sleeps(name(ti))
    task_states["state"] = "failed"
    airflow.kill_trigger(deferred, ti)
    assert until_status(aws, name(ti), "Stopped") == "Stopped"


def test_a_task_that_goes_on_keeps_its_job(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path, task_states: dict[str, Any]
) -> None:
    (source / "main.py").write_text("import time; time.sleep(1)\n")
    deferred = airflow.start(training(source, ti), ti)
    task_states["state"] = None  # cleared
    airflow.kill_trigger(deferred, ti)
    operator = training(source, ti)()
    operator._prepare({"ti": ti, "params": {}})
    operator._attend(name(ti))
    task_states["state"] = "restarting"
    operator.on_kill()
    assert airflow.run(training(source, ti), ti.next_try())["status"] == "Completed"
    assert training_jobs(aws, ti) == {name(ti): "Completed"}


def test_a_polling_task_that_a_user_ends_stops_its_job_and_gives_up(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path, task_states: dict[str, Any]
) -> None:
    (source / "main.py").write_text(SLEEP)
    task_states["state"] = "failed"
    operator = training(source, ti, deferrable=False)()
    sleep = time.sleep

    def kill_while_it_waits(seconds: float) -> None:
        if not operator._killed:
            until_it_sleeps(name(ti))
            operator.on_kill()
        sleep(seconds)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(TaskKilled):
        patch.setattr(operator, "_pause", kill_while_it_waits)
        airflow.run(lambda: operator, ti)
    assert until_status(aws, name(ti), "Stopped") == "Stopped"


def test_a_kill_that_comes_while_the_job_is_created_stops_it(
    aws: Any,
    airflow: Airflow,
    ti: FakeTask,
    source: Path,
    task_states: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (source / "main.py").write_text(SLEEP)
    task_states["state"] = "failed"
    operator = training(source, ti)()
    create = SageMakerJobHook.create

    def kill_first(self: SageMakerJobHook, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        operator.on_kill()
        return create(self, kind, request)

    monkeypatch.setattr(SageMakerJobHook, "create", kill_first)
    with pytest.raises(TaskKilled):
        airflow.run(lambda: operator, ti)
    assert until_status(aws, name(ti), "Stopping", "Stopped")


def test_an_execution_time_out_stops_the_job(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "main.py").write_text(SLEEP)
    operator = training(source, ti, deferrable=False)()

    def time_is_over(_: float) -> None:
        until_it_sleeps(name(ti))
        raise AirflowTaskTimeout("execution_timeout")

    monkeypatch.setattr(operator, "_pause", time_is_over)
    with pytest.raises(AirflowTaskTimeout):
        airflow.run(lambda: operator, ti)
    assert until_status(aws, name(ti), "Stopped") == "Stopped"


def test_airflows_own_time_out_stops_the_job_too(aws: Any, airflow: Airflow, ti: FakeTask, source: Path) -> None:
    (source / "main.py").write_text(SLEEP)
    make = training(source, ti)
    assert isinstance(airflow.start(make, ti), TaskDeferred)
    until_it_sleeps(name(ti))
    with pytest.raises(DeadlineExceeded, match="stopped"):
        make().resume_execution("__fail__", {"error": "Trigger timeout"}, {"ti": ti, "params": {}})
    assert until_status(aws, name(ti), "Stopped") == "Stopped"
