"""The candidates of an AutoML job."""

from __future__ import annotations

import math
from typing import Any

from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.operations import Service
from localaws.sagemaker.automl import candidates
from localaws.sagemaker.automl.api import find

auto_ml_candidate = Service("sagemaker", resource="auto-ml-candidate")


@auto_ml_candidate.operation
def list_candidates_for_auto_ml_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return candidates by status or name; oldest first, or by SortBy, where those without an objective are last."""
    found = candidates.of(find(request["AutoMLJobName"], ctx), ctx)
    for member, key in (("StatusEquals", "CandidateStatus"), ("CandidateNameEquals", "CandidateName")):
        if wanted := request.get(member):
            found = [candidate for candidate in found if candidate[key] == wanted]
    keys = {
        "CreationTime": lambda candidate: candidate["CreationTime"],
        "Status": lambda candidate: candidate["CandidateStatus"],
        "FinalObjectiveMetricValue": _objective,
    }
    found.sort(key=keys[request.get("SortBy", "CreationTime")], reverse=request.get("SortOrder") == "Descending")
    page, more = pagination.page(found, request)
    return {"Candidates": page, **more}


def _objective(candidate: dict[str, Any]) -> float:
    value = candidates.value(candidate)
    return -math.inf if value is None else value
