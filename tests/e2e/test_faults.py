"""
What breaks in production, done to a real Airflow: whatever dies, each task has one job and one result.

All runs go through the same faults at the same time: their jobs work until the test lets them end.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from runs_kit import mark_failed, until

from amazon_ml.naming import job_name
from stack import processes, services
from stack.airflow_api import AirflowApi
from stack.layout import Stack

pytestmark = pytest.mark.e2e

TASK = "train"


@dataclass
class Run:
    """One DAG run and its only task."""

    api: AirflowApi
    sagemaker: Any
    dag_id: str
    run_id: str
    go: Path

    def start(self) -> None:
        self.api.trigger(self.dag_id, self.run_id, {"go": str(self.go)})

    @property
    def task(self) -> dict[str, Any]:
        return self.api.tasks(self.dag_id, self.run_id)[0]

    @property
    def state(self) -> str:
        return str(self.api.run(self.dag_id, self.run_id)["state"])

    @property
    def result(self) -> dict[str, Any]:
        return dict(self.api.xcom(self.dag_id, self.run_id, TASK))

    def job(self, attempt: int = 1) -> str:
        return job_name(self.dag_id, TASK, -1, self.run_id, attempt)

    @property
    def jobs(self) -> dict[str, str]:
        """Name -> status of all jobs that this run has ever started."""
        found = self.sagemaker.list_training_jobs(NameContains=self.job(), MaxResults=100)["TrainingJobSummaries"]
        return {job["TrainingJobName"]: job["TrainingJobStatus"] for job in found}

    def clear(self) -> None:
        body = {
            "dry_run": False,
            "dag_run_id": self.run_id,
            "task_ids": [TASK],
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self.api.call("POST", f"/dags/{self.dag_id}/clearTaskInstances", json=body)

    def waits_again(self, tries: int) -> bool:
        """Whether the task is at this try and waits for its job, by itself or by a triggerer that has its trigger."""
        task = self.task
        waits = task["state"] == "running" or (task["state"] == "deferred" and task["triggerer_job"] is not None)
        return task["try_number"] >= tries and waits


def kill(stack: Stack, name: str) -> None:
    """``kill -9`` a component, its own helper processes included."""
    process = processes.find(stack, name)
    assert process is not None, f"{name} does not run"
    for one in [process, *process.children(recursive=True)]:
        one.kill()
    psutil.wait_procs([process], timeout=10)


@pytest.fixture(scope="module")
def sagemaker(client: Callable[[str], Any]) -> Any:
    client("s3").create_bucket(Bucket="faults")
    return client("sagemaker")


@pytest.fixture(scope="module")
def runs(stack: Stack, api: AirflowApi, sagemaker: Any) -> dict[str, Run]:
    """Six runs that went through every fault and then to their end, by what was done to each beside that."""
    folder = Path(os.environ["LOCALAWS_SHOWN"])
    plan = {
        "outage": "faults_deferred",
        "cleared": "faults_deferred",
        "marked": "faults_deferred",
        "polling-killed": "faults_polling",
        "polling-cleared": "faults_polling",
        "polling-marked": "faults_polling",
    }
    runs = {name: Run(api, sagemaker, dag_id, f"fault__{name}", folder / name) for name, dag_id in plan.items()}
    dags = {"faults_deferred", "faults_polling"}
    until(lambda: dags <= {dag["dag_id"] for dag in api.call("GET", "/dags")["dags"]}, what="the DAGs are there")
    for run in runs.values():
        run.start()
    until(lambda: all(run.jobs for run in runs.values()), what="every run has a job")
    until(lambda: all(run.waits_again(1) for run in runs.values()), what="every task waits for its job")

    # The process of a task that polls.
    os.kill(runs["polling-killed"].task["pid"], signal.SIGKILL)
    # A user clears, a user marks as failed.
    for name in ("cleared", "polling-cleared"):
        runs[name].clear()
    for name in ("marked", "polling-marked"):
        mark_failed(api, runs[name].dag_id, runs[name].run_id, TASK)
    for name in ("polling-killed", "cleared", "polling-cleared"):
        until(lambda name=name: runs[name].waits_again(2), what=f"{name} waits in its second try")
    for name in ("marked", "polling-marked"):
        until(lambda name=name: "Stopped" in runs[name].jobs.values(), what=f"the job of {name} is stopped")

    # The triggerer, which waits for the deferred ones.
    kill(stack, "airflow-triggerer")
    services.start_component(stack, "airflow-triggerer")
    # The scheduler, but not the processes of its tasks: those go on, as they do.
    scheduler = processes.find(stack, "airflow-scheduler")
    assert scheduler is not None
    scheduler.kill()
    scheduler.wait(10)
    services.start_component(stack, "airflow-scheduler")
    # AWS itself.
    kill_localaws(stack)
    until(api.healthy, what="Airflow is healthy again")

    going = [run for name, run in runs.items() if "marked" not in name]
    assert [run.jobs for run in going] == [{run.job(): "InProgress"} for run in going]
    for run in going:
        run.go.touch()
    until(lambda: all(run.state in {"success", "failed"} for run in runs.values()), what="every run ends")
    return runs


def kill_localaws(stack: Stack) -> None:
    """The server alone: jobs are not its children to take along."""
    server = processes.find(stack, "localaws")
    assert server is not None
    server.kill()
    server.wait(10)
    services.start_localaws(stack)


@pytest.mark.parametrize("name", ["outage", "cleared", "polling-killed", "polling-cleared"])
def test_whatever_died_there_is_one_job_and_its_result(runs: dict[str, Run], name: str) -> None:
    run = runs[name]
    assert run.state == "success"
    assert run.jobs == {run.job(): "Completed"}
    assert (run.result["name"], run.result["status"]) == (run.job(), "Completed")


@pytest.mark.parametrize("name", ["marked", "polling-marked"])
def test_a_task_that_a_user_marked_as_failed_has_its_job_stopped(runs: dict[str, Run], name: str) -> None:
    assert runs[name].state == "failed"
    assert runs[name].jobs == {runs[name].job(): "Stopped"}


def test_clearing_a_task_that_succeeded_gives_its_result_again(runs: dict[str, Run]) -> None:
    run = runs["outage"]
    before, tries = run.result, run.task["try_number"]
    run.clear()
    until(lambda: run.task["try_number"] > tries and run.state == "success", what="the cleared run ends")
    assert run.result == before
    assert run.jobs == {run.job(): "Completed"}


def test_clearing_a_task_that_was_marked_as_failed_makes_the_next_attempt(runs: dict[str, Run]) -> None:
    run = runs["marked"]
    run.go.touch()
    run.clear()
    until(lambda: run.state == "success", what="the cleared run ends")
    assert run.jobs == {run.job(): "Stopped", run.job(2): "Completed"}
    assert run.result["name"] == run.job(2)
