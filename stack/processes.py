"""Background processes that outlive the command that started them: start, look, stop, leave nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from stack.layout import ROOT, Stack, StackError

#: environment variables by which a process that belongs to a stack is told, however it was orphaned.
MARKS = ("STACK_MARK", "LOCALAWS_HOME")


def start(stack: Stack, name: str, argv: list[str], environment: dict[str, str]) -> None:
    """Start ``name`` in a session of its own; its output goes to ``logs/<name>.log``, its pid to ``run/``."""
    stack.logs.mkdir(parents=True, exist_ok=True)
    with open(stack.logs / f"{name}.log", "ab") as log:
        process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    record = _record(stack, name)
    record.parent.mkdir(parents=True, exist_ok=True)
    # The time of birth, too: a pid alone may by then be somebody else's.
    born = {"pid": process.pid, "born": psutil.Process(process.pid).create_time()}
    record.write_text(json.dumps(born))
    with open(_sessions(stack), "a") as known:
        known.write(json.dumps({**born, "boot": psutil.boot_time()}) + "\n")


def find(stack: Stack, name: str) -> psutil.Process | None:
    """The process started as ``name``, if it still runs."""
    try:
        record = json.loads(_record(stack, name).read_text())
        process = psutil.Process(record["pid"])
        if abs(process.create_time() - record["born"]) > 1 or process.status() == psutil.STATUS_ZOMBIE:
            return None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None
    return process


def stop(stack: Stack, names: Iterable[str], *, grace: float = 15, by: signal.Signals = signal.SIGTERM) -> None:
    """Ask the named processes to end, all at once, and insist with SIGKILL after ``grace`` seconds."""
    names = list(names)
    processes = [process for name in names if (process := find(stack, name))]
    family = [child for process in processes for child in process.children(recursive=True)]
    for process in processes:
        _signal(process, by)
    _, alive = psutil.wait_procs(processes, timeout=grace)
    _, alive = psutil.wait_procs([*alive, *family], timeout=1)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5)
    for name in names:
        _record(stack, name).unlink(missing_ok=True)


def sweep(stack: Stack) -> list[str]:
    """End every process that still carries this stack's mark; the names of those that had to be ended."""
    found = belonging(stack)
    names = [f"{process.pid} {process.name()}" for process in found]
    for process in found:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(found, timeout=5)
    _sessions(stack).unlink(missing_ok=True)
    return names


def belonging(stack: Stack) -> list[psutil.Process]:
    """All processes of this stack, by their mark or by the session they are in; not this one and its ancestors."""
    mine = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    homes = {str(stack.home), str(stack.home / "localaws")}
    sessions = _own_sessions(stack)
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid in mine or process.status() == psutil.STATUS_ZOMBIE:
                continue
            # Airflow's workers write their title over their environment, and keep the session of their scheduler.
            if os.getsid(process.pid) in sessions or _marked(process, homes):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # ended meanwhile, or another user's
    return found


def _marked(process: psutil.Process, homes: set[str]) -> bool:
    environment = process.environ()
    return any(environment.get(mark) in homes for mark in MARKS)


def _own_sessions(stack: Stack) -> set[int]:
    """The sessions that :func:`start` made: a number that another process leads by now is not among them."""
    sessions = set()
    lines = _sessions(stack).read_text().splitlines() if _sessions(stack).exists() else []
    for known in map(json.loads, lines):
        try:
            same = abs(psutil.Process(known["pid"]).create_time() - known["born"]) <= 1
        except psutil.NoSuchProcess:
            # The kernel gives no pid anew while it is the session of a process; a restart of the machine ends them all.
            same = abs(psutil.boot_time() - known["boot"]) <= 1
        if same:
            sessions.add(int(known["pid"]))
    return sessions


def require_free(ports: dict[str, int]) -> None:
    """
    Check that nothing listens on these ports, before anything is started.

    :param ports: what the port is for -> its number.
    :raises StackError: one is taken; names each one and how to move it.
    """
    busy = [f"port {port} ({purpose})" for purpose, port in ports.items() if _listening(port)]
    if busy:
        raise StackError(
            f"{' and '.join(busy)} in use by another program. Stop it, or choose others: "
            "make demo LOCALAWS_PORT=4567 AIRFLOW_PORT=8081"
        )


def wait_until(ready: Callable[[], bool], *, what: str, seconds: float, alive: Callable[[], bool], log: Path) -> None:
    """
    Wait for ``ready()``.

    :raises StackError: ``alive()`` turned false or the time ran out; with the end of ``log``.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if not alive() or time.monotonic() > deadline:
            reason = "ended" if not alive() else f"did not answer within {seconds:.0f} s"
            raise StackError(f"{what} {reason}. The end of {log}:\n{tail(log)}")
        time.sleep(0.2)


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a file, or a word that it is not there."""
    if not path.exists():
        return f"({path} was not written)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def _sessions(stack: Stack) -> Path:
    return stack.home / "run" / "sessions.jsonl"


def _record(stack: Stack, name: str) -> Path:
    return stack.home / "run" / f"{name}.json"


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
