"""Every resource that localaws owns, in one SQLite file (WAL): what is acknowledged survives ``kill -9``."""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

Body = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resource (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (kind, name)
);
"""


def _encode(value: object) -> Body:
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(f"cannot store a {type(value).__name__}")


def _decode(value: Body) -> Any:
    if len(value) == 1:
        if "$time" in value:
            return datetime.fromisoformat(value["$time"])
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"])
    return value


def dumps(body: Any) -> str:
    """JSON that keeps datetimes and bytes; :func:`loads` gives them back."""
    return json.dumps(body, default=_encode, ensure_ascii=False)


def loads(text: str) -> Any:
    """Decode what :func:`dumps` wrote."""
    return json.loads(text, object_hook=_decode)


class Store:
    """
    Resources by ``(kind, name)``, each a JSON object (datetimes and bytes allowed).

    Safe for threads (one connection behind a lock) and for several processes (WAL, immediate transactions).

    :param path: the SQLite file; ``:memory:`` works for tests.
    """

    def __init__(self, path: Path | str) -> None:
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run what is inside as one transaction; other writers wait. Nests."""
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # A COMMIT that failed may have ended the transaction, or left it open for all that follows.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read from tables of a slice's own; nobody has to wait for a writer of another process."""
        with self._lock:
            yield self._connection

    def insert(self, kind: str, name: str, body: Body) -> bool:
        """Store a new resource; ``False``, and nothing changed, where the name is taken."""
        with self.transaction() as connection:
            cursor = connection.execute(
                "INSERT OR IGNORE INTO resource (kind, name, body) VALUES (?, ?, ?)", (kind, name, dumps(body))
            )
            return cursor.rowcount == 1

    def put(self, kind: str, name: str, body: Body) -> None:
        """Store a resource, in place of the one of that name if there is one (its place in the order stays)."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO resource (kind, name, body) VALUES (?, ?, ?)"
                " ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body",
                (kind, name, dumps(body)),
            )

    def get(self, kind: str, name: str) -> Body | None:
        """Return the resource, or ``None``."""
        with self._lock:
            row = self._connection.execute(
                "SELECT body FROM resource WHERE kind = ? AND name = ?", (kind, name)
            ).fetchone()
        return None if row is None else loads(row[0])

    def find(self, kind: str, name: str) -> Body | None:
        """Return the resource by its name in any case; one spelt so comes before the others."""
        spelling = self.spelling(kind, name)
        return None if spelling is None else self.get(kind, spelling)

    def spelling(self, kind: str, name: str) -> str | None:
        """Return the name, given in any case, as the resource has it; ``None`` where there is no such resource."""
        with self._lock:
            row = self._connection.execute(
                "SELECT name FROM resource WHERE kind = ?1 AND name = ?2 UNION ALL"
                " SELECT name FROM resource WHERE kind = ?1 AND name = ?2 COLLATE NOCASE LIMIT 1",
                (kind, name),
            ).fetchone()
        return None if row is None else str(row[0])

    def update(self, kind: str, name: str, change: Callable[[Body], None]) -> Body | None:
        """Let ``change`` alter the resource in place, in one transaction; the result, or ``None`` if there is none."""
        with self.transaction():
            body = self.get(kind, name)
            if body is None:
                return None
            change(body)
            self.put(kind, name, body)
            return body

    def delete(self, kind: str, name: str) -> bool:
        """Remove the resource, and return True if it was there."""
        with self.transaction() as connection:
            return connection.execute("DELETE FROM resource WHERE kind = ? AND name = ?", (kind, name)).rowcount == 1

    def all(self, kind: str) -> list[Body]:
        """Return all resources of a kind, oldest first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT body FROM resource WHERE kind = ? ORDER BY sequence", (kind,)
            ).fetchall()
        return [loads(row[0]) for row in rows]

    def named(self, kind: str) -> list[tuple[str, Body]]:
        """All resources of a kind with their names, oldest first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT name, body FROM resource WHERE kind = ? ORDER BY sequence", (kind,)
            ).fetchall()
        return [(name, loads(body)) for name, body in rows]

    def under_way(self, kind: str, status: str, terminal: Iterable[str]) -> list[str]:
        """
        Return the names of a kind's resources whose status is none of ``terminal``, the oldest first.

        The others, which are more and more, are not even decoded. Where a body has a NaN, which SQLite does not take
        for JSON, the resource is named whatever its status is: read it before you go on.
        """
        ended = sorted(terminal)
        marks = ", ".join("?" * len(ended))
        with self._lock:
            rows = self._connection.execute(
                f"SELECT name FROM resource WHERE kind = ? AND CASE WHEN json_valid(body)"  # noqa: S608
                f" THEN json_extract(body, ?) NOT IN ({marks}) ELSE 1 END ORDER BY sequence",
                (kind, f"$.{status}", *ended),
            ).fetchall()
        return [row[0] for row in rows]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
