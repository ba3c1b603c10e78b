"""Human loops in their table: begun, found, listed, stopped, deleted."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localaws.core import clock
from localaws.core.context import Context
from localaws.sagemaker.human_review import tables

#: Statuses of a loop that nobody can answer any more.
ENDED = frozenset({"Completed", "Failed", "Stopped"})
_COLUMNS = "id, name, flow, team, wanted, status, created, expires, output, written, failure_code, failure_reason"


@dataclass(frozen=True)
class Loop:
    """
    A human loop.

    :param id: Not given again, which a name may be.
    :param wanted: Answers that complete it.
    :param output: The S3 URI of its output.
    :param written: Whether something is there.
    """

    id: int
    name: str
    flow: str
    team: str
    wanted: int
    status: str
    created: datetime
    expires: datetime
    output: str
    written: bool
    failure_code: str | None
    failure_reason: str | None

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> Loop:
        """Return the loop of a row of :data:`_COLUMNS`."""
        id_, name, flow, team, wanted, status, created, expires, output, written, code, reason = row
        at, until = tables.moment(created), tables.moment(expires)
        return cls(id_, name, flow, team, wanted, status, at, until, output, bool(written), code, reason)


@dataclass(frozen=True)
class Plan:
    """What a flow definition says of each loop: answers wanted, AWS's seconds of availability, S3 place of output."""

    flow: str
    team: str
    wanted: int
    availability: float
    output: str


class Taken(Exception):
    """A loop of that name is there, and it has another input or flow."""


def begin(ctx: Context, plan: Plan, name: str, content: str, failure: str = "") -> Loop:
    """
    Keep a new loop, or find the one that the same request began before.

    :param content: InputContent.
    :param failure: Why no worker can be asked: the loop is Failed from the start.
    :raises Taken: The name is taken.
    """
    with tables.transaction(ctx) as connection:
        row = connection.execute(
            f"SELECT {_COLUMNS}, content FROM human_loop JOIN human_loop_input ON loop = id WHERE name = ?",  # noqa: S608
            (name,),
        ).fetchone()
        if row is not None:
            if row[2] != plan.flow or row[-1] != content:
                raise Taken(name)
            return Loop.of(row[:-1])
        at = tables.now(ctx)
        lifetime = int(clock.real(plan.availability) * 1_000_000)
        output = f"{plan.output}/{tables.moment(at):%Y/%m/%d/%H/%M/%S}/{name}/output.json"
        loop = connection.execute(
            "INSERT INTO human_loop (name, flow, team, wanted, status, created, expires, output)"
            " VALUES (?, ?, ?, ?, 'InProgress', ?, ?, ?)",
            (name, plan.flow, plan.team, plan.wanted, at, at + lifetime, output),
        ).lastrowid
        connection.execute("INSERT INTO human_loop_input (loop, content) VALUES (?, ?)", (loop, content))
        if failure:
            fail(connection, int(loop or 0), at, "ValidationError", failure)
        return Loop.of(_row(connection, name))


def fail(connection: sqlite3.Connection, loop: int, at: int, code: str, reason: str) -> None:
    """Make a loop Failed at once, and end the seats in it."""
    connection.execute(
        "UPDATE human_loop SET status = 'Failed', closing = NULL, ended = ?, failure_code = ?, failure_reason = ?"
        " WHERE id = ? AND ended IS NULL",
        (at, code, reason[:1024], loop),
    )
    end_seats(connection, loop)


def end_seats(connection: sqlite3.Connection, loop: int) -> None:
    """End the seats of a loop in which nobody has answered or declined."""
    connection.execute(
        "UPDATE seat SET status = 'ended', draft = NULL WHERE loop = ? AND status IN ('open', 'paused', 'lapsed')",
        (loop,),
    )


def _row(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"SELECT {_COLUMNS} FROM human_loop WHERE name = ?", (name,)).fetchone()  # noqa: S608


def find(ctx: Context, name: str) -> Loop | None:
    """Return a loop by its name."""
    with tables.reading(ctx) as connection:
        row = _row(connection, name)
    return None if row is None else Loop.of(row)


def content(connection: sqlite3.Connection, loop: int) -> str | None:
    """Return a loop's InputContent; ``None`` where the loop was deleted."""
    row = connection.execute("SELECT content FROM human_loop_input WHERE loop = ?", (loop,)).fetchone()
    return None if row is None else str(row[0])


@dataclass(frozen=True)
class Query:
    """
    Which loops of a flow are listed.

    :param begin: The place after which the page begins, creation time and id; ``None`` is the first page.
    """

    flow: str
    after: datetime | None = None
    before: datetime | None = None
    ascending: bool = False
    begin: tuple[int, int] | None = None
    size: int = 10


def select(ctx: Context, query: Query) -> tuple[list[Loop], tuple[int, int] | None]:
    """Return a page of loops, and the place where the next page begins; ``None`` where there is no more."""
    where, values = ["flow = ?"], [query.flow]
    for operator, bound in ((">", query.after), ("<", query.before)):
        if bound is not None:
            where.append(f"created {operator} ?")
            values.append(tables.micros(bound))  # type: ignore[arg-type]
    order = "ASC" if query.ascending else "DESC"
    if query.begin is not None:
        where.append(f"(created, id) {'>' if query.ascending else '<'} (?, ?)")
        values.extend(query.begin)  # type: ignore[arg-type]
    with tables.reading(ctx) as connection:
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM human_loop WHERE {' AND '.join(where)}"  # noqa: S608 - our own words
            f" ORDER BY created {order}, id {order} LIMIT ?",
            (*values, query.size + 1),
        ).fetchall()
    found = [Loop.of(row) for row in rows[: query.size]]
    if len(rows) <= query.size:
        return found, None
    return found, (tables.micros(found[-1].created), found[-1].id)


def stop(ctx: Context, loop: Loop) -> bool:
    """Begin to stop a loop: it is Stopped once no worker has it open. Returns whether it was in progress."""
    with tables.transaction(ctx) as connection:
        changed = connection.execute(
            "UPDATE human_loop SET status = 'Stopping' WHERE id = ? AND status = 'InProgress' AND closing IS NULL",
            (loop.id,),
        ).rowcount
        close_if_left(connection, loop.id, tables.now(ctx))
    return changed == 1


def close_if_left(connection: sqlite3.Connection, loop: int, at: int) -> None:
    """Let a loop that is Stopping end if no worker has it open."""
    connection.execute(
        "UPDATE human_loop SET closing = 'Stopped' WHERE id = ? AND status = 'Stopping' AND closing IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM seat WHERE loop = human_loop.id AND status IN ('open', 'paused')"
        " AND lease > ?)",
        (loop, at),
    )


def close_if_complete(connection: sqlite3.Connection, loop: int) -> None:
    """Let a loop end that has all its answers."""
    connection.execute(
        "UPDATE human_loop SET closing = 'Completed' WHERE id = ? AND status = 'InProgress' AND wanted <="
        " (SELECT count(*) FROM seat WHERE loop = human_loop.id AND status = 'answered')",
        (loop,),
    )


def delete(ctx: Context, loop: Loop) -> bool:
    """Delete a loop that has ended, and its answers here; those in S3 stay. Returns whether it had ended."""
    with tables.transaction(ctx) as connection:
        gone = connection.execute("DELETE FROM human_loop WHERE id = ? AND ended IS NOT NULL", (loop.id,)).rowcount
        if gone:
            _forget(connection, loop.id)
    return gone == 1


def _forget(connection: sqlite3.Connection, loop: int) -> None:
    connection.execute("DELETE FROM human_loop_input WHERE loop = ?", (loop,))
    # Who answered how many is still counted.
    connection.execute("DELETE FROM seat WHERE loop = ? AND status NOT IN ('answered', 'declined')", (loop,))
    connection.execute("UPDATE seat SET answer = NULL, draft = NULL WHERE loop = ?", (loop,))


def discard(ctx: Context, flow: str, most: int = 200) -> bool:
    """
    Stop the loops of a flow that is deleted, and delete those that have ended.

    Returns whether none is left.
    """
    with tables.transaction(ctx) as connection:
        at = tables.now(ctx)
        connection.execute(
            "UPDATE human_loop SET status = 'Stopping' WHERE flow = ? AND status = 'InProgress' AND closing IS NULL",
            (flow,),
        )
        rows = connection.execute(
            "SELECT id, ended, told FROM human_loop WHERE flow = ? LIMIT ?", (flow, most)
        ).fetchall()
        for loop, ended, told in rows:
            if ended is None:
                close_if_left(connection, loop, at)
            elif told:
                connection.execute("DELETE FROM human_loop WHERE id = ?", (loop,))
                _forget(connection, loop)
        return connection.execute("SELECT 1 FROM human_loop WHERE flow = ?", (flow,)).fetchone() is None
