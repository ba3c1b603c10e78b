"""Lists of moto's that only grow, a log stream's events and CloudWatch's data: what is new is stored, and no more."""

from __future__ import annotations

import logging
import pickle
import sqlite3
import uuid
from collections.abc import Iterable
from typing import Any

from moto.cloudwatch.models import CloudWatchBackend
from moto.logs.models import LogEvent, LogStream

log = logging.getLogger("localaws.moto")

#: items that go at once.
PIECE = 1000
#: items that are kept: of what is older nothing is left, as if its retention were over.
MOST = 200_000

SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
    name TEXT NOT NULL,
    start INTEGER NOT NULL,
    count INTEGER NOT NULL,
    items BLOB NOT NULL,
    PRIMARY KEY (name, start)
);
"""


class Series(list[Any]):
    """
    A list that is only added to at its end; each addition becomes a row.

    The oldest items go beyond :data:`MOST`: the server would else grow for as long as it runs.
    """

    def __init__(self, items: Iterable[Any] = (), *, name: str = "", first: int = 0, written: int = 0) -> None:
        super().__init__(items)
        self.name = name or uuid.uuid4().hex
        #: the numbers, from the series' beginning on, of the first item that is left and of the first not stored.
        self._first, self._written = first, written

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
        self._first += pieces * PIECE
        log.warning("the oldest %d of %d items of a log stream or of CloudWatch's are dropped", pieces * PIECE, MOST)

    @property
    def grown(self) -> bool:
        """Return True if there is something new to store."""
        return self._first + len(self) > self._written

    def write(self, connection: sqlite3.Connection) -> int:
        """Store what is new, and forget what was dropped; give the result to :meth:`wrote` after the commit."""
        start, end = max(self._written, self._first), self._first + len(self)
        if end > self._written:
            items = pickle.dumps(list(self[start - self._first :]), pickle.HIGHEST_PROTOCOL)
            connection.execute("INSERT INTO series VALUES (?, ?, ?, ?)", (self.name, start, end - start, items))
            connection.execute(
                "DELETE FROM series WHERE name = ? AND start < ? AND start + count <= ?",
                (self.name, self._first, self._first),
            )
        return end

    def wrote(self, end: int) -> None:
        """Note that what :meth:`write` did is committed."""
        self._written = end

    def __copy__(self) -> list[Any]:
        return list(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        return list(self)


def remove(connection: sqlite3.Connection, names: Iterable[str]) -> None:
    """Forget series."""
    connection.executemany("DELETE FROM series WHERE name = ?", [(name,) for name in names])


def restore(connection: sqlite3.Connection, name: str) -> Series:
    """Read the series of that name."""
    query = "SELECT start, items FROM series WHERE name = ? ORDER BY start"
    rows = connection.execute(query, (name,)).fetchall()
    items = [item for _, kept in rows for item in pickle.loads(kept)]  # noqa: S301 - our own rows
    first = rows[0][0] if rows else 0
    newest = max((item.event_id for item in items if isinstance(item, LogEvent)), default=-1)
    # moto numbers all events of a process.
    LogEvent._event_id = max(LogEvent._event_id, newest + 1)
    return Series(items, name=name, first=first, written=first + len(items))


def install() -> None:
    """Have moto's log streams and CloudWatch keep their growing lists so."""
    for owner, name in ((LogStream, "events"), (CloudWatchBackend, "metric_data")):
        _grow(owner, name)


def _grow(owner: type, name: str) -> None:
    original = vars(owner)["__init__"]

    def init(self: Any, *given: Any, **named: Any) -> None:
        original(self, *given, **named)
        setattr(self, name, Series(getattr(self, name)))

    setattr(owner, "__init__", init)  # noqa: B010 - mypy refuses the plain assignment
