"""A stack whose processes are killed: what ``make up`` and the executor make of it, and who else could read it."""

from __future__ import annotations

import configparser
import contextlib
import json
import os
import signal
import stat
from pathlib import Path
from typing import Any

import psutil
import pytest
from runs_kit import until, until_known

from stack import health, processes, services
from stack.airflow_api import AirflowApi
from stack.layout import Stack

pytestmark = pytest.mark.e2e

DAG, RUN = "waiting", "mending"


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("waiting") / "go"


@pytest.fixture(scope="module")
def running(api: AirflowApi, go: Path) -> dict[str, Any]:
    """A task that runs, and whose process is known."""
    until_known(api, DAG)
    api.trigger(DAG, RUN, {"go": str(go)})
    return wait_for_try(api, 1)


def wait_for_try(api: AirflowApi, number: int, seconds: float = 120) -> dict[str, Any]:
    """The task, once it runs for the so-many-th time."""

    def runs() -> bool:
        task = api.tasks(DAG, RUN)[0]
        return task["state"] == "running" and task["try_number"] == number and bool(task["pid"])

    until(runs, what=f"try {number} runs", timeout=seconds)
    return api.tasks(DAG, RUN)[0]


def pids(stack: Stack) -> dict[str, int | None]:
    return {name: process.pid if (process := processes.find(stack, name)) else None for name in health.PARTS}


def strike(pid: int | None, number: signal.Signals) -> None:
    """Send a signal that kills or stops, and wait until it has."""
    assert pid is not None
    process = psutil.Process(pid)
    process.send_signal(number)
    until(lambda: not processes.runs(process) or health.is_stopped(process), what=f"{number.name} takes effect")


def test_a_killed_worker_costs_its_task_one_try_and_some_seconds(api: AirflowApi, running: dict[str, Any]) -> None:
    task = psutil.Process(running["pid"])
    worker = task.parent()
    assert worker is not None
    strike(worker.pid, signal.SIGKILL)
    # Noticed within a second; the retry comes a second later. By its heartbeats alone it would be five minutes.
    wait_for_try(api, 2, seconds=120)
    assert not processes.runs(task)


def test_a_running_task_is_adopted_by_the_next_scheduler(
    stack: Stack, api: AirflowApi, running: dict[str, Any], go: Path
) -> None:
    before, task = pids(stack), wait_for_try(api, 2)
    worker = psutil.Process(task["pid"]).parent()
    log = stack.logs / "airflow-scheduler.log"
    scheduler = before["airflow-scheduler"]
    assert worker is not None and scheduler is not None
    strike(scheduler, signal.SIGKILL)
    services.up(stack)
    assert {name for name in before if before[name] != pids(stack)[name]} == {"airflow-scheduler"}
    left = [process for process in processes.belonging(stack) if os.getsid(process.pid) == scheduler]
    assert {process.pid for process in left} == {worker.pid, task["pid"]}, "idle workers outlive their scheduler"

    until(lambda: f"which pid {worker.pid} supervises" in log.read_text(), what="the task is adopted")
    go.touch()
    until(lambda: api.run(DAG, RUN)["state"] == "success", what="the run ends")
    assert api.tasks(DAG, RUN)[0]["try_number"] == 2
    until(lambda: not processes.runs(worker), what="the worker ends with its task")


def test_two_dead_parts_and_a_stopped_one_are_restarted_and_nothing_else(stack: Stack, api: AirflowApi) -> None:
    before = pids(stack)
    killed = {
        "airflow-api-server": signal.SIGKILL,
        "airflow-dag-processor": signal.SIGKILL,
        "airflow-triggerer": signal.SIGSTOP,
    }
    for name, number in killed.items():
        strike(before[name], number)
    services.up(stack)
    assert {name for name in before if before[name] != pids(stack)[name]} == set(killed)
    assert {str(part.condition.value) for part in health.observe(stack).values()} == {"running"}


def test_every_process_of_the_stack_listens_on_loopback_only(stack: Stack, running: dict[str, Any]) -> None:
    listening = set()
    for process in processes.belonging(stack):
        # It has ended meanwhile; or it supervises a task, and Airflow hides it from all but root.
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            listening |= {
                (process.name(), connection.laddr.ip, connection.laddr.port)
                for connection in process.net_connections(kind="inet")
                if connection.status == psutil.CONN_LISTEN
            }
    assert {port for _, _, port in listening} >= {stack.localaws_port, stack.airflow_port}
    assert {ip for _, ip, _ in listening} <= {"127.0.0.1", "::1"}, listening


def test_files_of_the_stack_are_its_users_alone(stack: Stack, running: dict[str, Any]) -> None:
    # What localaws keeps, and jobs write, is told of by its own tests.
    files = [file for file in stack.home.rglob("*") if not file.is_relative_to(stack.home / "localaws")]
    assert {"airflow.db", "airflow.cfg", "openlineage.jsonl", "airflow-scheduler.log"} <= {file.name for file in files}
    open_to_others = [
        f"{stat.filemode(file.lstat().st_mode)} {file.relative_to(stack.home)}"
        for file in [stack.home, *files]
        if not file.is_symlink() and file.exists() and file.stat().st_mode & 0o077
    ]
    assert open_to_others == []


def test_no_secret_is_in_a_log_or_a_command_line(stack: Stack, api: AirflowApi, running: dict[str, Any]) -> None:
    secrets = {"the admin's password": api.password}
    airflow = configparser.ConfigParser(interpolation=None)
    airflow.read(stack.airflow_home / "airflow.cfg")
    for section, option in (("core", "fernet_key"), ("api", "secret_key"), ("api_auth", "jwt_secret")):
        secrets[f"{section}.{option}"] = airflow.get(section, option, fallback="")
    keys = configparser.ConfigParser(interpolation=None)
    keys.read(stack.home / "credentials")
    secrets["localaws's key"] = keys["default"]["aws_secret_access_key"]

    texts = {str(file.relative_to(stack.home)): file.read_text(errors="replace") for file in _logs(stack)}
    for process in processes.belonging(stack):
        with contextlib.suppress(psutil.NoSuchProcess):
            texts[f"pid {process.pid}"] = json.dumps(process.cmdline())
    found = [
        (name, place) for name, secret in secrets.items() if secret for place, text in texts.items() if secret in text
    ]
    assert found == []


def _logs(stack: Stack) -> list[Path]:
    folders = [stack.logs, stack.airflow_home / "logs"]
    return [
        *(file for folder in folders for file in folder.rglob("*") if file.is_file()),
        stack.home / "openlineage.jsonl",
    ]
