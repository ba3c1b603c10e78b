"""
The reconciler's part: leases and loops that run out, outputs to write, events to tell.

What is to be done is in the tables. So a server that is killed between any two of these steps goes on after its
restart: an output is written again with the same bytes, an event is told again with the same id.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from localaws.core import reconciler
from localaws.core.context import Context
from localaws.core.isolate import isolate
from localaws.sagemaker.human_review import events, loops, output, tables

log = logging.getLogger("localaws.human_review")

#: Loops of a kind that one turn moves on, so that other resources get their turns.
_BATCH = 50
_Due = Callable[[Context, int], int]
#: What the four steps look for.
_ANYTHING = """
    SELECT EXISTS (SELECT 1 FROM seat WHERE status IN ('open', 'paused') AND lease <= :now)
        OR EXISTS (SELECT 1 FROM human_loop WHERE ended IS NULL AND closing IS NULL AND expires <= :now)
        OR EXISTS (SELECT 1 FROM human_loop WHERE closing IS NOT NULL)
        OR EXISTS (SELECT 1 FROM human_loop WHERE ended IS NOT NULL AND told = 0)
"""


def sweep(ctx: Context) -> None:
    """Do what is due. Twice a second nothing is, and then nobody is kept from writing."""
    with tables.reading(ctx) as connection:
        (is_anything,) = connection.execute(_ANYTHING, {"now": tables.now(ctx)}).fetchone()
    if not is_anything:
        return
    for step in (_lapse, _expire, _close, _tell):
        if step(ctx, _BATCH) == _BATCH:
            reconciler.poke()


def _lapse(ctx: Context, most: int) -> int:
    """Give the seats whose lease is over to others; drafts stay. Loops that waited for such a seat are stopped."""
    with tables.transaction(ctx) as connection:
        at = tables.now(ctx)
        over = connection.execute(
            "SELECT id, loop FROM seat WHERE status IN ('open', 'paused') AND lease <= ? LIMIT ?", (at, most)
        ).fetchall()
        for seat, loop in over:
            connection.execute("UPDATE seat SET status = 'lapsed' WHERE id = ?", (seat,))
            loops.close_if_left(connection, loop, at)
    return len(over)


def _expire(ctx: Context, most: int) -> int:
    with tables.transaction(ctx) as connection:
        over = connection.execute(
            "SELECT id FROM human_loop WHERE ended IS NULL AND closing IS NULL AND expires <= ? LIMIT ?",
            (tables.now(ctx), most),
        ).fetchall()
        for (loop,) in over:
            connection.execute(
                "UPDATE human_loop SET closing = 'Failed', failure_code = 'Expired', failure_reason = ? WHERE id = ?",
                ("The task was not completed within its availability lifetime.", loop),
            )
            loops.end_seats(connection, loop)
    return len(over)


def _close(ctx: Context, most: int) -> int:
    """Write the outputs of loops that end, and then say that they have ended."""
    with tables.reading(ctx) as connection:
        names = connection.execute("SELECT name FROM human_loop WHERE closing IS NOT NULL LIMIT ?", (most,)).fetchall()
    for (name,) in names:
        with isolate(f"human loop {name} cannot be ended; it is tried again"):
            _close_one(ctx, name)
    return len(names)


def _close_one(ctx: Context, name: str) -> None:
    loop = loops.find(ctx, name)
    if loop is None:
        return
    with tables.reading(ctx) as connection:
        text = output.document(connection, loop, ctx)
    problem = "" if text is None else _write(ctx, loop.output, text)
    with tables.transaction(ctx) as connection:
        if problem:
            loops.fail(connection, loop.id, tables.now(ctx), "InternalError", problem)
            return
        connection.execute(
            "UPDATE human_loop SET status = closing, closing = NULL, ended = ?, written = ? WHERE id = ?"
            " AND closing IS NOT NULL",
            (tables.now(ctx), text is not None, loop.id),
        )
        loops.end_seats(connection, loop.id)


def _write(ctx: Context, uri: str, text: str) -> str:
    """Write an output. Returns why S3 will never take it, ``""`` if it did; :raises Exception: it may yet take it."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        ctx.client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json")
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            raise
        log.exception("the output %s cannot be written", uri)
        return f"The output {uri} cannot be written: {error}"
    return ""


def _tell(ctx: Context, most: int) -> int:
    with tables.reading(ctx) as connection:
        rows: list[Any] = connection.execute(
            "SELECT name, ended FROM human_loop WHERE ended IS NOT NULL AND told = 0 LIMIT ?", (most,)
        ).fetchall()
    ended = [(loop, at) for loop, at in ((loops.find(ctx, name), at) for name, at in rows) if loop is not None]
    if ended:
        events.tell(ctx, ended)
        with tables.transaction(ctx) as connection:
            connection.executemany("UPDATE human_loop SET told = 1 WHERE id = ?", [(loop.id,) for loop, _ in ended])
    return len(rows)
