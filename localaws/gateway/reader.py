"""Bytes as a client sends them, under a deadline, and buffered so that lines can be told apart."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

#: what a connection keeps in memory between two reads.
_BUFFER = 16 * 1024


class Truncated(ConnectionError):
    """The bytes end in the middle of something."""


class TooLong(Exception):
    """A line is longer than its limit."""


class TooSlow(Exception):
    """The client did not keep up with its deadline."""


class PacedSocket:
    """
    Reads a socket under a deadline that each received byte may extend.

    One formula holds for heads and bodies: ``seconds``, and one more for every ``rate`` bytes that arrived.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._deadline = 0.0
        self._rate = 0.0

    def allow(self, seconds: float, rate: float = 0.0) -> None:
        """
        Start a new deadline.

        :param rate: bytes that buy another second; 0 where none do.
        """
        self._deadline = time.monotonic() + seconds
        self._rate = rate

    def readinto(self, view: memoryview) -> int:
        """
        Receive at least one byte; 0 where the client has closed.

        :raises TooSlow: the deadline is over.
        :raises Truncated: the connection broke.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TooSlow
        self._socket.settimeout(left)
        try:
            count = self._socket.recv_into(view)
        except TimeoutError as error:
            raise TooSlow from error
        except OSError as error:
            raise Truncated(f"the connection broke: {error}") from error
        if self._rate:
            self._deadline += count / self._rate
        return count


class Reader:
    """
    A small buffer over ``fill``, which puts bytes into a view and returns how many, 0 at the end.

    Large reads go past the buffer.
    """

    def __init__(self, fill: Callable[[memoryview], int]) -> None:
        self._fill = fill
        self._view = memoryview(bytearray(_BUFFER))
        self._start = 0
        self._end = 0

    def readinto(self, view: memoryview) -> int:
        """Read at least one byte into ``view``; 0 at the end."""
        if self._start == self._end:
            if len(view) >= _BUFFER:
                return self._fill(view)
            if not self._more():
                return 0
        count = min(len(view), self._end - self._start)
        view[:count] = self._view[self._start : self._start + count]
        self._start += count
        return count

    def peek(self) -> bool:
        """Wait for a byte, leave it in the buffer, and return True if there is one."""
        return self._start < self._end or self._more()

    def line(self, limit: int) -> bytes:
        """
        Read a line, and return it with its line feed.

        :raises TooLong: it has more than ``limit`` bytes.
        :raises Truncated: the end came first.
        """
        found = bytearray()
        while self.peek():
            stop = min(self._end, self._start + limit + 1 - len(found))
            piece = bytes(self._view[self._start : stop])
            at = piece.find(b"\n") + 1
            found += piece[:at] if at else piece
            self._start += at or len(piece)
            if len(found) > limit:
                raise TooLong
            if at:
                return bytes(found)
        raise Truncated("the bytes end within a line")

    def _more(self) -> bool:
        self._start, self._end = 0, 0
        self._end = self._fill(self._view)
        return self._end > 0
