"""
A job's folder, which is the truth about it.

``job.json`` says what to do and is written before the supervisor starts; ``status.json`` says how far it is and is
replaced as a whole; ``lock`` is held by the supervisor as long as it lives; ``stop`` asks it to end, ``interrupt`` to
take away its spot instances; ``logs/<host>.log`` and ``ml/<host>/`` belong to the hosts.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

from localaws.core.store import dumps, loads


class JobFolder:
    """The files of one job."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.supervisor_log = path / "supervisor.log"
        #: system metrics, as they go to S3, and what UpdateTrainingJob has changed of their settings.
        self.profile = path / "profile"
        self.profiler_settings = path / "profiler.json"
        self._lock = path / "lock"

    @classmethod
    def of(cls, home: Path, kind: str, name: str) -> JobFolder:
        """Return the folder of a job; ``home`` is ``ctx.home``. By AWS's pattern, no job name leads out of it."""
        return cls(home / "jobs" / kind / name)

    def log(self, host: str) -> Path:
        """Return the file with the output of a host's processes."""
        return self.path / "logs" / f"{host}.log"

    def ml(self, host: str) -> Path:
        """Return the folder that a host sees as ``/opt/ml``."""
        return self.path / "ml" / host

    def tmp(self, host: str) -> Path:
        """Return the folder that a host sees as ``/tmp``."""
        return self.path / "tmp" / host

    @property
    def credentials(self) -> Path:
        """The key of the job's processes."""
        return self.path / "credentials"

    def write_job(self, job: dict[str, Any]) -> None:
        """Write down what to do."""
        self.path.mkdir(parents=True, exist_ok=True)
        _replace(self.path / "job.json", job)

    def job(self) -> dict[str, Any]:
        """Return the job's description."""
        return _read(self.path / "job.json") or {}

    def write_status(self, status: dict[str, Any]) -> None:
        """Replace the status; a reader sees the old or the new, never a part."""
        _replace(self.path / "status.json", status)

    def status(self) -> dict[str, Any] | None:
        """Return the status, or ``None`` before the supervisor has written one."""
        return _read(self.path / "status.json")

    def ask_to_stop(self) -> None:
        """Ask the supervisor to end the job, now or when it comes to look."""
        (self.path / "stop").touch()

    def asked_to_stop(self) -> bool:
        """Return True if somebody asked."""
        return (self.path / "stop").exists()

    def asked_to_interrupt(self) -> bool:
        """Whether somebody asked for an interruption since the last one."""
        asked = self.path / "interrupt"
        if not asked.exists():
            return False
        asked.unlink()
        return True

    def lock(self) -> int | None:
        """Take the lock: a descriptor that holds it while any process has it open; ``None`` if it is taken."""
        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def first_lock(self) -> int:
        """
        Take the lock of a job without a supervisor; the descriptor holds it while any process has it open.

        The file appears with the lock taken, so a concurrent :meth:`supervised` never holds it first.
        """
        partial = self._lock.with_name("lock.part")
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            partial.replace(self._lock)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def supervised(self) -> bool:
        """Return True if the supervisor holds its lock, which the kernel releases when it ends."""
        try:
            descriptor = os.open(self._lock, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            # Shared: two that look at once must not take each other for a supervisor.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


def _replace(path: Path, body: dict[str, Any]) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_text(dumps(body), encoding="utf-8")
    partial.replace(path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        body: dict[str, Any] = loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return body
