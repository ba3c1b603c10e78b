"""What the stack consists of: localaws, and Airflow's four components."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from stack import processes
from stack.airflow_api import AirflowApi
from stack.layout import ROOT, Stack, StackError

# The components that `airflow standalone` runs, each a process of ours. Standalone would also start two log servers
# on every network interface; here the API server reads the logs from the same disk, so none is needed.
AIRFLOW = {
    "airflow-api-server": ["api-server"],
    "airflow-scheduler": ["scheduler", "--skip-serve-logs"],
    "airflow-dag-processor": ["dag-processor"],
    "airflow-triggerer": ["triggerer", "--skip-serve-logs"],
}
#: all that must run for a DAG run to go on.
PARTS = ("localaws", *AIRFLOW)
Say = Callable[[str], None]


def up(stack: Stack, say: Say = print) -> None:
    """
    Start what does not run yet and wait until all of it answers.

    :raises StackError: a port is taken, or something does not come up; with the end of its log.
    """
    localaws = processes.find(stack, "localaws")
    airflow = airflow_running(stack)
    if airflow and _settings_changed(stack):
        say("The settings have changed: starting Airflow anew")
        stop_airflow(stack)
        airflow = False
    wanted = {} if localaws else {"localaws": stack.localaws_port}
    processes.require_free(wanted if airflow else {**wanted, "the Airflow UI": stack.airflow_port})
    if not localaws:
        start_localaws(stack)
        say(f"localaws answers on {stack.localaws_url}")
    if not airflow:
        start_airflow(stack, say)
    # Also where it ran already: an earlier start may have been interrupted before Airflow answered.
    wait_for_airflow(stack)
    say(f"Airflow answers on {stack.airflow_url}")


def start_localaws(stack: Stack) -> None:
    """Start localaws and wait until it answers."""
    ready = stack.home / "localaws" / "server.json"
    ready.unlink(missing_ok=True)
    argv = [stack.jobs_python, "-m", "localaws", "serve", "--home", str(stack.home), "--port", str(stack.localaws_port)]
    processes.start(stack, "localaws", argv, stack.base_environment())
    processes.wait_until(
        ready.exists,
        what="localaws",
        seconds=60,
        alive=lambda: processes.find(stack, "localaws") is not None,
        log=stack.logs / "localaws.log",
    )


def start_airflow(stack: Stack, say: Say = print) -> None:
    """Make Airflow's database if need be, start its components."""
    environment = stack.airflow_environment()
    stack.airflow_home.mkdir(parents=True, exist_ok=True)
    _write_settings(stack)
    say("Preparing Airflow's database")
    migrate = subprocess.run(
        [*airflow_command(stack), "db", "migrate"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if migrate.returncode:
        raise StackError(f"airflow db migrate failed:\n{(migrate.stdout + migrate.stderr)[-3000:]}")
    for name in AIRFLOW:
        start_component(stack, name)


def wait_for_airflow(stack: Stack) -> None:
    """Wait until Airflow's API answers and all its components send heartbeats."""
    processes.wait_until(
        AirflowApi(stack).healthy,
        what="Airflow",
        seconds=180,
        alive=lambda: airflow_running(stack),
        log=stack.logs / "airflow-api-server.log",
    )


def start_component(stack: Stack, name: str) -> None:
    """Start one of Airflow's components."""
    # Polite: a training job spreads over all cores and waits for its slowest one at every step. With Airflow at equal
    # priority on two cores it ran at half speed.
    argv = ["nice", "-n", "10", *airflow_command(stack), *AIRFLOW[name]]
    environment = stack.airflow_environment()
    if name != "airflow-api-server":
        # To wait for SQLite's only writer. After five seconds, Python's default, a scheduler would end. But the API
        # server keeps that: at times one of its requests waits for another of its own, and nobody can write until
        # the first gives up, with an answer that :class:`stack.airflow_api.AirflowApi` knows.
        environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] += "?timeout=60"
    processes.start(stack, name, argv, environment)


def airflow_command(stack: Stack) -> list[str]:
    """The ``airflow`` command of Airflow's environment."""
    return [stack.airflow_python, "-m", "airflow"]


def airflow_running(stack: Stack) -> bool:
    """Whether every component of Airflow runs."""
    return all(processes.find(stack, name) for name in AIRFLOW)


def stop_airflow(stack: Stack) -> None:
    """Stop Airflow's components."""
    processes.stop(stack, AIRFLOW, by=signal.SIGINT)


def down(stack: Stack, say: Say = print) -> None:
    """Stop everything of this stack, jobs included; nothing is left running."""
    stop_airflow(stack)
    if processes.find(stack, "localaws"):
        # Jobs outlive the server by design: they are asked to end first.
        subprocess.run(
            [stack.jobs_python, "-m", "localaws.jobs", "end", "--home", str(stack.home)], cwd=ROOT, check=False
        )
    processes.stop(stack, ["localaws"])
    for name in processes.sweep(stack):
        say(f"ended {name}, which was left over")


def reset(stack: Stack, say: Say = print) -> None:
    """Stop everything and remove all data; the environments stay."""
    down(stack, say)
    for name in ("localaws", "airflow", "demo", "logs", "run"):
        shutil.rmtree(stack.home / name, ignore_errors=True)
    (stack.home / "credentials").unlink(missing_ok=True)


def status(stack: Stack) -> dict[str, str]:
    """Each process of the stack and whether it runs."""
    found = {name: processes.find(stack, name) for name in PARTS}
    return {name: f"running, pid {process.pid}" if process else "not running" for name, process in found.items()}


def _settings_path(stack: Stack) -> Path:
    return stack.home / "run" / "settings.json"


def _settings_changed(stack: Stack) -> bool:
    path = _settings_path(stack)
    return not path.exists() or json.loads(path.read_text()) != stack.settings


def _write_settings(stack: Stack) -> None:
    _settings_path(stack).parent.mkdir(parents=True, exist_ok=True)
    _settings_path(stack).write_text(json.dumps(stack.settings))
