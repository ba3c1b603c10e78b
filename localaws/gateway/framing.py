"""Where a request's body ends: after the bytes that its length says, or with the last of its chunks."""

from __future__ import annotations

import re
from typing import Protocol

from localaws.gateway.head import BadRequest
from localaws.gateway.reader import Reader, TooLong, Truncated

#: a chunk's size and its extensions.
_MAX_CHUNK_LINE = 1024
#: extensions, which mean nothing here, of all chunks together.
_MAX_EXTENSIONS = 16 * 1024
_MAX_TRAILER = 8 * 1024
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})((?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?)\r\n")
_TRAILER_LINE = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")


class Body(Protocol):
    """A request's body on its way in."""

    #: bytes that are known to come; ``None`` where only the end tells.
    length: int | None

    @property
    def complete(self) -> bool:
        """Return True if the body was read to its end, where the next request starts."""

    def readinto(self, view: memoryview) -> int:
        """
        Read at least one byte into ``view``; 0 at the end.

        :raises Truncated: the client left before the end.
        :raises BadRequest: it is not framed as HTTP wants it.
        """


def body_of(reader: Reader, length: int | None) -> Body:
    """Return the body that begins where ``reader`` is."""
    return ChunkedBody(reader) if length is None else SizedBody(reader, length)


class SizedBody:
    """A body of a length that its head told."""

    def __init__(self, reader: Reader, length: int) -> None:
        self.length: int | None = length
        self._reader = reader
        self._left = length

    @property
    def complete(self) -> bool:
        """Return True if all of it was read."""
        return self._left == 0

    def readinto(self, view: memoryview) -> int:
        """Read on, as :meth:`Body.readinto` says."""
        if not self._left:
            return 0
        count = self._reader.readinto(view[: self._left])
        if not count:
            raise Truncated("the client left before its body was complete")
        self._left -= count
        return count


class ChunkedBody:
    """A body in the chunks of ``Transfer-Encoding: chunked``. Extensions and trailers are checked and dropped."""

    def __init__(self, reader: Reader) -> None:
        self.length: int | None = None
        self.complete = False
        self._reader = reader
        self._left = 0
        self._first = True
        self._extensions = 0

    def readinto(self, view: memoryview) -> int:
        """Read on, as :meth:`Body.readinto` says."""
        if self.complete:
            return 0
        if not self._left:
            self._left = self._next_size()
            if not self._left:
                self._skip_trailer()
                self.complete = True
                return 0
        count = self._reader.readinto(view[: self._left])
        if not count:
            raise Truncated("the client left within a chunk")
        self._left -= count
        return count

    def _next_size(self) -> int:
        if not self._first and self._line(2) != b"\r\n":
            raise BadRequest("A chunk is longer than its size says.")
        self._first = False
        found = _CHUNK_LINE.fullmatch(self._line(_MAX_CHUNK_LINE))
        if found is None:
            raise BadRequest("A chunk's size is not a hexadecimal number on a line of its own.")
        self._extensions += len(found[2])
        if self._extensions > _MAX_EXTENSIONS:
            raise BadRequest("The chunks' extensions are too long.")
        return int(found[1], 16)

    def _skip_trailer(self) -> None:
        left = _MAX_TRAILER
        while (line := self._line(left)) != b"\r\n":
            left -= len(line)
            if not _TRAILER_LINE.fullmatch(line):
                raise BadRequest("A trailer's line is malformed.")

    def _line(self, limit: int) -> bytes:
        try:
            return self._reader.line(limit)
        except TooLong as error:
            raise BadRequest("A line between the chunks is too long.") from error
