"""
Who leads a work team.

SageMaker knows no leads. Here, a worker leads those of his teams that take members from his identity provider, if he is
in a group of it that is called ``leads`` or ends with ``-leads``.
"""

from __future__ import annotations

from typing import Any

from localaws.sagemaker.workforce.members import Worker

GROUP = "leads"


def teams(worker: Worker) -> tuple[str, ...]:
    """Return the ARNs of the teams that a worker leads."""
    leads = any(group == GROUP or group.endswith(f"-{GROUP}") for group in worker.groups)
    return worker.teams if leads else ()


def frame_values(worker: Worker) -> dict[str, Any]:
    """Return what the frame of every page for workers shows."""
    return {"worker": worker, "is_lead": bool(teams(worker))}
