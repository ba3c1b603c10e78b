"""What a job prints: into a file of bounded size, into CloudWatch Logs, and through the metric regexes."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localaws.sagemaker.jobs.metrics import Metrics
    from localaws.sagemaker.jobs.shipping import Shipper

#: bytes a log file may have; when it is full it moves to ``<name>.1``, in place of the one before.
FILE_LIMIT = 32 << 20
#: bytes after which a line without an end is broken.
LINE_LIMIT = 64 << 10


class BoundedFile:
    """A file that takes any amount of output and keeps the last of it: at most twice its limit, in two files."""

    def __init__(self, path: Path, limit: int = FILE_LIMIT) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._limit = limit
        self._dropped = 0
        self._file = self._open()
        self._size = self._file.tell()

    def write(self, chunk: bytes) -> None:
        """Append; a full disk is the job's loss of its log, not of its work."""
        if self._size + len(chunk) > self._limit and self._size:
            self._turn_over()
        try:
            self._file.write(chunk)
        except OSError as error:
            print(f"{self._path}: {error}", file=sys.stderr)
        self._size += len(chunk)

    def _open(self) -> FileIO:
        return open(self._path, "ab", buffering=0)

    def _turn_over(self) -> None:
        old = self._path.with_name(self._path.name + ".1")
        if old.exists():
            self._dropped += old.stat().st_size
        self._file.close()
        self._path.replace(old)
        self._file = self._open()
        self._size = 0
        self.write(
            f"[localaws] the log before this is in {old.name}; of what came earlier, {self._dropped} bytes "
            "are dropped\n".encode()
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class HostLog:
    """
    The output of one host, read from a pipe until its end by a thread of its own.

    :param path: the log file.
    :param stream: the CloudWatch log stream.
    """

    def __init__(self, path: Path, stream: str, shipper: Shipper, metrics: Metrics) -> None:
        self._file = BoundedFile(path)
        self._stream = stream
        self._shipper = shipper
        self._metrics = metrics
        self._partial = b""
        self._last: deque[str] = deque(maxlen=200)
        self._thread: threading.Thread | None = None

    def say(self, text: str) -> None:
        """Add a line of our own; not while a process is writing."""
        self._take(f"{text}\n".encode())

    def follow(self, descriptor: int) -> None:
        """Start reading; the descriptor is closed at its end."""
        self._thread = threading.Thread(target=self._read, args=(descriptor,), daemon=True)
        self._thread.start()

    def finish(self, timeout: float) -> None:
        """Wait until all has been read."""
        if self._thread:
            self._thread.join(timeout)
        if self._partial:
            self._line(self._partial)
            self._partial = b""

    def last_lines(self) -> Sequence[str]:
        """Return the last 200 lines."""
        return list(self._last)

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, "rb", buffering=0) as pipe:
            while chunk := pipe.read(LINE_LIMIT):
                self._take(chunk)

    def _take(self, chunk: bytes) -> None:
        self._file.write(chunk)
        # A progress bar rewrites its line with \r: each state of it is a line in the stream.
        *lines, self._partial = (self._partial + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            self._line(line)
        if len(self._partial) > LINE_LIMIT:
            self._line(self._partial)
            self._partial = b""

    def _line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            moment = time.time()
            self._last.append(text)
            self._metrics.scan(text, moment)
            self._shipper.add(self._stream, text, moment)
