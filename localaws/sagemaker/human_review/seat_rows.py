"""Seats in their table, and what may be done with one now."""

from __future__ import annotations

import json
import sqlite3
import uuid
from dataclasses import dataclass
from typing import Any

from localaws.core.context import Context
from localaws.sagemaker.human_review import loops, tables
from localaws.sagemaker.human_review.people import AlreadyAnswered, LeaseOver, LoopEnded, NoSuchSeat
from localaws.sagemaker.workforce.members import Worker


@dataclass(frozen=True)
class Seat:
    """
    A seat and what matters of its loop.

    :param status: ``open``, ``paused``, ``answered``, ``declined``, ``lapsed`` (its lease is over) or ``ended``.
    :param lease: When it goes to others, as tables have times; likewise ``expires``, of the loop.
    :param closing: The status that the loop is about to get.
    """

    id: str
    loop: int
    status: str
    lease: int
    draft: str | None
    answer: str | None
    loop_name: str
    flow: str
    loop_status: str
    closing: str | None
    expires: int

    @property
    def entered(self) -> dict[str, Any] | None:
        """What the worker has entered so far."""
        return json.loads(self.draft) if self.draft else None


_SELECT = (
    "SELECT seat.id, seat.loop, seat.status, seat.lease, seat.draft, seat.answer, human_loop.name, human_loop.flow,"
    " human_loop.status, human_loop.closing, human_loop.expires FROM seat JOIN human_loop ON human_loop.id = seat.loop"
)


@dataclass(frozen=True)
class Place:
    """Where a worker sits down: a loop of a flow."""

    loop: int
    loop_name: str
    flow: str
    team: str


def sit(connection: sqlite3.Connection, worker: Worker, place: Place, at: int, lease: int) -> Seat:
    """Give a worker a seat until ``lease``. A draft of an earlier time in it is still there."""
    connection.execute(
        "INSERT INTO seat (id, loop, loop_name, flow, team, worker, username, issuer, sub, provider, status, taken,"
        " lease) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', ?, ?)"
        " ON CONFLICT (loop, worker) DO UPDATE SET status = 'open', taken = excluded.taken, lease = excluded.lease",
        (
            uuid.uuid4().hex,
            place.loop,
            place.loop_name,
            place.flow,
            place.team,
            worker.worker_id,
            worker.username,
            worker.issuer,
            worker.sub,
            worker.provider,
            at,
            lease,
        ),
    )
    row = connection.execute(
        f"{_SELECT} WHERE seat.loop = ? AND seat.worker = ?", (place.loop, worker.worker_id)
    ).fetchone()
    return Seat(*row)


def held_in(connection: sqlite3.Connection, worker: Worker, flow: str, at: int) -> Seat | None:
    """Return the seat that a worker has in a flow; one that was paused is open again."""
    row = connection.execute(
        f"{_SELECT} WHERE seat.worker = ? AND seat.status IN ('open', 'paused') AND seat.flow = ? AND seat.lease > ?"
        " AND human_loop.closing IS NULL AND human_loop.ended IS NULL AND human_loop.expires > ?"
        " ORDER BY seat.taken, seat.id LIMIT 1",
        (worker.worker_id, flow, at, at),
    ).fetchone()
    if row is None:
        return None
    connection.execute("UPDATE seat SET status = 'open' WHERE id = ?", (row[0],))
    return Seat(*row)


def own(connection: sqlite3.Connection, worker: Worker, seat_id: str) -> Seat:
    """
    Return a worker's seat, whatever has become of it.

    :raises NoSuchSeat: There is none, or the worker is not in its team any more.
    """
    marks = ", ".join("?" * len(worker.teams))
    row = connection.execute(
        f"{_SELECT} WHERE seat.id = ? AND seat.worker = ? AND seat.team IN ({marks})",
        (seat_id, worker.worker_id, *worker.teams),
    ).fetchone()
    if row is None:
        raise NoSuchSeat("You do not have this task. It was released, or it is no longer there.")
    return Seat(*row)


def held(connection: sqlite3.Connection, ctx: Context, worker: Worker, seat_id: str) -> Seat:
    """
    Return a seat that its worker may answer now.

    :raises SeatError: The worker may not.
    """
    seat = own(connection, worker, seat_id)
    at = tables.now(ctx)
    if seat.status == "answered":
        raise AlreadyAnswered("You have answered this task already.")
    if seat.status == "declined":
        raise NoSuchSeat("You have declined this task.")
    if seat.status == "ended" or seat.closing or seat.loop_status in loops.ENDED or seat.expires <= at:
        raise LoopEnded("This task has ended: it was stopped, it ran out, or others have answered it.")
    if seat.status == "lapsed" or seat.lease <= at:
        raise LeaseOver("Your time for this task is over. Take the next task: it is this one if nobody else took it.")
    return seat
