"""What one request has read of S3 and changed of it: private to its thread until it is committed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from localaws.gateway.protocol.http import Upload


@dataclass
class Unit:
    """
    One request's view of S3.

    :param operation: botocore's name of the operation.
    :param upload: the body, where it is on disk already.
    """

    operation: str = ""
    upload: Upload | None = None
    #: that body, once it is a file among the objects'.
    body: Any = None
    #: (bucket, key) -> the versions of the key.
    versions: dict[tuple[int, bytes], Any] = field(default_factory=dict)
    #: ARN -> its tags.
    tags: dict[str, Any] = field(default_factory=dict)
    #: (bucket, upload's id) -> the multipart upload.
    uploads: dict[tuple[int, str], Any] = field(default_factory=dict)
    #: (upload's id, part's number) -> the part, where the request added it.
    parts: dict[tuple[str, int], Any] = field(default_factory=dict)
    #: files that were made for it.
    made: set[str] = field(default_factory=set)
    #: whether something was added, replaced or removed.
    changed: bool = False


class _Thread(threading.local):
    unit: Unit | None = None


_thread = _Thread()


def current() -> Unit:
    """
    Return the unit of the request that this thread answers.

    :raises RuntimeError: S3's objects are touched outside of a request.
    """
    if _thread.unit is None:
        raise RuntimeError("S3's objects can only be reached while a request is answered")
    return _thread.unit


@contextmanager
def begun(operation: str, upload: Upload | None = None) -> Iterator[Unit]:
    """Answer a request in this thread."""
    before, _thread.unit = _thread.unit, Unit(operation, upload)
    try:
        yield _thread.unit
    finally:
        _thread.unit = before
