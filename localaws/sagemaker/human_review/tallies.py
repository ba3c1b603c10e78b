"""How much a worker has done."""

from __future__ import annotations

from datetime import datetime

from localaws.core.context import Context
from localaws.sagemaker.human_review import tables
from localaws.sagemaker.workforce.members import Worker


def counts(ctx: Context, worker: Worker) -> dict[str, int]:
    """Return how many tasks a worker has answered and declined."""
    with tables.reading(ctx) as connection:
        rows = connection.execute(
            "SELECT status, count(*) FROM seat WHERE worker = ? AND status IN ('answered', 'declined') GROUP BY status",
            (worker.worker_id,),
        ).fetchall()
    return {"answered": 0, "declined": 0, **dict(rows)}


def answered_since(ctx: Context, worker: Worker, since: datetime) -> int:
    """Return how many tasks a worker has answered from a moment on."""
    with tables.reading(ctx) as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM seat WHERE worker = ? AND status = 'answered' AND submitted >= ?",
            (worker.worker_id, tables.micros(since)),
        ).fetchone()
    return int(count)
