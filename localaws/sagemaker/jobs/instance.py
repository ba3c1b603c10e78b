"""One host of a job: a process, all that it starts, and its log."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable

from localaws.sagemaker.jobs import sandbox
from localaws.sagemaker.jobs.logs import HostLog

#: seconds that entering the sandbox may take.
_BEGIN_S = 10


class Instance:
    """
    A host's process, in a session of its own.

    :param on_exit: called, in another thread, when the process has ended.
    """

    def __init__(self, host: str, launch: sandbox.Launch, log: HostLog, on_exit: Callable[[], None]) -> None:
        self.host = host
        self.log = log
        self._launch = launch
        self._on_exit = on_exit
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = threading.Event()

    def start(self) -> None:
        """Start the process. Call it from the main thread: the process dies with the thread that started it."""
        if self._launch.note:
            self.log.say(f"[localaws] {self._launch.note}")
        reading, writing = os.pipe()
        begun, announce = os.pipe()
        try:
            self._process = subprocess.Popen(
                self._launch.argv,
                env=self._launch.environment,
                stdin=announce,
                stdout=writing,
                stderr=writing,
                start_new_session=True,
            )
        finally:
            os.close(writing)
            os.close(announce)
        self.log.follow(reading)
        threading.Thread(target=self._wait, args=(self._process, begun), daemon=True).start()

    @property
    def pid(self) -> int | None:
        """The process's id, which is its session's and group's as well."""
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """As a shell has it: 128 + the signal's number for a process killed by one; ``None`` while it runs."""
        code = self._process.returncode if self._process else None
        return code if code is None or code >= 0 else 128 - code

    def terminate(self) -> None:
        """SIGTERM for the process and its group, once it has begun: in the making it would take no notice."""
        self._begun.wait(_BEGIN_S)
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL for the process, its group and, where it has a process namespace, all that it started."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process and self._process.returncode is None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return

    def _wait(self, process: subprocess.Popen[bytes], begun: int) -> None:
        # A byte, or, if it never came so far, the end of the pipe.
        os.read(begun, 1)
        os.close(begun)
        self._begun.set()
        process.wait()
        self._on_exit()
