"""Before lineage is read: what has become of the jobs and deployments."""

from __future__ import annotations

from localaws.core.context import Context
from localaws.sagemaker.jobs.resource import ALL
from localaws.sagemaker.lineage import deployments


def look(ctx: Context) -> None:
    """Take note of what has ended, with the entities that this makes."""
    for noun in ALL:
        noun.all(ctx)
    deployments.settle(ctx)
