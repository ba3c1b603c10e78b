"""
What a scaling policy wants: the arithmetic of target tracking and of steps.

The rules are those of the guide of Application Auto Scaling; where it prints none, docs/localaws.md says what is ours.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from localaws.core.errors import NotImplementedByLocalAws, ValidationException

Record = dict[str, Any]

#: Alarms of target tracking: periods in a row above the target, and below this share of it.
HIGH_PERIODS, LOW_PERIODS, LOW_SHARE = 3, 15, 0.9
#: Seconds that a cooldown has for SageMaker where the policy does not say.
COOLDOWN = 300

#: Predefined metric -> the metric of AWS/SageMaker, and its statistic.
PREDEFINED = {"SageMakerVariantInvocationsPerInstance": ("InvocationsPerInstance", "Sum")}


def check(request: Mapping[str, Any]) -> None:
    """
    Refuse a policy that nothing could follow.

    :raises ValidationException: It contradicts itself or lacks something.
    :raises NotImplementedByLocalAws: It asks for what is not here.
    """
    kind = request.get("PolicyType", "StepScaling")
    if kind == "PredictiveScaling":
        raise NotImplementedByLocalAws("The policy type PredictiveScaling is not implemented by localaws.")
    member = f"{kind}PolicyConfiguration"
    if member not in request:
        raise ValidationException(f"{member} must be given for policy type {kind}.")
    if kind == "StepScaling":
        _check_steps(request[member])
    else:
        _check_tracking(request[member])


def _check_tracking(config: Mapping[str, Any]) -> None:
    if config["TargetValue"] <= 0:
        raise ValidationException(f"TargetValue must be greater than 0, and is {config['TargetValue']}.")
    given = [name for name in ("PredefinedMetricSpecification", "CustomizedMetricSpecification") if name in config]
    if len(given) != 1:
        raise ValidationException(
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be given."
        )
    for member in ("ScaleOutCooldown", "ScaleInCooldown"):
        if config.get(member, 0) < 0:
            raise ValidationException(f"{member} must not be negative.")
    if "PredefinedMetricSpecification" in config:
        name = config["PredefinedMetricSpecification"]["PredefinedMetricType"]
        if name.startswith("SageMaker") and name not in PREDEFINED:
            raise NotImplementedByLocalAws(f"The predefined metric {name} is not implemented by localaws.")
        if name not in PREDEFINED:
            raise ValidationException(f"The predefined metric {name} is not one of SageMaker's.")
        return
    metric = config["CustomizedMetricSpecification"]
    if "Metrics" in metric:
        raise NotImplementedByLocalAws("Metric math in a scaling policy is not implemented by localaws.")
    if missing := [member for member in ("MetricName", "Namespace", "Statistic") if member not in metric]:
        raise ValidationException(f"CustomizedMetricSpecification must have {' and '.join(missing)}.")


def _check_steps(config: Mapping[str, Any]) -> None:
    steps = config.get("StepAdjustments", [])
    if not steps or "AdjustmentType" not in config:
        raise ValidationException("A step scaling policy must have an AdjustmentType and at least one step adjustment.")
    if len(steps) > 20:
        raise ValidationException("A step scaling policy has at most 20 step adjustments.")
    if config.get("Cooldown", 0) < 0:
        raise ValidationException("Cooldown must not be negative.")
    if "MinAdjustmentMagnitude" in config and config["AdjustmentType"] != "PercentChangeInCapacity":
        raise ValidationException("MinAdjustmentMagnitude is for the adjustment type PercentChangeInCapacity only.")
    bounds = sorted(
        (step.get("MetricIntervalLowerBound", -math.inf), step.get("MetricIntervalUpperBound", math.inf))
        for step in steps
    )
    if any(low >= high for low, high in bounds):
        raise ValidationException("The upper bound of a step adjustment must be greater than its lower bound.")
    for (_, before), (after, _) in itertools.pairwise(bounds):
        if before != after:
            raise ValidationException("The intervals of step adjustments must neither overlap nor leave a gap.")
    if bounds[0][0] < 0 and bounds[0][0] != -math.inf:
        raise ValidationException("Where a step adjustment has a negative lower bound, another must have none.")
    if bounds[-1][1] > 0 and bounds[-1][1] != math.inf:
        raise ValidationException("Where a step adjustment has a positive upper bound, another must have none.")


def tracked(current: int, value: float, target: float) -> int:
    """Return the capacity that brings a metric per instance to its target: in proportion, rounded up."""
    # Not above by what a float cannot tell: 3 * 0.1 / 0.3 is 1.
    return math.ceil(current * value / target - 1e-9)


def stepped(config: Mapping[str, Any], current: int, beyond: float) -> int | None:
    """
    Return the capacity that a step policy wants.

    :param beyond: By how much the metric is above the alarm's threshold; negative below it.
    :returns: ``None`` where no step covers that.
    """
    step = _step(config["StepAdjustments"], beyond)
    if step is None:
        return None
    amount: int = step["ScalingAdjustment"]
    if config["AdjustmentType"] == "ExactCapacity":
        return amount
    if config["AdjustmentType"] == "PercentChangeInCapacity":
        amount = _percent(current, amount, config.get("MinAdjustmentMagnitude", 0))
    return current + amount


def _step(steps: Sequence[Mapping[str, Any]], beyond: float) -> Mapping[str, Any] | None:
    for step in steps:
        low, high = step.get("MetricIntervalLowerBound", -math.inf), step.get("MetricIntervalUpperBound", math.inf)
        # Above the threshold a lower bound is part of its step, below it the upper bound is.
        if low <= beyond < high if beyond >= 0 else low < beyond <= high:
            return step
    return None


def _percent(current: int, percent: int, least: int) -> int:
    change = current * percent / 100
    # As the guide says: above 1 rounded down, between 0 and 1 it is 1; likewise below 0.
    whole = math.trunc(change) if abs(change) >= 1 else int(math.copysign(1, change)) if change else 0
    return int(math.copysign(max(abs(whole), least), percent)) if percent else 0
