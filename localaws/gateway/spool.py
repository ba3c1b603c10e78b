"""Bodies on their way in: the first bytes in memory, the rest in a file of the spool directory."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path

from localaws.core.errors import AwsError

#: bytes of a body that are kept in memory while it is not known whether they are wanted.
IN_MEMORY = 64 * 1024


class SlowDown(AwsError):
    """The bodies that wait for their signatures are too many together."""

    code = "SlowDown"
    status = 503


class Spool:
    """
    The spool directory: private, and empty at start.

    :param most_unproven: bytes on disk of all bodies together whose signatures are not checked yet.
    """

    def __init__(self, folder: Path, most_unproven: int = 1024**3) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        self._left = most_unproven
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        """
        Count bytes of unproven bodies.

        :raises SlowDown: they would be too many.
        """
        with self._lock:
            if size > self._left:
                raise SlowDown("Please reduce your request rate.")
            self._left -= size

    def give_back(self, size: int) -> None:
        """Count them no more."""
        with self._lock:
            self._left += size


class Sink:
    """
    What one body is written to.

    :param in_memory: bytes that stay in memory; what exceeds them, and they with it, goes to a file.
    :param unproven: whether its bytes count against the spool's limit.
    """

    def __init__(self, spool: Spool, *, in_memory: int = IN_MEMORY, unproven: bool = False) -> None:
        self.size = 0
        #: the file, once there is one.
        self.path: Path | None = None
        self._spool = spool
        self._in_memory = in_memory
        self._unproven = unproven
        self._taken = 0
        self._bytes = bytearray()
        self._file: int | None = None

    def write(self, piece: memoryview) -> None:
        """
        Append.

        :raises SlowDown: too many unproven bytes.
        """
        self.size += len(piece)
        if self._file is None:
            if self.size <= self._in_memory:
                self._bytes += piece
                return
            self._file, name = tempfile.mkstemp(dir=self._spool.folder)
            self.path = Path(name)
            self._append(memoryview(self._bytes))
            self._bytes = bytearray()
        self._append(piece)

    def content(self) -> bytes:
        """Return all that was written."""
        return bytes(self._bytes) if self.path is None else self.path.read_bytes()

    def close(self) -> None:
        """No more is written."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._spool.give_back(self._taken)
        self._taken = 0

    def discard(self) -> None:
        """Close it, and remove its file."""
        self.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _append(self, piece: memoryview) -> None:
        if self._unproven:
            self._spool.take(len(piece))
            self._taken += len(piece)
        assert self._file is not None
        while piece:
            piece = piece[os.write(self._file, piece) :]
