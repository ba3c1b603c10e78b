"""The SQLite file of what moto carries: many readers, one writer, checkpoints that no request waits for."""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger("localaws.moto")

#: seconds between two checkpoints.
_PAUSE = 1.0
#: a write-ahead log of more bytes than this is emptied, for which writers wait for a moment.
_LONG_LOG = 16 * 1024**2
#: connections for reading that are kept open when nobody reads.
_READERS = 8


class Database:
    """
    Transactions on one file in WAL mode. Safe for threads.

    A committed transaction survives ``kill -9``: the log is in the kernel's hands. No commit waits for the disk; the
    checkpoints do, in a thread of their own.

    :param schema: statements that make the tables where there are none.
    :raises sqlite3.DatabaseError: the file is damaged.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._written, self._closing = threading.Event(), threading.Event()
        self._writer = self._connect()
        self._writer.execute("PRAGMA journal_mode=WAL")
        self._writer.executescript(schema)
        self._thread = threading.Thread(target=self._checkpoints, name="moto-checkpoints", daemon=True)
        self._thread.start()

    def _connect(self) -> sqlite3.Connection:
        made = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None, timeout=30)
        made.execute("PRAGMA synchronous=NORMAL")
        made.execute("PRAGMA wal_autocheckpoint=0")
        return made

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Run what is inside as one transaction; other writers wait."""
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                # A COMMIT that failed may have ended the transaction, or left it open for all that follows.
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
        self._written.set()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that sees what is committed; each statement on it must be read to its end."""
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._connect()
        try:
            yield connection
        finally:
            if self._idle.qsize() < _READERS:
                self._idle.put(connection)
            else:
                connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """As :meth:`reading`, and all statements see the same state."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    def close(self) -> None:
        """Write the log into the file and close it."""
        self._closing.set()
        self._written.set()
        self._thread.join()
        while not self._idle.empty():
            self._idle.get_nowait().close()
        with self._lock:
            self._writer.close()

    def _checkpoints(self) -> None:
        own = self._connect()
        wal = self._path.with_name(self._path.name + "-wal")
        while not self._closing.is_set():
            self._written.wait()
            self._written.clear()
            try:
                own.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                if wal.stat().st_size > _LONG_LOG:
                    # What was written meanwhile is little; after it the log begins again from its start.
                    with self._lock:
                        own.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except (sqlite3.Error, OSError):
                log.exception("a checkpoint of %s failed; the next one follows", self._path)
            self._closing.wait(_PAUSE)
        own.close()
