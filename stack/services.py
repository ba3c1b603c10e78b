"""What the stack consists of, localaws and Airflow's four components: start them, mend them, stop them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from stack import health, processes
from stack.health import PARTS, Condition, Part
from stack.layout import ROOT, Stack, StackError, airflow_settings

# The components that `airflow standalone` runs, each a process of ours. Standalone would also start two log servers
# on every network interface; here the API server reads the logs from the same disk, so none is needed.
AIRFLOW = {
    "airflow-api-server": ["api-server"],
    "airflow-scheduler": ["scheduler", "--skip-serve-logs"],
    "airflow-dag-processor": ["dag-processor"],
    "airflow-triggerer": ["triggerer", "--skip-serve-logs"],
}
#: what has to end before a component starts.
MIGRATION = "airflow-db-migrate"
#: seconds that a part which runs already may be silent before it is ended and started again. Under load a component
#: waits up to a minute for SQLite's writer.
PATIENCE_S = 60.0
#: seconds after which a process that was killed has ended.
SETTLE_S = 0.4
#: seconds that a part may take to start.
START_S = 180.0
Say = Callable[[str], None]


def up(stack: Stack, say: Say = print) -> None:
    """
    Start what does not run, restart what runs and is not heard of, and wait until all of it answers.

    Parts that are well are left alone.

    :raises StackError: a port is taken, or something does not come up; with the end of its log.
    """
    with processes.exclusive(stack, say):
        _stop_changed(stack, say)
        started = _start_missing(stack, say)
        _wait_until_well(stack, started, say)
    say(f"localaws answers on {stack.localaws_url}")
    say(f"Airflow answers on {stack.airflow_url}")


def _stop_changed(stack: Stack, say: Say) -> None:
    """Stop what was started with other settings."""
    wanted, found = _settings(stack), _read_settings(stack)
    for part, names in {"localaws": ["localaws"], "airflow": list(AIRFLOW)}.items():
        if wanted[part] != found.get(part) and any(processes.find(stack, name) for name in names):
            say(f"The settings have changed: restarting {part}")
            processes.stop(stack, names, by=signal.SIGTERM if part == "localaws" else signal.SIGINT)


def _start_missing(stack: Stack, say: Say) -> list[str]:
    """Start every part that does not run; their names."""
    missing = []
    for name in PARTS:
        if health.is_stopped(processes.find(stack, name)):
            say(f"{name} was stopped by a signal: restarting it")
            processes.kill(stack, name)
        if processes.find(stack, name) is None:
            processes.end_leftovers(stack, name)
            missing.append(name)
    ports = {
        "localaws": ("localaws", "LOCALAWS_PORT", stack.localaws_port),
        health.API_SERVER: ("the Airflow UI", "AIRFLOW_PORT", stack.airflow_port),
    }
    processes.require_free({what: (key, port) for name, (what, key, port) in ports.items() if name in missing})
    _write_settings(stack)
    if set(AIRFLOW) <= set(missing):
        # A component that runs has a database that is ready, and is not to have it changed under it.
        _migrate(stack, say)
    for name in missing:
        _start(stack, name, say)
    return missing


def _start(stack: Stack, name: str, say: Say) -> None:
    say(f"Starting {name}")
    if name == "localaws":
        start_localaws(stack)
    else:
        start_component(stack, name)


def _wait_until_well(stack: Stack, started: Iterable[str], say: Say) -> None:
    """
    Wait until every part is well; restart, once, a part that ran before and ends or stays silent.

    :raises StackError: a part ended, or does not answer in time; with the end of its log.
    """
    new = set(started)
    silent_since: dict[str, float] = {}
    deadline = time.monotonic() + PATIENCE_S + 2 * START_S
    while True:
        parts = health.observe(stack)
        if all(part.condition is Condition.WELL for part in parts.values()) and _stay(stack, parts):
            return
        patience = {name: START_S if name in new else PATIENCE_S for name in parts}
        for name in overdue(parts, silent_since, patience, time.monotonic()):
            if name in new:
                raise StackError(_complaint(stack, name, parts[name]))
            say(f"{name} {parts[name].why or 'ended'}: restarting it")
            processes.kill(stack, name)
            _start(stack, name, say)
            new.add(name)
            silent_since.pop(name, None)
        if time.monotonic() > deadline:
            raise StackError("\n\n".join(_complaint(stack, name, part) for name, part in parts.items() if part.why))
        time.sleep(0.2)


def _stay(stack: Stack, parts: Mapping[str, Part]) -> bool:
    """Return True if the same processes still run a moment later: a large one takes a while to die."""
    time.sleep(SETTLE_S)
    return all((process := processes.find(stack, name)) and process.pid == part.pid for name, part in parts.items())


def overdue(
    parts: Mapping[str, Part], silent_since: dict[str, float], patience: Mapping[str, float], now: float
) -> list[str]:
    """
    Return the parts that are not worth waiting for: dead, stopped, or silent for too long.

    :param silent_since: when each silent part was first found so, kept up by this function. That nothing is known of a
        part begins no silence and ends none.
    :param patience: seconds, by part.
    """
    for name, part in parts.items():
        if part.condition is Condition.SILENT:
            silent_since.setdefault(name, now)
        elif part.condition is not Condition.UNKNOWN:
            silent_since.pop(name, None)
    lost = {name for name, part in parts.items() if part.condition in {Condition.DEAD, Condition.STOPPED}}
    return [name for name in parts if name in lost or now - silent_since.get(name, now) > patience[name]]


def _complaint(stack: Stack, name: str, part: Part) -> str:
    log = stack.logs / f"{name}.log"
    return f"{name} {part.why or 'ended'}. The end of {log}:\n{processes.tail(log)}"


def start_localaws(stack: Stack) -> None:
    """Start localaws and wait until it answers."""
    ready = stack.home / "localaws" / "server.json"
    ready.unlink(missing_ok=True)
    argv = [stack.jobs_python, "-m", "localaws", "serve", "--home", str(stack.home), "--port", str(stack.localaws_port)]
    environment = stack.base_environment()
    if os.path.isdir(model := stack.settings.get("REVIEWS_BASE_MODEL", "")):  # noqa: PTH112 - empty is no folder
        # Jobs of localaws see no other folder of this machine.
        environment["LOCALAWS_SHOWN"] = os.pathsep.join(filter(None, [os.environ.get("LOCALAWS_SHOWN"), model]))
    processes.start(stack, "localaws", argv, environment)
    processes.wait_until(
        ready.exists,
        what="localaws",
        seconds=60,
        alive=lambda: processes.find(stack, "localaws") is not None,
        log=stack.logs / "localaws.log",
    )


def _migrate(stack: Stack, say: Say) -> None:
    """
    Make Airflow's database, or bring it up to date.

    :raises StackError: it cannot be done; with the end of its log.
    """
    say("Preparing Airflow's database")
    stack.airflow_home.mkdir(parents=True, exist_ok=True)
    log = stack.logs / f"{MIGRATION}.log"
    # One whose `make up` was killed is let finish: half of a migration cannot be repeated.
    processes.wait_until(
        lambda: processes.find(stack, MIGRATION) is None, what=MIGRATION, seconds=300, alive=lambda: True, log=log
    )
    migration = processes.start(
        stack, MIGRATION, [*airflow_command(stack), "db", "migrate"], stack.airflow_environment()
    )
    try:
        status = migration.wait(timeout=300)
    except subprocess.TimeoutExpired:
        raise StackError(f"airflow db migrate took more than 300 s. The end of {log}:\n{processes.tail(log)}") from None
    if status:
        raise StackError(f"airflow db migrate failed. The end of {log}:\n{processes.tail(log, 40)}")


def start_component(stack: Stack, name: str) -> None:
    """Start one of Airflow's components."""
    # Polite: a training job spreads over all cores and waits for its slowest one at every step. With Airflow at equal
    # priority on two cores it ran at half speed.
    argv = ["nice", "-n", "10", *airflow_command(stack), *AIRFLOW[name]]
    environment = stack.airflow_environment()
    if name == health.API_SERVER:
        _make_password(stack)
    else:
        # To wait for SQLite's only writer. After five seconds, Python's default, a scheduler would end. But the API
        # server keeps that: at times one of its requests waits for another of its own, and nobody can write until
        # the first gives up, with an answer that :class:`stack.airflow_api.AirflowApi` knows.
        environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] += "?timeout=60"
    processes.start(stack, name, argv, environment)


def _make_password(stack: Stack) -> None:
    """Make the admin's password, unless there is one: an API server that makes it prints it into its log."""
    if not stack.passwords.exists():
        stack.airflow_home.mkdir(parents=True, exist_ok=True)
        new = stack.passwords.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(json.dumps({"admin": secrets.token_urlsafe(12)}) + "\n")
        new.replace(stack.passwords)


def airflow_command(stack: Stack) -> list[str]:
    """Return the ``airflow`` command of Airflow's environment."""
    return [stack.airflow_python, "-m", "airflow"]


def down(stack: Stack, say: Say = print) -> None:
    """Stop everything of this stack, jobs included; nothing is left running."""
    with processes.exclusive(stack, say):
        _down(stack, say)


def _down(stack: Stack, say: Say) -> None:
    processes.stop(stack, AIRFLOW, by=signal.SIGINT)
    if processes.find(stack, "localaws"):
        # Jobs outlive the server by design: they are asked to end first.
        subprocess.run(
            [stack.jobs_python, "-m", "localaws.sagemaker.jobs", "end", "--home", str(stack.home)],
            cwd=ROOT,
            check=False,
        )
    processes.stop(stack, ["localaws"])
    for name in processes.sweep(stack):
        say(f"ended {name}, which was left over")


def reset(stack: Stack, say: Say = print) -> None:
    """Stop everything and remove all data; the environments stay."""
    with processes.exclusive(stack, say):
        _down(stack, say)
        for name in ("localaws", "airflow", "demo", "logs", "run"):
            shutil.rmtree(stack.home / name, ignore_errors=True)
        (stack.home / "credentials").unlink(missing_ok=True)


def _settings_path(stack: Stack) -> Path:
    return stack.home / "run" / "settings.json"


def _settings(stack: Stack) -> dict[str, Any]:
    """Return what localaws and Airflow are started with, as far as it can change."""
    return {
        "localaws": {"port": stack.localaws_port},
        "airflow": {**stack.settings, **stack.aws_environment(), **airflow_settings(stack)},
    }


def _read_settings(stack: Stack) -> dict[str, Any]:
    path = _settings_path(stack)
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _write_settings(stack: Stack) -> None:
    _settings_path(stack).parent.mkdir(parents=True, exist_ok=True)
    _settings_path(stack).write_text(json.dumps(_settings(stack)))
