"""Before lineage is read: what has become of the jobs and deployments."""

from __future__ import annotations

from localaws.context import Context
from localaws.job_noun import ALL
from localaws.lineage import deployments


def look(ctx: Context) -> None:
    """Take note of what has ended, with the entities that this makes."""
    for noun in ALL:
        noun.all(ctx)
    deployments.settle(ctx)
