"""How much a worker has done."""

from __future__ import annotations

from localaws.core.context import Context
from localaws.sagemaker.human_review import seats
from localaws.sagemaker.workforce.members import Worker


def counts(ctx: Context, worker: Worker) -> dict[str, int]:
    """Return how many tasks a worker has answered and declined, and how many of them he answered ``today`` (local)."""
    midnight = ctx.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    return {**seats.counts(ctx, worker), "today": seats.answered_since(ctx, worker, midnight)}
