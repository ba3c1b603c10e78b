"""The executor of the local stack: whatever process is killed, one task is told of as failed and the others run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from airflow.executors.base_executor import BaseExecutor
from airflow.utils.net import get_hostname
from airflow.utils.state import TaskInstanceState
from waiting_kit import until

from stack.executor import LocalExecutor
from stack.layout import ROOT
from stack.processes import runs

FAILED, SUCCESS = TaskInstanceState.FAILED, TaskInstanceState.SUCCESS


@dataclass
class Workload:
    """What the executor looks at of a workload; it runs until the file ``go`` is there, in a process of its own."""

    key: str
    folder: Path
    raises: bool = False
    running_state = None
    success_state = SUCCESS
    failure_state = FAILED
    ti = SimpleNamespace(priority_weight=1)

    @property
    def display_name(self) -> str:
        return self.key

    def run(self) -> None:
        """As Airflow's supervisor does: the task is a fork in a group of its own."""
        if self.raises:
            raise RuntimeError("no such task")
        task = os.fork()
        if task == 0:
            os.setpgid(0, 0)
            (self.folder / f"{self.key}.pid").write_text(f"{os.getpid()} {os.getppid()}")
            while not (self.folder / "go").exists():
                time.sleep(0.01)
            os._exit(0)
        os.waitpid(task, 0)
        (self.folder / f"{self.key}.done").touch()

    def pids(self) -> tuple[psutil.Process, psutil.Process]:
        """The processes of the task and of its worker."""
        file = self.folder / f"{self.key}.pid"
        until(lambda: file.exists() and len(file.read_text().split()) == 2)
        task, worker = map(int, file.read_text().split())
        return psutil.Process(task), psutil.Process(worker)


class Executor(LocalExecutor):
    """With what the tests do to it."""

    def hand_in(self, *workloads: Workload) -> None:
        for workload in workloads:
            self.queued_tasks[workload.key] = workload  # type: ignore[index, assignment]
        self.heartbeat()

    def told(self, count: int, seconds: float = 10) -> dict[str, Any]:
        """What the scheduler is told of the first ``count`` workloads."""
        events: dict[str, Any] = {}

        def look() -> dict[str, Any]:
            self.heartbeat()
            events.update({str(key): state for key, (state, _) in self.get_event_buffer().items()})
            return events

        return until(look, lambda seen: len(seen) >= count, seconds, every=0.01)

    @property
    def idle(self) -> list[int]:
        return [worker.process.pid or 0 for worker in self._workers if worker.workload is None]


@pytest.fixture
def airflow_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BaseExecutor, "run_workload", staticmethod(lambda workload, **_: workload.run()))


@pytest.fixture
def executor(airflow_runs_it: None, tmp_path: Path) -> Iterator[Executor]:
    executor = Executor(parallelism=4)
    executor.start()
    yield executor
    (tmp_path / "go").touch()
    executor.end()


def workloads(folder: Path, count: int) -> list[Workload]:
    return [Workload(f"task-{number}", folder) for number in range(count)]


def test_a_task_finds_imported_what_the_dags_need_of_others() -> None:
    script = """
import runpy, sys
from pathlib import Path
import airflow.jobs.scheduler_job_runner
from stack.executor import LocalExecutor

executor = LocalExecutor(parallelism=1)
executor.start()
before = set(sys.modules)
sys.path.append("plugins")
for file in Path("dags").glob("*.py"):
    runpy.run_path(str(file))
import boto3
boto3.client("sagemaker")
executor.end()
print(*sorted(name for name in set(sys.modules) - before if name.startswith(("airflow.providers", "boto", "urllib3"))))
"""
    keys = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_DEFAULT_REGION": "us-east-1"}
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=ROOT,
        env={**os.environ, **keys, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1].split() == []


def test_more_tasks_than_workers_are_all_run(executor: Executor, tmp_path: Path) -> None:
    executor.hand_in(*workloads(tmp_path, 7))
    assert executor.slots_available == -3
    (tmp_path / "go").touch()
    assert executor.told(7) == {f"task-{number}": SUCCESS for number in range(7)}
    assert executor.slots_available == 4


def test_a_workload_that_raises_is_told_of_as_failed(executor: Executor, tmp_path: Path) -> None:
    executor.hand_in(Workload("broken", tmp_path, raises=True))
    assert executor.told(1) == {"broken": FAILED}


def test_idle_workers_that_are_killed_hold_nothing_up(executor: Executor, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    for pid in executor.idle[:3]:
        os.kill(pid, signal.SIGKILL)
    executor.hand_in(*workloads(tmp_path, 5))
    told = executor.told(5)
    # A killed worker may have been given a task before its death was noticed.
    assert set(told) == {f"task-{number}" for number in range(5)}
    executor.hand_in(Workload("later", tmp_path))
    assert executor.told(1) == {"later": SUCCESS}


def test_a_killed_worker_fails_its_task_at_once_and_ends_its_process(executor: Executor, tmp_path: Path) -> None:
    first, second = workloads(tmp_path, 2)
    executor.hand_in(first, second)
    task, worker = first.pids()
    worker.kill()
    assert executor.told(1, seconds=2) == {first.key: FAILED}
    # The kernel kills it with its worker, but not in the same moment.
    until(lambda: not runs(task), timeout=2, what="the end of the task, which would run twice at once")
    (tmp_path / "go").touch()
    assert executor.told(1) == {second.key: SUCCESS}
    assert len(executor.idle) == 4


def test_a_worker_whose_task_was_given_up_is_ended_with_it(executor: Executor, tmp_path: Path) -> None:
    (stuck,) = workloads(tmp_path, 1)
    executor.hand_in(stuck)
    task, worker = stuck.pids()
    worker.suspend()
    executor.change_state(stuck.key, FAILED, remove_running=True)  # type: ignore[arg-type]
    executor.told(1)
    until(lambda: executor.heartbeat() or not (runs(task) or runs(worker)))  # type: ignore[func-returns-value]
    until(lambda: executor.heartbeat() or len(executor.idle) == 4)  # type: ignore[func-returns-value]


def test_the_end_of_a_first_leg_is_not_told_of_once_a_second_one_waits(executor: Executor, tmp_path: Path) -> None:
    first, again = Workload("deferred", tmp_path), Workload("deferred", tmp_path / "later")
    (tmp_path / "later").mkdir()
    executor.hand_in(first)
    first.pids()
    executor.hand_in(again)
    again.pids()
    (tmp_path / "go").touch()
    until((tmp_path / "deferred.done").exists)
    until(lambda: executor.heartbeat() or len(executor.idle) == 3)  # type: ignore[func-returns-value]
    assert executor.get_event_buffer() == {}
    assert executor.has_task(SimpleNamespace(id="?", key="deferred"))  # type: ignore[arg-type]
    (tmp_path / "later" / "go").touch()
    assert executor.told(1) == {"deferred": SUCCESS}


@pytest.fixture
def orphaned(airflow_runs_it: None, tmp_path: Path) -> Iterator[tuple[Workload, list[psutil.Process]]]:
    """A task that goes on after the death of its scheduler, and the other workers of that."""
    busy = Workload("busy", tmp_path)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        executor = Executor(parallelism=3)
        executor.start()
        executor.hand_in(busy)
        while True:
            executor.heartbeat()
            time.sleep(0.1)
    scheduler = psutil.Process(pid)
    _, worker = busy.pids()
    others = [child for child in scheduler.children() if child.pid != worker.pid]
    assert len(others) == 2
    scheduler.kill()
    scheduler.wait(5)
    yield busy, others
    (tmp_path / "go").touch()
    until(lambda: not runs(worker))


def test_workers_end_with_their_scheduler_but_for_one_that_has_a_task(
    orphaned: tuple[Workload, list[psutil.Process]], executor: Executor, tmp_path: Path
) -> None:
    busy, others = orphaned
    task, worker = busy.pids()
    until(lambda: not any(map(runs, others)), timeout=3)
    assert runs(task) and runs(worker)

    ti = SimpleNamespace(
        key="busy", state="running", pid=task.pid, hostname=get_hostname(), last_heartbeat_at=datetime.now(UTC)
    )
    unborn = SimpleNamespace(**{**vars(ti), "key": "old", "last_heartbeat_at": datetime.now(UTC) - timedelta(hours=1)})
    gone = SimpleNamespace(**{**vars(ti), "key": "gone", "pid": 2**22 - 1})
    queued = SimpleNamespace(**{**vars(ti), "key": "queued", "state": "queued", "pid": None})
    assert executor.try_adopt_task_instances([ti, unborn, gone, queued]) == [unborn, gone, queued]  # type: ignore[list-item]
    assert executor.slots_available == 3
    executor.heartbeat()
    assert executor.get_event_buffer() == {}

    (tmp_path / "go").touch()
    until((tmp_path / "busy.done").exists)
    # The database says how it ended: this is no more than that it has.
    assert executor.told(1) == {"busy": SUCCESS}
    assert executor.slots_available == 4


def test_a_worker_that_hangs_ends_with_its_scheduler(airflow_runs_it: None, monkeypatch: pytest.MonkeyPatch) -> None:
    # As a fork of a process with threads does that needs a lock which one of them held.
    monkeypatch.setattr("stack.executor.local_executor.setproctitle", lambda *_: time.sleep(60))
    pid = os.fork()
    if pid == 0:
        os.setsid()
        Executor(parallelism=2).start()
        time.sleep(60)
        os._exit(0)
    scheduler = psutil.Process(pid)
    until(lambda: len(scheduler.children()) == 2)
    workers = scheduler.children()
    time.sleep(0.3)
    scheduler.kill()
    scheduler.wait(5)
    until(lambda: not any(map(runs, workers)), timeout=3)


def test_an_adopted_task_whose_supervisor_is_killed_ends_and_is_told_of(
    orphaned: tuple[Workload, list[psutil.Process]], executor: Executor
) -> None:
    task, worker = orphaned[0].pids()
    ti: Any = SimpleNamespace(
        key="busy", state="running", pid=task.pid, hostname=get_hostname(), last_heartbeat_at=datetime.now(UTC)
    )
    assert executor.try_adopt_task_instances([ti]) == []
    worker.kill()
    assert executor.told(1, seconds=2) == {"busy": SUCCESS}
    until(lambda: not runs(task))
