"""Background processes that outlive the command that started them: start, look, stop, leave nothing behind."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil

from stack.layout import ROOT, Stack, StackError

#: environment variables by which a process that belongs to a stack is told, however it was orphaned.
MARKS = ("STACK_MARK", "LOCALAWS_HOME")


#: for so long the last threads of a process that was killed may hold its port, in seconds.
_RELEASE_S = 1.5
#: a child waits here until it is recorded. If its starter is killed before that, it ends and was never started.
_HELD = 'read -r recorded && exec "$@" < /dev/null'


@contextlib.contextmanager
def exclusive(stack: Stack, say: Callable[[str], None] = print) -> Iterator[None]:
    """Hold the stack's lock: one command at a time starts and stops its processes. It ends with its holder."""
    with private():
        stack.home.mkdir(parents=True, exist_ok=True)
        # Passwords, data and logs are in there. What an earlier version made is readable no longer, either.
        stack.home.chmod(0o700)
        with open(stack.home / "stack.lock", "a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Waiting for another command that starts or stops this stack")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextlib.contextmanager
def private() -> Iterator[None]:
    """Create files and folders for this user alone, and start processes that do."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@private()
def start(stack: Stack, name: str, argv: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start ``name`` in a session of its own; its output goes to ``logs/<name>.log``, its pid to ``run/``."""
    stack.logs.mkdir(parents=True, exist_ok=True)
    with open(stack.logs / f"{name}.log", "ab") as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _HELD, name, *argv],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A shell has what it starts in the background ignore SIGINT, by which the parts are stopped.
            preexec_fn=_heed_interrupts,
        )
    assert process.stdin is not None
    with process.stdin as hold:
        _write_record(stack, name, process.pid)
        with contextlib.suppress(BrokenPipeError):  # it was killed already, and is recorded
            hold.write(b"recorded\n")
            hold.flush()
    return process


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _write_record(stack: Stack, name: str, pid: int) -> None:
    # The time of birth, too: a pid alone may by then be somebody else's.
    born = {"pid": pid, "born": psutil.Process(pid).create_time()}
    record = _record(stack, name)
    record.parent.mkdir(parents=True, exist_ok=True)
    with open(_sessions(stack), "a") as known:
        known.write(json.dumps({**born, "boot": psutil.boot_time()}) + "\n")
    written = record.with_suffix(".new")
    # By the clock that heartbeats are told in: a time of birth counts from the machine's start, rounded to a second.
    written.write_text(json.dumps({**born, "started": time.time()}))
    written.replace(record)


def find(stack: Stack, name: str) -> psutil.Process | None:
    """Return the process started as ``name``, if it still runs."""
    record = _read_record(stack, name)
    if record is None:
        return None
    try:
        process = psutil.Process(int(record["pid"]))
        return process if abs(process.create_time() - record["born"]) <= 1 and runs(process) else None
    except psutil.NoSuchProcess:
        return None


def started_at(stack: Stack, name: str) -> float:
    """When ``name`` was last started, as Unix time; 0 if it never was."""
    record = _read_record(stack, name) or {}
    return record.get("started", 0.0)


def end_leftovers(stack: Stack, name: str) -> list[int]:
    """
    End what a dead ``name`` has left of its own process group; the pids of it.

    Whoever works on after its starter's death has a group of its own: jobs, and the workers of a scheduler.
    """
    record = _read_record(stack, name)
    if record is None or find(stack, name) is not None:
        return []
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            # The kernel does not reuse a pid that is the id of a group. A younger group of that number has a leader.
            if process.pid == record["pid"]:
                if process.status() != psutil.STATUS_ZOMBIE:
                    return []
            elif os.getpgid(process.pid) == record["pid"] and process.create_time() >= record["born"] - 1:
                found.append(process)
    _kill(found)
    return [process.pid for process in found]


def stop(stack: Stack, names: Iterable[str], *, grace: float = 15, by: signal.Signals = signal.SIGTERM) -> None:
    """Ask the named processes to end, all at once, and insist with SIGKILL after ``grace`` seconds."""
    names = list(names)
    processes = [process for name in names if (process := find(stack, name))]
    family = [child for process in processes for child in process.children(recursive=True)]
    for process in processes:
        _signal(process, by)
        # A stopped process would never hear of it.
        _signal(process, signal.SIGCONT)
    _kill(_still_running([*_still_running(processes, grace), *family], 1))
    for name in names:
        _record(stack, name).unlink(missing_ok=True)


def kill(stack: Stack, name: str) -> None:
    """End ``name`` at once, and what is left of its process group."""
    if process := find(stack, name):
        _kill([process])
    end_leftovers(stack, name)


def sweep(stack: Stack) -> list[str]:
    """End every process that still carries this stack's mark; the names of those that had to be ended."""
    names: list[str] = []
    # Again and again: one that was about to start another may have done so while it was looked for.
    while found := belonging(stack):
        names += [f"{process.pid} {process.name()}" for process in found]
        _kill(found)
    _sessions(stack).unlink(missing_ok=True)
    return names


def belonging(stack: Stack) -> list[psutil.Process]:
    """Return all processes of this stack, by mark or session, without this one and its ancestors."""
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
    """Return the sessions that :func:`start` made, without numbers that another process leads by now."""
    sessions = set()
    lines = _sessions(stack).read_text().splitlines() if _sessions(stack).exists() else []
    for known in map(json.loads, lines):
        try:
            same = abs(psutil.Process(known["pid"]).create_time() - known["born"]) <= 1
        except psutil.NoSuchProcess:
            # The kernel does not reuse a pid that is the session of a process; a restart of the machine ends them all.
            same = abs(psutil.boot_time() - known["boot"]) <= 1
        if same:
            sessions.add(int(known["pid"]))
    return sessions


def free_ports(number: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody has, each another."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def require_free(ports: dict[str, tuple[str, int]]) -> None:
    """
    Check that nothing listens on these ports, before anything is started.

    :param ports: what the port is for -> the variable that moves it, and its number.
    :raises StackError: one is taken; names each one and how to move it.
    """
    deadline = time.monotonic() + _RELEASE_S
    while (
        busy := {purpose: port for purpose, port in ports.items() if _listening(port[1])}
    ) and time.monotonic() < deadline:
        time.sleep(0.05)
    if busy:
        taken = " and ".join(f"port {port} ({purpose})" for purpose, (_, port) in busy.items())
        others = " ".join(f"{variable}={port + 1}" for variable, port in busy.values())
        raise StackError(f"{taken} in use by another program. Stop it, or choose others: make up {others}")


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
    """Return the last lines of a file, or say that it is not there."""
    if not path.exists():
        return f"({path} was not written)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def _sessions(stack: Stack) -> Path:
    return stack.home / "run" / "sessions.jsonl"


def _record(stack: Stack, name: str) -> Path:
    return stack.home / "run" / f"{name}.json"


def _read_record(stack: Stack, name: str) -> dict[str, float] | None:
    try:
        record: dict[str, float] = json.loads(_record(stack, name).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return record


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


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        _signal(process, signal.SIGKILL)
    _still_running(processes, 5)


def _still_running(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """
    Wait for the end of processes, for ``seconds`` at most; those that have not ended.

    A zombie has: psutil's own ``wait_procs`` waits until its parent takes note of it, which may be an init that is in
    no hurry.
    """
    deadline = time.monotonic() + seconds
    while (running := [process for process in processes if runs(process)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return running


def runs(process: psutil.Process) -> bool:
    """Return True if a process runs; a zombie does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
