"""What the lead of a work team sees: the queue, who answered when, and what runs out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localaws.core.context import Context
from localaws.sagemaker.human_review import tables


@dataclass(frozen=True)
class Waiting:
    """
    A loop that needs answers.

    :param answered: Answers that it has.
    :param held: Workers who have it open now.
    """

    loop_name: str
    flow_name: str
    created_at: datetime
    expires_at: datetime
    wanted: int
    answered: int
    held: int


@dataclass(frozen=True)
class Answered:
    """
    A worker's answer.

    :param seconds: From taking the task to submitting it.
    :param label: What was chosen, where the template has a classifier.
    """

    loop_name: str
    flow_name: str
    worker: str
    at: datetime
    seconds: float
    label: str | None


@dataclass(frozen=True)
class Overview:
    """
    A team's work; each list is one page.

    :param waiting: How many loops need answers in all.
    :param answered: How many answers there are in all.
    :param queue: Loops that need answers, newest first.
    :param answers: Answers, newest first.
    :param expiring: Loops that need answers, those that run out first first.
    :param older: ``before`` of the next page of answers; ``None`` on the last.
    """

    waiting: int
    answered: int
    queue: list[Waiting]
    answers: list[Answered]
    expiring: list[Waiting]
    older: str | None


_WAITING = """
    SELECT name, flow, created, expires, wanted,
        (SELECT count(*) FROM seat WHERE seat.loop = human_loop.id AND seat.status = 'answered'),
        (SELECT count(*) FROM seat WHERE seat.loop = human_loop.id AND seat.status IN ('open', 'paused')
            AND seat.lease > :now)
    FROM human_loop WHERE team = :team AND status = 'InProgress' AND closing IS NULL
"""


def lead(ctx: Context, team_arn: str, *, size: int = 50, offset: int = 0, before: str | None = None) -> Overview:
    """
    Return a page of a team's work.

    :param size: Rows of each list.
    :param offset: Where the queue's page begins.
    :param before: ``older`` of the page of answers before.
    :raises ValueError: ``before`` is no such thing.
    """
    bound, seat = _place(before)
    with tables.reading(ctx) as connection:
        values = {"team": team_arn, "now": tables.now(ctx), "size": size, "offset": offset}
        queue = connection.execute(f"{_WAITING} ORDER BY created DESC, id DESC LIMIT :size OFFSET :offset", values)
        waiting = [_waiting(row) for row in queue]
        expiring = [_waiting(row) for row in connection.execute(f"{_WAITING} ORDER BY expires, id LIMIT :size", values)]
        rows = connection.execute(
            "SELECT id, loop_name, flow, username, submitted, taken, label FROM seat WHERE team = ?"
            " AND status = 'answered' AND (submitted, id) < (?, ?) ORDER BY submitted DESC, id DESC LIMIT ?",
            (team_arn, bound, seat, size + 1),
        ).fetchall()
        (in_queue,) = connection.execute(
            "SELECT count(*) FROM human_loop WHERE team = ? AND status = 'InProgress' AND closing IS NULL", (team_arn,)
        ).fetchone()
        (answered,) = connection.execute(
            "SELECT count(*) FROM seat WHERE team = ? AND status = 'answered'", (team_arn,)
        ).fetchone()
    older = f"{rows[size - 1][4]}-{rows[size - 1][0]}" if len(rows) > size else None
    return Overview(in_queue, answered, waiting, [_answered(row) for row in rows[:size]], expiring, older)


def labels(ctx: Context, team_arn: str, *, most: int = 10_000) -> list[tuple[str, str, str]]:
    """
    Return loop, worker and label of a team's latest labelled answers, which its agreement is measured by.

    Workers are named by their ids: two may have one display name.
    """
    with tables.reading(ctx) as connection:
        rows: list[tuple[str, str, str]] = connection.execute(
            "SELECT loop_name, worker, label FROM seat WHERE team = ? AND status = 'answered' AND label IS NOT NULL"
            " ORDER BY submitted DESC, id DESC LIMIT ?",
            (team_arn, most),
        ).fetchall()
    return rows


def _place(before: str | None) -> tuple[int, str]:
    if before is None:
        return 2**62, ""
    at, _, seat = before.partition("-")
    return int(at), seat


def _waiting(row: tuple[Any, ...]) -> Waiting:
    name, flow, created, expires, wanted, answered, held = row
    return Waiting(name, flow, tables.moment(created), tables.moment(expires), wanted, answered, held)


def _answered(row: tuple[Any, ...]) -> Answered:
    _, name, flow, worker, at, taken, label = row
    return Answered(name, flow, worker, tables.moment(at), (at - taken) / 1_000_000, label)
