"""A model server's process, known by its number and the time it started: two servers must never fight over one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from localaws.sagemaker.jobs.sandbox import Launch


@dataclass(frozen=True)
class Process:
    """
    A process that leads a session of its own, started here or by a server before this one.

    :param pid: its number, which is also its process group's.
    :param started: when it started, in seconds of the epoch: numbers are used again, this pair is not.
    :param child: the handle where this server is its parent.
    """

    pid: int
    started: float
    child: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, launch: Launch, log: Path) -> Process:
        """
        Start a process whose output is appended to ``log``.

        :raises OSError: it cannot be started.
        """
        with open(log, "ab") as output:
            child = subprocess.Popen(
                launch.argv,
                env=launch.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(child.pid, psutil.Process(child.pid).create_time(), child)

    def save(self, path: Path, **more: str) -> None:
        """Write what a later server needs to know it again by."""
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps({"pid": self.pid, "started": self.started, **more}))
        partial.replace(path)

    @classmethod
    def saved(cls, path: Path) -> tuple[Process, dict[str, str]] | None:
        """Return what :meth:`save` wrote, or ``None``, whether the process still runs or not."""
        try:
            more = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return cls(more.pop("pid"), more.pop("started")), more

    def running(self) -> bool:
        """Return True if it runs."""
        if self.child is not None:
            return self.child.poll() is None
        try:
            process = psutil.Process(self.pid)
            return bool(process.create_time() == self.started and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def end(self, grace: float) -> None:
        """SIGTERM to its whole group, and SIGKILL to what is left of that after ``grace`` seconds."""
        if self.running():
            deadline = time.monotonic() + grace
            while self.running() and time.monotonic() < deadline:
                # Again and again: a sandbox that is only entering its namespace does not pass the first one on.
                self._signal(signal.SIGTERM)
                again = time.monotonic() + 0.5
                while self.running() and time.monotonic() < again:
                    time.sleep(0.02)
            self._signal(signal.SIGKILL)
        elif self.child is not None:
            # It ended by itself; what it started may still be there.
            self._signal(signal.SIGKILL)
        if self.child is not None:
            self.child.wait()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def how_it_ended(self) -> str:
        """``exit code 1``, ``killed by SIGKILL``, or, where another server was its parent, that it ended."""
        status = None if self.child is None else self.child.poll()
        if status is None:
            return "it ended"
        # A shell in between (the sandbox) turns a signal into 128 and its number.
        number = -status if status < 0 else status - 128 if status > 128 else None
        return f"exit code {status}" if number is None else f"killed by {signal.Signals(number).name}"
