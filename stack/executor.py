"""
The executor of the local stack: Airflow's LocalExecutor, with workers and schedulers that may be killed.

In Airflow 3.3.2 all workers of LocalExecutor read one queue. One that is killed while it waits holds the queue's lock
for ever, and nothing is run any more. One that is killed with a task is missed only by its heartbeats, after five
minutes. Idle workers of a scheduler that was killed wait for ever, and the tasks of the others are run a second time.

Here each worker has a pipe of its own, the scheduler looks after its workers' processes, and a task that is still
supervised when a new scheduler starts is adopted. What nearly all tasks import is imported before workers are forked.
"""

from __future__ import annotations

import ctypes
import importlib
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import psutil
import structlog
from airflow.executors import local_executor
from airflow.executors.base_executor import BaseExecutor, get_execution_api_server_url
from airflow.utils.net import get_hostname
from airflow.utils.state import TaskInstanceState

from stack.processes import runs

if TYPE_CHECKING:
    from airflow.executors.workloads import ExecutorWorkload
    from airflow.models.taskinstance import TaskInstance

#: how often an idle worker looks whether its scheduler is there, in seconds.
_LOOK_S = 1.0
#: by how much the time of birth of a process may be wrong, in seconds.
_BIRTH_S = 2.0
_PR_SET_PDEATHSIG = 1
_TITLE = "airflow worker -- LocalExecutor:"
#: what nearly every task of the DAGs imports and is not of this repository: a third of the processor time until it can
#: call AWS (benchmarks/task_start.py). A task reads the modules of this repository as they are now.
PRELOADED = (
    "airflow.providers.amazon.aws.assets.redshift",
    "airflow.providers.amazon.aws.assets.s3",
    "airflow.providers.amazon.aws.operators.athena",
    "airflow.providers.amazon.aws.operators.glue_crawler",
    "airflow.providers.amazon.aws.operators.s3",
    "airflow.providers.common.io.assets.file",
    "airflow.providers.standard.decorators.branch_python",
    "airflow.providers.standard.decorators.sensor",
    "airflow.providers.standard.decorators.short_circuit",
    "airflow.providers.standard.operators.empty",
    "airflow.providers.standard.operators.hitl",
    "airflow.sdk.definitions.asset.metadata",
    "airflow.sdk.definitions.decorators",
    "boto3.s3.inject",
    "botocore.handlers",
    "botocore.httpsession",
    "jinja2.ext",
)


def preload() -> None:
    """Import ``PRELOADED``."""
    for module in PRELOADED:
        importlib.import_module(module)


@dataclass
class Worker:
    """A process that runs one workload after another."""

    process: multiprocessing.Process
    pipe: Connection
    workload: ExecutorWorkload | None = None


class LocalExecutor(local_executor.LocalExecutor):
    """Run tasks in local processes; a process that is killed costs one try of one task, and no more."""

    def start(self) -> None:
        """Start the workers, where they are forks: others take seconds to start, and are started as they are needed."""
        self._workers: list[Worker] = []
        self._waiting: deque[ExecutorWorkload] = deque()
        self._adopted: dict[Any, psutil.Process] = {}
        if self.is_mp_using_fork:
            preload()
        self._fill()

    def _fill(self) -> None:
        if self.is_mp_using_fork and len(self._workers) < self.parallelism:
            self._spawn_workers_with_gc_freeze(self.parallelism - len(self._workers))  # type: ignore[no-untyped-call]

    def _spawn_worker(self) -> None:
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(target=_work, args=(theirs, os.getpid(), self.conf))
        process.start()
        theirs.close()
        self._workers.append(Worker(process, ours))

    def _process_workloads(self, workload_list: Sequence[ExecutorWorkload]) -> None:
        queues: list[dict[Any, Any]] = [self.queued_tasks, self.queued_callbacks, self.queued_connection_tests]
        for workload in workload_list:
            for queue in queues:
                queue.pop(workload.key, None)
            # LocalExecutor leaves this out. The scheduler asks it for free slots, and whether a task has been queued
            # again since the end that it is told of.
            self.running.add(workload.key)
            self._waiting.append(workload)
        self._hand_out()

    def sync(self) -> None:
        """Take note of what has ended: workloads, workers, and the supervisors of adopted tasks."""
        for worker in list(self._workers):
            alive = worker.process.is_alive()
            self._receive(worker)
            if not alive:
                self._bury(worker)
            elif worker.workload is not None and worker.workload.key not in self.running:
                # The scheduler has given it up, for want of heartbeats, and may run it again.
                worker.process.kill()
        for key, supervisor in list(self._adopted.items()):
            if key not in self.running:
                supervisor.kill()
            if not runs(supervisor):
                del self._adopted[key]
                # How it ended is in the database. If it still says "running", the scheduler takes it as killed.
                self._report(key, TaskInstanceState.SUCCESS)
        self._fill()
        self._hand_out()

    def _receive(self, worker: Worker) -> None:
        try:
            if not worker.pipe.poll():
                return
            state, info = worker.pipe.recv()
        except (EOFError, OSError):
            return  # it has ended in the middle of a word
        workload, worker.workload = worker.workload, None
        if workload is not None:
            self._report(workload.key, state, info)

    def _bury(self, worker: Worker) -> None:
        self._workers.remove(worker)
        if worker.workload is not None:
            how = f"its worker, pid {worker.process.pid}, ended with exit code {worker.process.exitcode}"
            self.log.error("%s of %s", how, worker.workload.key)
            self._report(worker.workload.key, worker.workload.failure_state, how)
        worker.pipe.close()
        worker.process.close()

    def _report(self, key: Any, state: Any, info: str | None = None) -> None:
        """
        Tell the scheduler of an end; not of a task's first leg once a second one has been handed in.

        A task that is resumed has the key that it had before it was deferred. Its worker takes a moment to end after
        that, and the scheduler would take that end for the end of the second leg.
        """
        in_hand = [*self._waiting, *(worker.workload for worker in self._workers if worker.process.is_alive())]
        if any(workload is not None and workload.key == key for workload in in_hand):
            self.log.info("%s was resumed before the end of its earlier process was noticed", key)
        else:
            self.change_state(key, state, info)

    def _hand_out(self) -> None:
        while self._waiting:
            worker = next((each for each in self._workers if each.workload is None and each.process.is_alive()), None)
            if worker is None:
                if len(self._workers) >= self.parallelism:
                    return
                self._spawn_worker()
                continue
            worker.workload = self._waiting.popleft()
            if worker.workload.running_state is not None:
                self.change_state(worker.workload.key, worker.workload.running_state, remove_running=False)
            try:
                worker.pipe.send(worker.workload)
            except OSError:
                self.log.warning("Worker %s ended before it was given a task", worker.process.pid)
                self._waiting.appendleft(worker.workload)
                worker.workload = None
                worker.process.join(_LOOK_S)

    def end(self) -> None:
        """Wait for what is running; start nothing more."""
        self.log.info("Shutting down; waiting for running tasks to finish. Signal again if you don't want to wait.")
        for worker in self._workers:
            try:
                worker.pipe.send(None)
            except OSError:
                continue  # it has ended already
        for worker in self._workers:
            worker.process.join()
        self._waiting.clear()
        for worker in list(self._workers):
            self._receive(worker)
            self._bury(worker)

    def try_adopt_task_instances(self, tis: Sequence[TaskInstance]) -> Sequence[TaskInstance]:
        """
        Go on with the tasks of a dead scheduler whose supervisors live.

        Such a worker finishes its task and reports to the API server as ever, and ends then.

        :return: the others, for the scheduler to run again.
        """
        lost = []
        for ti in tis:
            supervisor = None if ti.key in self.running else _supervisor(ti)
            if supervisor is not None:
                self.log.info("Adopting %s, which pid %s supervises", ti, supervisor.pid)
                self._adopted[ti.key] = supervisor
                self.running.add(ti.key)
            elif ti.key not in self.running:
                lost.append(ti)
        return lost


def _supervisor(ti: TaskInstance) -> psutil.Process | None:
    """Return the process that supervises the process of a running task, if both are alive and here."""
    is_running = ti.state in (TaskInstanceState.RUNNING, TaskInstanceState.RESTARTING)
    if not is_running or not ti.pid or not ti.last_heartbeat_at or ti.hostname != get_hostname():  # type: ignore[no-untyped-call]
        return None
    try:
        task = psutil.Process(ti.pid)
        # A pid that was reused since the task's last heartbeat is that of a younger process.
        if not runs(task) or task.create_time() > ti.last_heartbeat_at.timestamp() + _BIRTH_S:
            return None
        supervisor = task.parent()
        if supervisor and os.getsid(supervisor.pid) == os.getsid(ti.pid):
            return supervisor
        # An orphan that an init of another session has taken in; Linux would have ended it with its supervisor.
        task.kill()
    except (psutil.NoSuchProcess, ProcessLookupError):
        pass
    return None


def _work(pipe: Connection, scheduler: int, conf: Any) -> None:
    """Run what comes through the pipe, until the scheduler says that it is enough, or is gone."""
    log = structlog.get_logger("stack.executor")
    # A group of its own: what a dead scheduler leaves in its group is ended by `make up`, and a task is to be finished.
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        worker = os.getpid()
        os.register_at_fork(after_in_child=lambda: _end_with(worker))
        # A fork of a process with threads may find a lock that nobody frees any more: the kernel ends it all the same.
        _signal_at_parents_death(signal.SIGKILL)
    while os.getppid() == scheduler:
        local_executor.setproctitle(f"{_TITLE} <idle>", log)  # type: ignore[no-untyped-call]
        if not pipe.poll(_LOOK_S):
            continue
        try:
            workload = pipe.recv()
        except EOFError:
            return
        if workload is None:
            return
        # A task is to be finished, whatever becomes of the scheduler.
        _signal_at_parents_death(0)
        outcome = _run(workload, conf, log)
        _signal_at_parents_death(signal.SIGKILL)
        if os.getppid() == scheduler:
            pipe.send(outcome)


def _run(workload: ExecutorWorkload, conf: Any, log: Any) -> tuple[Any, str | None]:
    try:
        BaseExecutor.run_workload(
            workload,
            server=get_execution_api_server_url(conf),
            proctitle=f"{_TITLE} {workload.display_name}",
            subprocess_logs_to_stdout=True,
        )
    except Exception as error:
        log.exception("Workload execution failed.", workload_type=type(workload).__name__)
        return workload.failure_state, str(error)
    return workload.success_state, None


def _end_with(worker: int) -> None:
    """End the process of a task with its supervisor: there is nobody else whom it could tell its result."""
    if os.getppid() != worker:
        return  # a fork of the task's own
    _signal_at_parents_death(signal.SIGKILL)
    if os.getppid() != worker:
        os._exit(1)


def _signal_at_parents_death(number: int) -> None:
    """Have the kernel send a signal when the parent ends; 0 for none. Only Linux does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
