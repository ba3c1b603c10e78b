"""What becomes of an AutoML job's candidates: each behind an endpoint of its own to be judged, and the best to stay."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from amazon_ml.specs.auto_ml import answering

#: what an endpoint is to answer, in this order.
COLUMNS = ("predicted_label", "probability")


def to_judge(job: Mapping[str, Any], *, endpoint: str, reports: str) -> list[dict[str, Any]]:
    """
    Return the arguments of the task group ``judge`` for each candidate that completed, the best first.

    :param job: what AutoMLJobOperator returns.
    :param endpoint: name that those of the endpoints begin with.
    :param reports: S3 prefix of the evaluations, without a slash at its end.
    """
    completed = [candidate for candidate in job["candidates"] if candidate["status"] == "Completed"]
    return [
        {
            "name": f"autopilot-{rank}",
            "kind": f"Autopilot: {_kind(candidate['name'], job['name'])}",
            "containers": answering(candidate["containers"], COLUMNS),
            "model_data": [container["model_data"] for container in candidate["containers"]],
            "training_seconds": candidate["training_seconds"],
            "endpoint": f"{endpoint}-{rank}",
            "report": f"{reports}/autopilot-{rank}/",
        }
        for rank, candidate in enumerate(completed, start=1)
    ]


def best(plans: Sequence[Mapping[str, Any]]) -> Any:
    """Return the containers of the best candidate, after each of them has its evaluation."""
    return plans[0]["containers"]


def _kind(candidate: str, job: str) -> str:
    """Return a candidate's name without that of its job and without the mark at the end that makes it unique."""
    return re.sub(r"-[0-9a-f]{8}$", "", candidate.removeprefix(job)).strip("-") or candidate
