"""The online store, and the queue of what the offline store has not got yet: one SQLite file, one transaction."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    store TEXT NOT NULL, identifier TEXT NOT NULL, event_time INTEGER NOT NULL, expires_at INTEGER,
    deleted INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (store, identifier)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outgoing (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, store TEXT NOT NULL, event_time INTEGER NOT NULL,
    invoked INTEGER NOT NULL, deleted INTEGER NOT NULL, body TEXT NOT NULL, batch TEXT
);
CREATE INDEX IF NOT EXISTS outgoing_batch ON outgoing (store, batch);
CREATE TABLE IF NOT EXISTS batch (
    name TEXT PRIMARY KEY, store TEXT NOT NULL, written INTEGER NOT NULL, flushed REAL
);
"""
#: the latest event time stays; what has expired counts as not there.
_UPSERT = """
INSERT INTO record (store, identifier, event_time, expires_at, deleted, body) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (store, identifier) DO UPDATE SET event_time = excluded.event_time, expires_at = excluded.expires_at,
    deleted = excluded.deleted, body = excluded.body
WHERE excluded.event_time > record.event_time OR (record.expires_at IS NOT NULL AND record.expires_at <= ?)
"""

Change = Callable[[sqlite3.Connection], Any]


@dataclass(frozen=True)
class Write:
    """
    One PutRecord or DeleteRecord.

    :param store: the feature group's own key; a group recreated under the same name has another.
    :param event_time: microseconds since 1970, as all times here.
    :param body: feature -> text.
    :param online: whether the online store takes it; ``offline`` likewise.
    """

    store: str
    identifier: str
    event_time: int
    body: dict[str, str]
    expires_at: int | None = None
    deleted: bool = False
    online: bool = True
    offline: bool = True


@dataclass(frozen=True)
class Found:
    """A record of the online store."""

    body: dict[str, str]
    event_time: int
    expires_at: int | None


@dataclass(frozen=True)
class Outgoing:
    """A record on its way to the offline store."""

    event_time: int
    invoked: int
    deleted: bool
    body: dict[str, str]


@dataclass(frozen=True)
class Batch:
    """Records that go to the offline store together. Name, content and time of writing stay, however often it goes."""

    name: str
    store: str
    written: int


class NotLater(Exception):
    """The online store has a record of a later, or the same, event time."""


def now() -> int:
    """Return microseconds since 1970."""
    return time.time_ns() // 1000


class RecordStore:
    """
    Records by feature group and identifier. Safe for threads.

    A write that has returned is on disk (``synchronous=FULL``). Writers that come together share one transaction, and
    so one fsync: whoever holds the lock does the work of all that wait.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = self._connect(path)
        self._writer.execute("PRAGMA journal_mode=WAL")
        self._writer.execute("PRAGMA synchronous=FULL")
        self._writer.executescript(_SCHEMA)
        self._reader = self._connect(path)
        self._writing, self._reading, self._waiting_lock = threading.Lock(), threading.Lock(), threading.Lock()
        self._waiting: list[tuple[Change, Future[Any]]] = []

    @staticmethod
    def _connect(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)

    def commit(self, change: Change) -> Any:
        """Do ``change`` in a transaction, perhaps together with others' changes; its result once that is on disk."""
        mine: Future[Any] = Future()
        with self._waiting_lock:
            self._waiting.append((change, mine))
        with self._writing:
            if not mine.done():
                with self._waiting_lock:
                    changes, self._waiting = self._waiting, []
                self._commit_all(changes)
        return mine.result()

    def _commit_all(self, changes: list[tuple[Change, Future[Any]]]) -> None:
        outcomes: list[tuple[Future[Any], Any, Exception | None]] = []
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for change, future in changes:
                outcomes.append((future, *self._attempt(change)))
            self._writer.execute("COMMIT")
        except Exception as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            outcomes = [(future, None, error) for _, future in changes]
        for future, result, failure in outcomes:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)

    def _attempt(self, change: Change) -> tuple[Any, Exception | None]:
        self._writer.execute("SAVEPOINT one")
        try:
            result = change(self._writer)
        except Exception as error:
            self._writer.execute("ROLLBACK TO one")
            self._writer.execute("RELEASE one")
            return None, error
        self._writer.execute("RELEASE one")
        return result, None

    def _read(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        with self._reading:
            return self._reader.execute(sql, values).fetchall()

    def put(self, *writes: Write) -> None:
        """Store records, or marks that they are deleted: online if they are the latest, offline always. All or none."""
        bodies = [json.dumps(write.body, ensure_ascii=False, separators=(",", ":")) for write in writes]

        def change(connection: sqlite3.Connection) -> None:
            at = now()
            for write, body in zip(writes, bodies, strict=True):
                if write.online:
                    row = (write.store, write.identifier, write.event_time, write.expires_at, write.deleted, body)
                    connection.execute(_UPSERT, (*row, at))
                _enqueue(connection, write, body, at)

        self.commit(change)

    def remove(self, write: Write) -> None:
        """
        Take a record out of the online store and put the mark that it is deleted into the offline store.

        :raises NotLater: and nothing changed.
        """
        body = json.dumps(write.body, ensure_ascii=False, separators=(",", ":"))

        def change(connection: sqlite3.Connection) -> None:
            found = connection.execute(
                "SELECT event_time FROM record WHERE store = ? AND identifier = ?", (write.store, write.identifier)
            ).fetchone()
            if found and found[0] >= write.event_time:
                raise NotLater
            connection.execute("DELETE FROM record WHERE store = ? AND identifier = ?", (write.store, write.identifier))
            _enqueue(connection, write, body, now())

        self.commit(change)

    def get(self, store: str, identifier: str) -> Found | None:
        """Return the latest record, or ``None`` if it is deleted or expired."""
        rows = self._read(
            "SELECT body, event_time, expires_at FROM record WHERE store = ? AND identifier = ? AND deleted = 0"
            " AND (expires_at IS NULL OR expires_at > ?)",
            (store, identifier, now()),
        )
        return Found(json.loads(rows[0][0]), rows[0][1], rows[0][2]) if rows else None

    def size(self, store: str) -> int:
        """Return the approximate bytes of a group's records."""
        rows = self._read("SELECT coalesce(sum(length(body)), 0) FROM record WHERE store = ?", (store,))
        return int(rows[0][0])

    def stores(self) -> set[str]:
        """Return the groups that have records or queued writes here."""
        rows = self._read("SELECT DISTINCT store FROM record UNION SELECT DISTINCT store FROM outgoing", ())
        return {row[0] for row in rows}

    def queued(self) -> list[str]:
        """Return the groups with records that are in no batch yet."""
        return [row[0] for row in self._read("SELECT DISTINCT store FROM outgoing WHERE batch IS NULL", ())]

    def assign(self, store: str, most: int) -> None:
        """Put a group's queued records into one batch; ``most`` at a time."""

        def change(connection: sqlite3.Connection) -> None:
            rows = connection.execute(
                "SELECT sequence FROM outgoing WHERE store = ? AND batch IS NULL ORDER BY sequence LIMIT ?",
                (store, most),
            ).fetchall()
            if not rows:
                return
            first, last = rows[0][0], rows[-1][0]
            name = f"{store}:{first}-{last}"
            connection.execute("INSERT INTO batch (name, store, written) VALUES (?, ?, ?)", (name, store, now()))
            connection.execute(
                "UPDATE outgoing SET batch = ? WHERE store = ? AND batch IS NULL AND sequence BETWEEN ? AND ?",
                (name, store, first, last),
            )

        self.commit(change)

    def batches(self) -> list[Batch]:
        """Batches that are not flushed yet, oldest first."""
        rows = self._read("SELECT name, store, written FROM batch WHERE flushed IS NULL ORDER BY written, name", ())
        return [Batch(*row) for row in rows]

    def records(self, batch: Batch) -> list[Outgoing]:
        """Return a batch's records in the order in which they were accepted."""
        rows = self._read(
            "SELECT event_time, invoked, deleted, body FROM outgoing WHERE store = ? AND batch = ? ORDER BY sequence",
            (batch.store, batch.name),
        )
        return [Outgoing(at, invoked, bool(deleted), json.loads(body)) for at, invoked, deleted, body in rows]

    def flushed(self, batch: Batch) -> None:
        """S3 has taken the batch. It stays here until :meth:`prune`."""
        self.commit(lambda c: c.execute("UPDATE batch SET flushed = ? WHERE name = ?", (time.time(), batch.name)))

    def unflush(self) -> None:
        """Let all batches that are still here go to S3 again, over the objects that are there."""
        self.commit(lambda connection: connection.execute("UPDATE batch SET flushed = NULL"))

    def prune(self, age: float) -> None:
        """Drop batches that were flushed more than ``age`` seconds ago, and records that have expired."""

        def change(connection: sqlite3.Connection) -> None:
            old = "SELECT name FROM batch WHERE flushed < ?"
            at = time.time() - age
            connection.execute(f"DELETE FROM outgoing WHERE batch IN ({old})", (at,))  # noqa: S608 - our own text
            connection.execute("DELETE FROM batch WHERE flushed < ?", (at,))
            connection.execute("DELETE FROM record WHERE expires_at <= ?", (now(),))

        self.commit(change)

    def drop(self, store: str) -> None:
        """Forget a group's records, queue and batches."""

        def change(connection: sqlite3.Connection) -> None:
            for table in ("record", "outgoing", "batch"):
                connection.execute(f"DELETE FROM {table} WHERE store = ?", (store,))  # noqa: S608 - our own names

        self.commit(change)


def _enqueue(connection: sqlite3.Connection, write: Write, body: str, at: int) -> None:
    if write.offline:
        connection.execute(
            "INSERT INTO outgoing (store, event_time, invoked, deleted, body) VALUES (?, ?, ?, ?, ?)",
            (write.store, write.event_time, at, write.deleted, body),
        )
