"""One server a home: who runs, how it is stopped, and how its state is thrown away."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from localaws.core import beneath

#: how long a stop may take before the process is killed.
STOP_SECONDS = 40.0


class LifecycleError(Exception):
    """What was asked for cannot be done; the text says why."""


@dataclass(frozen=True)
class Home:
    """The folder of ``--home``: credentials at its top, all else under ``localaws/``."""

    path: Path

    @property
    def state(self) -> Path:
        """Everything but the credentials."""
        return self.path / "localaws"

    @property
    def lock(self) -> Path:
        """Locked by the server that runs here; holds its pid."""
        return self.path / "localaws.lock"

    @property
    def facts(self) -> Path:
        """``{"port", "pid", "url"}``, there while the server answers."""
        return self.state / "server.json"

    @property
    def console(self) -> Path:
        """``{"port", "pid", "url"}`` of the console, there while it answers."""
        return self.state / "console.json"

    @property
    def console_token(self) -> Path:
        """What opens the console; only the owner of this folder may read it."""
        return self.state / "console.token"

    @property
    def stacks(self) -> Path:
        """Where a server that is sent SIGUSR1 writes what its threads are at."""
        return self.state / "stacks.log"


def acquire(home: Home) -> IO[str]:
    """
    Be the server of this home for as long as the returned file stays open.

    The lock is the kernel's, so it ends with the process however that ends; and it is not inherited by children, so a
    job that outlives its server does not hold it.

    :raises LifecycleError: another one is.
    """
    home.path.mkdir(parents=True, exist_ok=True)
    file = open(home.lock, "a+")  # noqa: SIM115 - stays open on purpose
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        pid = _written_pid(home)
        file.close()
        raise LifecycleError(
            f"localaws already runs for {home.path} (pid {pid}); `python -m localaws stop` ends it"
        ) from error
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def running(home: Home) -> int | None:
    """Return the pid of the server of this home, or ``None``. A number left by a dead one does not count."""
    if not home.lock.exists():
        return None
    with open(home.lock, "a+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return _written_pid(home)
        return None


def status(home: Home) -> dict[str, Any] | None:
    """Return what ``server.json`` says, if the server runs; ``{"pid": ...}`` alone while it does not answer yet."""
    pid = running(home)
    if pid is None:
        return None
    try:
        facts: dict[str, Any] = json.loads(home.facts.read_text())
    except FileNotFoundError:
        return {"pid": pid}
    return facts if facts.get("pid") == pid else {"pid": pid}


def console_url(home: Home) -> str | None:
    """Return the address that opens the console, with its token; ``None`` where it does not answer."""
    try:
        url = json.loads(home.console.read_text())["url"]
        return f"{url}/?token={home.console_token.read_text()}"
    except FileNotFoundError:
        return None


def stop(home: Home, seconds: float = STOP_SECONDS) -> int | None:
    """
    End the server of this home: SIGTERM, and SIGKILL where that does not end it in time.

    :returns: its pid, or ``None`` if there was none.
    """
    pid = running(home)
    if pid is None:
        return None
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if running(home) != pid:
            return pid
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    while running(home) == pid:
        time.sleep(0.05)
    return pid


def require_stopped(home: Home) -> None:
    """
    Go on only where no server runs.

    :raises LifecycleError: one does.
    """
    pid = running(home)
    if pid is not None:
        raise LifecycleError(f"localaws runs for {home.path} (pid {pid}): stop it first")


def reset(home: Home) -> bool:
    """
    Throw the state away; the credentials stay.

    :returns: whether there was any.
    :raises LifecycleError: the server runs, or the folder is not localaws's.
    """
    require_stopped(home)
    if home.state.is_symlink():
        raise LifecycleError(f"{home.state} is a link, not a folder of localaws: remove it by hand")
    if not home.state.exists():
        return False
    if any(home.state.iterdir()) and not (home.state / "state.db").exists():
        raise LifecycleError(f"{home.state} holds no state of localaws: remove it by hand")
    beneath.remove(home.state)
    return True


def _written_pid(home: Home) -> int:
    # The pid follows the lock at once; a reader can only be faster by a moment.
    for _ in range(100):
        text = home.lock.read_text().strip()
        if text:
            return int(text)
        time.sleep(0.01)
    raise LifecycleError(f"{home.lock} is locked and names no process")
