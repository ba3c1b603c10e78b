"""
Who leads a work team.

SageMaker knows no leads. Here, a worker leads those of his teams that take members from his user pool, if he is in a
group of the pool that is called ``leads`` or ends with ``-leads``.
"""

from __future__ import annotations

from localaws.core.context import Context
from localaws.moto_bridge import user_pools
from localaws.sagemaker.workforce.members import Worker

GROUP = "leads"


def teams(ctx: Context, worker: Worker) -> tuple[str, ...]:
    """Return the ARNs of the teams that a worker leads."""
    user = user_pools.user(worker.pool_id, worker.username)
    leads = user is not None and any(group == GROUP or group.endswith(f"-{GROUP}") for group in user.groups)
    return worker.teams if leads else ()
