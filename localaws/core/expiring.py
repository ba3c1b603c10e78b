"""
What ends at a time and is found by a secret: sessions, authorization codes, refresh tokens.

Only a hash of the secret is stored. The rows are in the store's file, in a table of their own, because expired ones are
removed by an index and never read.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from localaws.core.store import Store, dumps, loads

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS expiring (kind TEXT NOT NULL, digest TEXT NOT NULL, family TEXT NOT NULL,"
    " ends REAL NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, digest))",
    "CREATE INDEX IF NOT EXISTS expiring_ends ON expiring (ends)",
    "CREATE INDEX IF NOT EXISTS expiring_family ON expiring (family)",
)


class Expiring:
    """
    Records of one kind.

    :param seconds: how long a record is there, unless :meth:`put` says otherwise.
    """

    def __init__(self, store: Store, kind: str, seconds: float) -> None:
        self._store = store
        self._kind = kind
        self._seconds = seconds
        with store.transaction() as connection:
            for statement in _SCHEMA:
                connection.execute(statement)

    def put(
        self,
        body: dict[str, Any],
        *,
        secret: str | None = None,
        family: str = "",
        seconds: float | None = None,
    ) -> str:
        """
        Store a record.

        :param secret: what it is found by; a new random one if not given.
        :param family: what else is removed with it by :meth:`drop_family`.
        :returns: the secret.
        """
        secret = secret or secrets.token_urlsafe(32)
        now = time.time()
        ends = now + (self._seconds if seconds is None else seconds)
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM expiring WHERE ends <= ?", (now,))
            connection.execute(
                "INSERT OR REPLACE INTO expiring VALUES (?, ?, ?, ?, ?)",
                (self._kind, digest(secret), family, ends, dumps(body)),
            )
        return secret

    def get(self, secret: str) -> dict[str, Any] | None:
        """Return the record; ``None`` where there is none, or where it has ended."""
        with self._store.reading() as connection:
            return self._read(connection, secret)

    def take(self, secret: str) -> dict[str, Any] | None:
        """Remove a record and return it: of two who ask at once, one gets it."""
        with self._store.transaction() as connection:
            found = self._read(connection, secret)
            self._drop(connection, secret)
            return found

    def drop(self, secret: str) -> None:
        """Remove a record; none there is fine."""
        with self._store.transaction() as connection:
            self._drop(connection, secret)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do several things as one."""
        with self._store.transaction():
            yield

    def _read(self, connection: sqlite3.Connection, secret: str) -> dict[str, Any] | None:
        row = connection.execute(
            "SELECT body FROM expiring WHERE kind = ? AND digest = ? AND ends > ?",
            (self._kind, digest(secret), time.time()),
        ).fetchone()
        return None if row is None else loads(row[0])

    def _drop(self, connection: sqlite3.Connection, secret: str) -> None:
        connection.execute("DELETE FROM expiring WHERE kind = ? AND digest = ?", (self._kind, digest(secret)))


def drop_family(store: Store, family: str) -> None:
    """Remove all records of a family, of every kind."""
    if not family:
        raise ValueError("a family needs a name")
    with store.transaction() as connection:
        connection.execute("DELETE FROM expiring WHERE family = ?", (family,))


def digest(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
