"""A request and an answer as the front passes them on: plain values, no framework."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_plus


class Headers:
    """Header fields as they were sent, in order, looked up without regard to case."""

    def __init__(self, items: list[tuple[str, str]]) -> None:
        self.items = items
        self._first: dict[str, str] = {}
        for name, value in items:
            self._first.setdefault(name.lower(), value)

    def get(self, name: str, default: str = "") -> str:
        """Return the first field of that (lower-case) name."""
        return self._first.get(name, default)

    def all(self, name: str) -> list[str]:
        """Return every field of that (lower-case) name, as sent."""
        return [value for key, value in self.items if key.lower() == name]

    def without(self, *names: str) -> Headers:
        """Return all but the fields of these (lower-case) names."""
        return Headers([(name, value) for name, value in self.items if name.lower() not in names])

    def __contains__(self, name: str) -> bool:
        return name in self._first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items)


@dataclass(frozen=True)
class Upload:
    """
    The body of an object upload, already on disk and checked against its signature.

    :param path: a file in the spool directory, on the same filesystem as the objects. Whoever renames it owns it;
        what is still there after the answer is removed.
    :param size: bytes of the plain body, chunk framing removed.
    :param md5: the digest of the plain body.
    """

    path: Path
    size: int
    md5: bytes


@dataclass
class HttpRequest:
    """
    One HTTP request.

    :param path: the path as it stood on the request line, still percent-encoded.
    :param query_string: what followed the ``?``, still percent-encoded.
    :param upload: the body of a PutObject or UploadPart over 64 KiB, on disk; ``body`` is empty then.
    """

    method: str
    path: str
    query_string: str
    headers: Headers
    body: bytes
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    upload: Upload | None = None

    @property
    def query(self) -> list[tuple[str, str]]:
        """The decoded query, in order; a name without ``=`` has the value ``""``."""
        pairs = (part.partition("=") for part in self.query_string.split("&") if part)
        return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]


class Segment(NamedTuple):
    """A stretch of a file."""

    path: Path
    start: int
    size: int


class FileBody:
    """
    Stretches of files as the body of an answer: a large object goes from disk to socket, never through memory.

    A slice of it is another such body; iterating gives it itself, as the one part that it consists of.

    :param hold: an object that keeps the files from being removed for as long as it exists.
    """

    def __init__(self, segments: list[Segment], hold: object = None) -> None:
        self.segments = segments
        self._hold = hold

    def __len__(self) -> int:
        return sum(segment.size for segment in self.segments)

    def __getitem__(self, part: slice) -> FileBody:
        start, stop, _ = part.indices(len(self))
        found, at = [], 0
        for path, offset, size in self.segments:
            first, last = max(start, at), min(stop, at + size)
            if first < last:
                found.append(Segment(path, offset + first - at, last - first))
            at += size
        return FileBody(found, self._hold)

    def __iter__(self) -> Iterator[FileBody]:
        yield self


@dataclass
class HttpResponse:
    """One answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | FileBody = b""
