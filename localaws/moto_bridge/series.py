"""Lists of moto's that only grow, a log stream's events and CloudWatch's data: each piece is written down once."""

from __future__ import annotations

import logging
import pickle
import uuid
from collections.abc import Iterable
from typing import Any, SupportsIndex

from moto.cloudwatch.models import CloudWatchBackend
from moto.logs.models import LogStream

from localaws.moto_bridge.bodies import Body

log = logging.getLogger("localaws.moto")

#: items in a piece, a file of its own.
PIECE = 1000
#: items that are kept: of what is older, piece by piece, nothing is left, as if its retention were over.
MOST = 200_000


class Series(list[Any]):
    """
    A list that is only added to at its end, and pickled at the cost of what is new.

    Each full piece is a file beside the S3 bodies, written at the first pickling that meets it; the rest, fewer than
    :data:`PIECE` items, is in the pickle, as bytes that are made again only when items came. The oldest pieces go
    beyond :data:`MOST` items: the server would else grow for as long as it runs.
    """

    def __init__(self, items: Iterable[Any] = ()) -> None:
        super().__init__(items)
        self._name = uuid.uuid4().hex
        #: pieces that were dropped, and pieces on disk, those that were dropped among them.
        self._first = self._written = 0
        #: the length that ``_rest`` was made at.
        self._length = -1
        self._rest = b""

    def append(self, item: Any) -> None:
        """Add one."""
        super().append(item)
        self._drop()

    def extend(self, items: Iterable[Any]) -> None:
        """Add some."""
        super().extend(items)
        self._drop()

    def __iadd__(self, items: Iterable[Any]) -> Series:  # type: ignore[override,misc]
        self.extend(items)
        return self

    def _drop(self) -> None:
        pieces = max(0, len(self) - MOST + PIECE - 1) // PIECE
        if not pieces:
            return
        del self[: pieces * PIECE]
        for index in range(self._first, min(self._first + pieces, self._written)):
            Body.bodies.discard(self._file(index))
        self._first += pieces
        self._written = max(self._written, self._first)
        self._length = -1
        log.warning("the oldest %d of %d items of a log stream or of CloudWatch's are dropped", pieces * PIECE, MOST)

    def _file(self, index: int) -> str:
        return f"{self._name}-{index}"

    def _write(self) -> int:
        """Write the full pieces that are not on disk; the number of all, the dropped ones among them."""
        full = self._first + len(self) // PIECE
        for index in range(self._written, full):
            start = (index - self._first) * PIECE
            data = pickle.dumps(list(self[start : start + PIECE]), pickle.HIGHEST_PROTOCOL)
            (Body.bodies.folder / self._file(index)).write_bytes(data)
        self._written = full
        return full

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        full = self._write()
        if self._length != len(self):
            # Above the pickle's own protocol: what is pickled here does not know what the pickle around it holds.
            rest = list(self[(full - self._first) * PIECE :])
            self._length, self._rest = len(self), pickle.dumps(rest, pickle.HIGHEST_PROTOCOL)
        return _restore, (self._name, self._first, full, self._rest)

    def __copy__(self) -> list[Any]:
        return list(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        return list(self)

    def __del__(self) -> None:
        # With the stream that it was of. At the server's end nothing is removed any more.
        for index in range(self._first, self._written):
            Body.bodies.discard(self._file(index))


def _restore(name: str, first: int, full: int, rest: bytes) -> Series:
    found = Series()
    found._name, found._first, found._written = name, first, full
    for index in range(first, full):
        Body.restored.add(found._file(index))
        found += pickle.loads((Body.bodies.folder / found._file(index)).read_bytes())  # noqa: S301 - our own file
    found += pickle.loads(rest)  # noqa: S301 - likewise
    return found


def install() -> None:
    """Have moto's log streams and CloudWatch keep their growing lists so."""
    for owner, name in ((LogStream, "events"), (CloudWatchBackend, "metric_data")):
        _grow(owner, name)


def _grow(owner: type, name: str) -> None:
    original = vars(owner)["__init__"]

    def init(self: Any, *given: Any, **named: Any) -> None:
        original(self, *given, **named)
        setattr(self, name, Series(getattr(self, name)))

    def restore(self: Any, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if not isinstance(state[name], Series):
            # Written before there were any.
            setattr(self, name, Series(state[name]))

    setattr(owner, "__init__", init)  # noqa: B010 - mypy refuses the plain assignment
    setattr(owner, "__setstate__", restore)  # noqa: B010
