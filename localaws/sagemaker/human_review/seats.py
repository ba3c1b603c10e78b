"""
Seats: what workers take, answer and give back. All that the worker portal may call.

A seat is one worker's place in one loop. Each function is a transaction of the store, so that two workers never get the
last seat of a loop, and what it did is on disk when it returns.
"""

from __future__ import annotations

from typing import Any

from localaws.core import clock, reconciler
from localaws.core.context import Context
from localaws.sagemaker.human_review import answers, flows, loops, seat_rows, tables, templates
from localaws.sagemaker.human_review.lead import Answered, Overview, Waiting, labels, lead
from localaws.sagemaker.human_review.people import (
    AlreadyAnswered,
    BadAnswer,
    Held,
    Job,
    LeaseOver,
    LoopEnded,
    NoSuchSeat,
    NothingLeft,
    SeatError,
    Task,
)
from localaws.sagemaker.human_review.seat_rows import Place, Seat
from localaws.sagemaker.human_review.tallies import answered_since, counts
from localaws.sagemaker.workforce.members import Worker

__all__ = [
    "AlreadyAnswered",
    "Answered",
    "BadAnswer",
    "Held",
    "Job",
    "LeaseOver",
    "LoopEnded",
    "NoSuchSeat",
    "NothingLeft",
    "Overview",
    "SeatError",
    "Task",
    "Waiting",
    "answered_since",
    "counts",
    "decline",
    "get",
    "held",
    "jobs",
    "labels",
    "lead",
    "pause",
    "release",
    "save_draft",
    "submit",
    "take",
]

_GONE = "This task is no longer there."
#: Bytes of a draft.
MOST_DRAFT = 64 * 1024
#: A loop that a worker may take: open, with a free seat, and not one that the worker has, answered or declined.
_TAKABLE = """
    status = 'InProgress' AND closing IS NULL AND expires > :now
    AND wanted > (
        SELECT count(*) FROM seat WHERE seat.loop = human_loop.id AND (
            seat.status = 'answered' OR (seat.status IN ('open', 'paused') AND seat.lease > :now)))
    AND NOT EXISTS (
        SELECT 1 FROM seat WHERE seat.loop = human_loop.id AND seat.worker = :worker AND (
            seat.status IN ('answered', 'declined') OR (seat.status IN ('open', 'paused') AND seat.lease > :now)))
"""


def jobs(ctx: Context, worker: Worker) -> list[Job]:
    """Return the flows that have tasks for a worker, or tasks that the worker has taken, by name."""
    open_by: dict[str, tuple[int, int | None]] = {}
    mine_by: dict[str, int] = {}
    with tables.reading(ctx) as connection:
        values = {"now": tables.now(ctx), "worker": worker.worker_id}
        for team in worker.teams:
            takable = connection.execute(
                f"SELECT flow, count(*), min(expires) FROM human_loop WHERE team = :team AND {_TAKABLE}"  # noqa: S608
                " GROUP BY flow",
                {**values, "team": team},
            )
            open_by |= {flow: (count, first) for flow, count, first in takable}
            mine = connection.execute(
                "SELECT flow, count(*) FROM seat WHERE worker = :worker AND team = :team"
                " AND status IN ('open', 'paused') AND lease > :now GROUP BY flow",
                {**values, "team": team},
            )
            mine_by |= dict(mine)
    found = (_job(ctx, flow, *open_by.get(flow, (0, None)), mine_by.get(flow, 0)) for flow in {*open_by, *mine_by})
    return sorted((job for job in found if job is not None), key=lambda job: job.flow_name)


def _job(ctx: Context, flow: str, count: int, first: int | None, mine: int) -> Job | None:
    record = ctx.store.get(flows.KIND, flow)
    if record is None:
        return None
    config = record["HumanLoopConfig"]
    return Job(
        flow,
        record["FlowDefinitionArn"],
        config["WorkteamArn"],
        config["TaskTitle"],
        config["TaskDescription"],
        tuple(config.get("TaskKeywords", ())),
        count,
        mine,
        None if first is None else tables.moment(first),
    )


def take(ctx: Context, worker: Worker, flow_name: str) -> Task:
    """
    Give a worker the task that he has open in a flow, or else the oldest that he may have.

    :raises NothingLeft: There is none.
    """
    while True:
        seat = _taken(ctx, worker, flow_name)
        try:
            return _task(ctx, seat)
        except LoopEnded:
            # The template does not take this loop's input, or the loop was deleted just now.
            continue


def _taken(ctx: Context, worker: Worker, flow_name: str) -> Seat:
    record = ctx.store.get(flows.KIND, flow_name)
    if record is None or record["HumanLoopConfig"]["WorkteamArn"] not in worker.teams:
        raise NothingLeft(f"There is no job {flow_name} for you.")
    team = record["HumanLoopConfig"]["WorkteamArn"]
    limit = record["HumanLoopConfig"].get("TaskTimeLimitInSeconds", flows.TIME_LIMIT)
    with tables.transaction(ctx) as connection:
        at = tables.now(ctx)
        mine = seat_rows.held_in(connection, worker, flow_name, at)
        if mine is not None:
            return mine
        row = connection.execute(
            f"SELECT id, name, expires FROM human_loop WHERE team = :team AND flow = :flow AND {_TAKABLE}"  # noqa: S608
            " ORDER BY created, id LIMIT 1",
            {"now": at, "worker": worker.worker_id, "team": team, "flow": flow_name},
        ).fetchone()
        if row is None:
            raise NothingLeft(f"No task is left for you in {flow_name}.")
        loop, name, expires = row
        lease = min(at + int(clock.real(limit) * 1_000_000), expires)
        return seat_rows.sit(connection, worker, Place(loop, name, flow_name, team), at, lease)


def _task(ctx: Context, seat: Seat) -> Task:
    """
    Render a seat's task.

    :raises LoopEnded: That is not possible.
    """
    found = _held(ctx, seat)
    with tables.reading(ctx) as connection:
        content = loops.content(connection, seat.loop)
    if content is None:
        raise LoopEnded(_GONE)
    try:
        template = flows.template(ctx, seat.flow)
    except LookupError as error:
        raise LoopEnded(_GONE) from error
    rendered = templates.render(template.content, content, ctx)
    if rendered.problem is not None:
        with tables.transaction(ctx) as connection:
            loops.fail(connection, seat.loop, tables.now(ctx), "ValidationError", rendered.problem.message)
        reconciler.poke()
        raise LoopEnded("This task cannot be shown: its template does not fit its input.")
    return Task(**vars(found), html=rendered.content)


def _held(ctx: Context, seat: Seat) -> Held:
    """
    Return a seat's task without what it shows.

    :raises LoopEnded: Its flow is no longer there.
    """
    record = ctx.store.get(flows.KIND, seat.flow)
    if record is None:
        raise LoopEnded(_GONE)
    return Held(
        seat.id,
        seat.loop_name,
        seat.flow,
        record["HumanLoopConfig"]["TaskTitle"],
        record["HumanLoopConfig"]["TaskDescription"],
        tables.moment(seat.lease),
        tables.moment(seat.expires),
        seat.entered,
    )


def get(ctx: Context, worker: Worker, seat_id: str) -> Task:
    """
    Return a task that a worker has taken.

    :raises SeatError: The worker may not answer it any more.
    """
    return _task(ctx, _seat(ctx, worker, seat_id))


def held(ctx: Context, worker: Worker, seat_id: str) -> Held:
    """
    Return a task that a worker has taken without rendering its template, which is most of the work of :func:`get`.

    :raises SeatError: The worker may not answer it any more.
    """
    return _held(ctx, _seat(ctx, worker, seat_id))


def _seat(ctx: Context, worker: Worker, seat_id: str) -> Seat:
    with tables.reading(ctx) as connection:
        return seat_rows.held(connection, ctx, worker, seat_id)


def save_draft(ctx: Context, worker: Worker, seat_id: str, draft: dict[str, Any]) -> None:
    """
    Keep what a worker has entered so far.

    :raises BadAnswer: It is no JSON object, or more than 64 KiB.
    :raises SeatError: The worker may not answer any more.
    """
    try:
        text = answers.check({}, draft)
    except answers.Unfit as error:
        raise BadAnswer(str(error)) from error
    if len(text.encode()) > MOST_DRAFT:
        raise BadAnswer(f"What you entered is too long to be kept as a draft: {MOST_DRAFT:,} bytes are the most.")
    with tables.transaction(ctx) as connection:
        seat = seat_rows.held(connection, ctx, worker, seat_id)
        connection.execute("UPDATE seat SET draft = ? WHERE id = ?", (text, seat.id))


def submit(ctx: Context, worker: Worker, seat_id: str, answer: dict[str, Any]) -> None:
    """
    Keep a worker's answer. The same answer again is fine.

    :raises BadAnswer: It is no JSON object, more than 1 MiB, or none of the template's categories.
    :raises SeatError: The worker may not answer any more.
    """
    with tables.reading(ctx) as connection:
        flow = seat_rows.own(connection, worker, seat_id).flow
    try:
        text = answers.check(flows.template(ctx, flow).categories, answer)
    except LookupError as error:
        raise NoSuchSeat(_GONE) from error
    except answers.Unfit as error:
        raise BadAnswer(str(error)) from error
    with tables.transaction(ctx) as connection:
        seat = seat_rows.own(connection, worker, seat_id)
        if seat.status == "answered" and seat.answer == text:
            return
        seat = seat_rows.held(connection, ctx, worker, seat_id)
        at = tables.now(ctx)
        connection.execute(
            "UPDATE seat SET status = 'answered', submitted = ?, answer = ?, label = ?, draft = NULL WHERE id = ?",
            (at, text, answers.label(answer), seat.id),
        )
        loops.close_if_complete(connection, seat.loop)
        loops.close_if_left(connection, seat.loop, at)
    reconciler.poke()


def decline(ctx: Context, worker: Worker, seat_id: str) -> None:
    """Give a task to others; it does not come back to this worker."""
    _leave(ctx, worker, seat_id, "UPDATE seat SET status = 'declined', draft = NULL WHERE id = ?")


def release(ctx: Context, worker: Worker, seat_id: str) -> None:
    """Give a task back. What was entered is lost, and this worker may take it again."""
    _leave(ctx, worker, seat_id, "DELETE FROM seat WHERE id = ?")


def pause(ctx: Context, worker: Worker, seat_id: str) -> None:
    """Keep a task for later. Its time runs on."""
    _leave(ctx, worker, seat_id, "UPDATE seat SET status = 'paused' WHERE id = ?")


def _leave(ctx: Context, worker: Worker, seat_id: str, statement: str) -> None:
    with tables.transaction(ctx) as connection:
        seat = seat_rows.held(connection, ctx, worker, seat_id)
        connection.execute(statement, (seat.id,))
        loops.close_if_left(connection, seat.loop, tables.now(ctx))
    reconciler.poke()
