"""A request and an answer as the front passes them on: plain values, no framework."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import unquote_plus


class Headers:
    """Header fields as they were sent, in order, looked up without regard to case."""

    def __init__(self, items: list[tuple[str, str]]) -> None:
        self.items = items
        self._first: dict[str, str] = {}
        for name, value in items:
            self._first.setdefault(name.lower(), value)

    def get(self, name: str, default: str = "") -> str:
        """The first field of that (lower-case) name."""
        return self._first.get(name, default)

    def all(self, name: str) -> list[str]:
        """Every field of that (lower-case) name, as sent."""
        return [value for key, value in self.items if key.lower() == name]

    def __contains__(self, name: str) -> bool:
        return name in self._first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items)


@dataclass
class HttpRequest:
    """
    One HTTP request, read whole.

    :param path: the path as it stood on the request line, still percent-encoded.
    :param query_string: what followed the ``?``, still percent-encoded.
    :param environ: the WSGI environment, for handing the request on to moto.
    """

    method: str
    path: str
    query_string: str
    headers: Headers
    body: bytes
    environ: dict[str, Any] = field(default_factory=dict, repr=False)
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def query(self) -> list[tuple[str, str]]:
        """The decoded query, in order; a name without ``=`` has the value ``""``."""
        pairs = (part.partition("=") for part in self.query_string.split("&") if part)
        return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]


class FileBody:
    """
    A stretch of an open file as the body of an answer: a large object goes from disk to socket, never through memory.

    A slice of it is another stretch of the same file; iterating gives it itself, as the one part that it consists of.
    """

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self.file = file
        self.start = start
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> FileBody:
        start, stop, _ = part.indices(self._size)
        return FileBody(self.file, self.start + start, max(0, stop - start))

    def __iter__(self) -> Iterator[FileBody]:
        yield self


@dataclass
class HttpResponse:
    """One answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | FileBody = b""
