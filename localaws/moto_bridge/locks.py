"""Locks that many may hold together, or one alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: locks are found by the hash of a name; two names may share one.
_STRIPES = 256


class SharedLock:
    """Many may hold it at once, or one alone; who waits to be alone goes first."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._sharing = 0
        self._alone = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold it together with others."""
        with self._condition:
            self._condition.wait_for(lambda: not self._alone)
            self._sharing += 1
        try:
            yield
        finally:
            with self._condition:
                self._sharing -= 1
                self._condition.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold it with nobody else."""
        with self._condition:
            self._condition.wait_for(lambda: not self._alone)
            self._alone = True
            self._condition.wait_for(lambda: self._sharing == 0)
        try:
            yield
        finally:
            with self._condition:
                self._alone = False
                self._condition.notify_all()


class ObjectLocks:
    """
    Keep requests that change the same object apart, and those that change a bucket apart from all others of it.

    A request holds its bucket's lock before its key's, so none waits for another in a circle.
    """

    def __init__(self) -> None:
        self._buckets = [SharedLock() for _ in range(_STRIPES)]
        self._keys = [SharedLock() for _ in range(_STRIPES)]

    @contextmanager
    def bucket(self, bucket: str) -> Iterator[None]:
        """Change a bucket, or many of its objects."""
        with self._buckets[hash(bucket) % _STRIPES].alone():
            yield

    @contextmanager
    def key(self, bucket: str, key: str) -> Iterator[None]:
        """Change one object."""
        with (
            self._buckets[hash(bucket) % _STRIPES].shared(),
            self._keys[hash((bucket, key)) % _STRIPES].alone(),
        ):
            yield

    @contextmanager
    def part(self, bucket: str, key: str) -> Iterator[None]:
        """Add to an upload of one object, as others do at the same time."""
        with (
            self._buckets[hash(bucket) % _STRIPES].shared(),
            self._keys[hash((bucket, key)) % _STRIPES].shared(),
        ):
            yield
