"""One instance of a variant: a model server that is kept healthy, by a thread of its own."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from localaws.images.serving import WORKER_HEADER
from localaws.sagemaker.endpoints.channel import Answer, Channel, Lost, TimedOut
from localaws.sagemaker.endpoints.process import Process
from localaws.sagemaker.jobs.sandbox import Launch

log = logging.getLogger(__name__)

#: seconds between two health checks; the model server ends itself after SILENCE without one.
PING_INTERVAL = 3.0
SILENCE = 20.0
#: seconds of failing health checks after which a process that still runs is replaced.
UNRESPONSIVE = 60.0
#: seconds that a process has to end by itself.
GRACE = 5.0
#: the pause before starting again: doubles up to the second number, and from the first once one has run this long.
BACKOFF = (0.2, 30.0)


def socket_path(folder: Path) -> Path:
    """
    Return where the instance of a folder listens: a short path, since the system allows about 100 characters.

    It has a folder of its own, which is made: that is all of it that the instance's sandbox shows.

    :raises PermissionError: the folder for sockets is somebody else's.
    """
    parent = Path(tempfile.gettempdir()) / f"localaws-{os.getuid()}"
    parent.mkdir(mode=0o700, exist_ok=True)
    status = parent.lstat()
    if status.st_uid != os.getuid() or parent.is_symlink():
        raise PermissionError(f"{parent} is not ours: remove it")
    parent.chmod(0o700)
    own = parent / hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:20]
    own.mkdir(mode=0o700, exist_ok=True)
    return own / "model.sock"


class Worker:
    """
    A model server, started and started again as need be until :meth:`end`.

    :param folder: the instance's folder; its name is the instance id.
    :param launch: makes the command; may raise, which counts as a failed start.
    :param url: the address of AWS that the process is given: with another one it is of no use to us.
    :param startup_timeout: seconds until it must be healthy.
    :param on_change: called when :attr:`healthy` changes.
    :param log: where its output is appended; its folder's own file unless given.
    """

    def __init__(
        self,
        folder: Path,
        launch: Callable[[Path], Launch],
        *,
        url: str,
        startup_timeout: float,
        on_change: Callable[[], None],
        log: Path | None = None,
    ) -> None:
        self.id = folder.name
        self.folder = folder
        self.log = log or folder / "log"
        #: requests under way; the deployment's lock guards it.
        self.outstanding = 0
        self.healthy = False
        #: why the first start failed; no other is tried then.
        self.failure: str | None = None
        #: set once the first start has succeeded or failed, or the worker was ended.
        self.settled = threading.Event()
        self._launch = launch
        self._url = url
        self._startup_timeout = startup_timeout
        self._on_change = on_change
        self._socket = socket_path(folder)
        self._channel = Channel(self._socket)
        self._process: Process | None = None
        self._proven = False
        self._ending = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"worker-{self.id}", daemon=True)

    def start(self, *, proven: bool = False) -> None:
        """
        Start, or adopt the process of a server before this one.

        :param proven: it has served before, so a start that fails is tried again.
        """
        self._proven = proven
        self.folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The process's id while one runs."""
        process = self._process
        return process.pid if process is not None and process.running() else None

    def invoke(self, body: bytes, headers: Mapping[str, str], *, timeout: float) -> Answer:
        """
        Let the model answer.

        :raises Lost: the process died; it is being started again.
        :raises TimedOut: no answer within ``timeout`` seconds.
        """
        channel = self._channel
        try:
            return channel.request("POST", "/invocations", body, headers, timeout=timeout)
        except Lost:
            # Nobody else is sent here until the keeper has looked.
            self._set_healthy(False)
            self._wake.set()
            raise

    def end(self) -> None:
        """End the process; returns when it is gone."""
        self._ending.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()
        shutil.rmtree(self._socket.parent, ignore_errors=True)

    def last_lines(self, count: int = 6, characters: int = 700) -> str:
        """Return the last lines of its log, joined by " | ", without the marks under a traceback's lines."""
        if not self.log.exists():
            return ""
        with open(self.log, "rb") as file:
            file.seek(max(0, self.log.stat().st_size - 8192))
            lines = file.read().decode("utf-8", "replace").splitlines()
        return " | ".join([line.strip() for line in lines if line.strip(" ~^")][-count:])[-characters:]

    def _keep(self) -> None:
        pause = BACKOFF[0]
        while not self._ending.is_set():
            started = time.monotonic()
            reason = self._one_life()
            self._set_healthy(False)
            self._channel.close()
            if self._ending.is_set():
                break
            if not self._proven:
                self.failure = reason
                break
            if time.monotonic() - started > BACKOFF[1]:
                pause = BACKOFF[0]
            self._note(f"The model server of {self.id} ended ({reason}) and is started again in {pause:g} s.")
            self._ending.wait(pause)
            pause = min(pause * 2, BACKOFF[1])
        self.settled.set()

    def _one_life(self) -> str:
        """Start or adopt a process and stay with it until it has ended; why it ended."""
        try:
            process = self._adopted() or self._started()
        except Exception as error:
            log.exception("cannot start the model server %s", self.id)
            return str(error)
        self._process = process
        self._channel = Channel(self._socket)
        try:
            reason = self._until_healthy(process) or self._while_healthy(process)
        finally:
            process.end(GRACE)
            self._socket.unlink(missing_ok=True)
        return reason

    def _adopted(self) -> Process | None:
        saved = Process.saved(self.folder / "process.json")
        if saved is None:
            return None
        process, more = saved
        if not process.running():
            return None
        if more == self._identity():
            log.info("adopted the model server %s, process %d", self.id, process.pid)
            return process
        process.end(GRACE)
        return None

    def _started(self) -> Process:
        launch = self._launch(self.folder)
        if launch.note:
            self._note(launch.note)
        process = Process.start(launch, self.log)
        process.save(self.folder / "process.json", **self._identity())
        return process

    def _identity(self) -> dict[str, str]:
        return {"socket": str(self._socket), "url": self._url}

    def _until_healthy(self, process: Process) -> str | None:
        """Wait for the first good health check; why there was none."""
        deadline = time.monotonic() + self._startup_timeout
        while not self._ending.wait(0.05):
            if not process.running():
                return process.how_it_ended()
            if self._ping():
                self._set_healthy(True)
                self._proven = True
                self.settled.set()
                return None
            if time.monotonic() > deadline:
                return f"not healthy within {self._startup_timeout:g} s"
        return "ended"

    def _while_healthy(self, process: Process) -> str:
        answered = time.monotonic()
        while not self._ending.is_set():
            self._wake.wait(PING_INTERVAL)
            self._wake.clear()
            if not process.running():
                return process.how_it_ended()
            if self._ping():
                answered = time.monotonic()
                self._set_healthy(True)
            elif time.monotonic() - answered > UNRESPONSIVE:
                return f"no good health check for {UNRESPONSIVE:g} s"
        return "ended"

    def _ping(self) -> bool:
        try:
            answer = self._channel.request("GET", "/ping", timeout=PING_INTERVAL)
        except (Lost, TimedOut):
            return False
        return answer.status == 200 and answer.headers.get(WORKER_HEADER.lower()) == self.id

    def _set_healthy(self, healthy: bool) -> None:
        if self.healthy != healthy:
            self.healthy = healthy
            self._on_change()

    def _note(self, line: str) -> None:
        with open(self.log, "a") as file:
            file.write(f"{line}\n")
