"""TuningJobCompletionCriteria: when a tuning job is good enough, or does not get any better."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.sagemaker.tuning import trials
from localaws.sagemaker.tuning.search import searches

Record = dict[str, Any]

#: By how much, relative to it, a better objective must be better to count as an improvement: AWS's 1 %.
_IMPROVEMENT = 0.01
#: Training jobs without an improvement after which the search has converged. AWS does not publish its own criteria.
CONVERGED = 10


def reached(record: Record) -> bool:
    """Return whether one of the job's completion criteria holds."""
    criteria = record["HyperParameterTuningJobConfig"].get("TuningJobCompletionCriteria", {})
    values = _better_is_more(record)
    target = criteria.get("TargetObjectiveMetricValue")
    if target is not None and any(value >= searches(record)[0].sign * target for value in values):
        return True
    patience = criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving")
    if patience and not_improving(values) >= patience:
        return True
    converged = criteria.get("ConvergenceDetected", {}).get("CompleteOnConvergence") == "Enabled"
    return converged and not_improving(values) >= CONVERGED


def details(record: Record, ctx: Context) -> Record:
    """Return TuningJobCompletionDetails as they are now; the time at which the job converged stays."""
    count = not_improving(_better_is_more(record))
    before = record.get("TuningJobCompletionDetails", {})
    since = before.get("ConvergenceDetectedTime") or (ctx.now() if count >= CONVERGED else None)
    found = {"NumberOfTrainingJobsObjectiveNotImproving": count}
    return {"TuningJobCompletionDetails": {**found, **({"ConvergenceDetectedTime": since} if since else {})}}


def not_improving(values: list[float]) -> int:
    """Return how many of the last values are no improvement over those before them; more is better."""
    best, count = float("-inf"), 0
    for value in values:
        better = best == float("-inf") or value - best >= _IMPROVEMENT * abs(best)
        best, count = max(best, value), 0 if better else count + 1
    return count


def _better_is_more(record: Record) -> list[float]:
    sign = searches(record)[0].sign
    found = [trials.value(trial) for trial in record["_Trials"] if trials.ended(trial)]
    return [sign * value for value in found if value is not None]
