"""
The tables of human loops and seats, in the store's own file.

The generic table of resources would do for a few hundred loops. A worker's list of jobs and "the oldest task that this
worker may take" are questions over all open loops, which need indexes and must not read each loop's input.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from weakref import WeakSet

from localaws.core.context import Context
from localaws.core.store import Store

#: Times are microseconds since 1970: integers sort, and JSON needs milliseconds of them.
_SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS human_loop (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        flow TEXT NOT NULL,
        team TEXT NOT NULL,
        wanted INTEGER NOT NULL,
        status TEXT NOT NULL,
        created INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        output TEXT NOT NULL,
        written INTEGER NOT NULL DEFAULT 0,
        closing TEXT,
        failure_code TEXT,
        failure_reason TEXT,
        ended INTEGER,
        told INTEGER NOT NULL DEFAULT 0
    )
    """,
    "CREATE INDEX IF NOT EXISTS human_loop_flow ON human_loop (flow, created, id)",
    # What a worker may take.
    "CREATE INDEX IF NOT EXISTS human_loop_open ON human_loop (team, flow, created, id)"
    " WHERE status = 'InProgress' AND closing IS NULL",
    # What the reconciler looks for.
    "CREATE INDEX IF NOT EXISTS human_loop_expiry ON human_loop (expires) WHERE ended IS NULL AND closing IS NULL",
    "CREATE INDEX IF NOT EXISTS human_loop_closing ON human_loop (id) WHERE closing IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS human_loop_stopping ON human_loop (id) WHERE status = 'Stopping' AND closing IS NULL",
    "CREATE INDEX IF NOT EXISTS human_loop_untold ON human_loop (id) WHERE ended IS NOT NULL AND told = 0",
    "CREATE TABLE IF NOT EXISTS human_loop_input (loop INTEGER PRIMARY KEY, content TEXT NOT NULL)",
    """
    CREATE TABLE IF NOT EXISTS seat (
        id TEXT PRIMARY KEY,
        loop INTEGER NOT NULL,
        loop_name TEXT NOT NULL,
        flow TEXT NOT NULL,
        team TEXT NOT NULL,
        worker TEXT NOT NULL,
        username TEXT NOT NULL,
        issuer TEXT NOT NULL,
        sub TEXT NOT NULL,
        provider TEXT NOT NULL DEFAULT 'Cognito',
        status TEXT NOT NULL,
        taken INTEGER NOT NULL,
        lease INTEGER NOT NULL,
        submitted INTEGER,
        label TEXT,
        draft TEXT,
        answer TEXT,
        UNIQUE (loop, worker)
    )
    """,
    "CREATE INDEX IF NOT EXISTS seat_worker ON seat (worker, status, flow)",
    "CREATE INDEX IF NOT EXISTS seat_team ON seat (team, submitted, id) WHERE status = 'answered'",
    "CREATE INDEX IF NOT EXISTS seat_lease ON seat (lease) WHERE status IN ('open', 'paused')",
)

_made: WeakSet[Store] = WeakSet()


@contextmanager
def transaction(ctx: Context) -> Iterator[sqlite3.Connection]:
    """Open a transaction of the store in which these tables exist."""
    with ctx.store.transaction() as connection:
        if ctx.store not in _made:
            for statement in _SCHEMA:
                connection.execute(statement)
            _add_provider(connection)
        yield connection
    # Inside another transaction the tables are not there yet for good.
    if not connection.in_transaction:
        _made.add(ctx.store)


def _add_provider(connection: sqlite3.Connection) -> None:
    # A home from before workers could sign in by OpenID Connect: all of its workers are Cognito's.
    if not any(name == "provider" for _, name, *_ in connection.execute("PRAGMA table_info(seat)")):
        connection.execute("ALTER TABLE seat ADD COLUMN provider TEXT NOT NULL DEFAULT 'Cognito'")


@contextmanager
def reading(ctx: Context) -> Iterator[sqlite3.Connection]:
    """Read these tables as one thing: only this process writes them. Nobody waits for the file's other writers."""
    if ctx.store not in _made:
        with transaction(ctx):
            pass
    with ctx.store.reading() as connection:
        yield connection


def micros(at: datetime) -> int:
    """Return a time as these tables have it."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def moment(value: int) -> datetime:
    """Return a time of these tables."""
    return datetime.fromtimestamp(value // 1_000_000, UTC).replace(microsecond=value % 1_000_000)


def now(ctx: Context) -> int:
    """Return the present as these tables have it."""
    return micros(ctx.now())
