"""
What the data of a metric say of an alarm.

The rules are those of https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html, and
its tables are the tests.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from localaws.moto_bridge.metrics import Sample
from localaws.moto_bridge.percentiles import PERCENTILE, percentile

#: Periods beyond the EvaluationPeriods that are searched for data where some are missing.
BEYOND = 2

_COMPARISONS = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
COMPARISONS = frozenset(_COMPARISONS)
TREATMENTS = frozenset(("missing", "ignore", "breaching", "notBreaching"))


class Datapoint(NamedTuple):
    """A statistic over one period."""

    start: datetime
    value: float
    samples: float


class Verdict(NamedTuple):
    """A state, and why."""

    state: str
    reason: str
    datapoints: Sequence[Datapoint]


def datapoints(
    samples: Iterable[Sample], statistic: str, end: datetime, period: timedelta, periods: int
) -> list[Datapoint]:
    """
    Return the statistic for each of the last periods that has data, the oldest first.

    :param statistic: One of CloudWatch's five, or a percentile, for which data without values do not count.
    :param end: When the last period ends.
    """
    found: dict[int, list[Sample]] = {}
    for sample in samples:
        place = (end - sample.time) / period
        # A period includes its start and not its end.
        if 0 < place <= periods:
            found.setdefault(int(place) if place != int(place) else int(place) - 1, []).append(sample)
    points = []
    for place, inside in sorted(found.items(), reverse=True):
        value = _statistic(inside, statistic)
        if value is not None:
            points.append(Datapoint(end - (place + 1) * period, value, sum(each.number for each in inside)))
    return points


def _statistic(samples: Sequence[Sample], statistic: str) -> float | None:
    if PERCENTILE.fullmatch(statistic):
        return percentile((each.values for each in samples), statistic)
    count, total = sum(each.number for each in samples), sum(each.total for each in samples)
    return {
        "SampleCount": count,
        "Sum": total,
        "Average": total / count if count else 0.0,
        "Minimum": min(each.least for each in samples),
        "Maximum": max(each.most for each in samples),
    }[statistic]


def judge(alarm: Mapping[str, Any], found: Sequence[Datapoint]) -> Verdict | None:
    """
    Return the state that the data of the evaluation range say, or ``None`` where it stays as it is.

    :param found: Datapoints of the evaluation range, the oldest first, without the missing ones.
    """
    periods = alarm["EvaluationPeriods"]
    considered = found[-periods:]
    if _has_too_few_samples(alarm, considered):
        return None
    breaching = [point for point in considered if _breaches(alarm, point.value)]
    state = _state(alarm, len(considered), len(breaching))
    if state is None:
        return None
    if state == "INSUFFICIENT_DATA":
        return Verdict(state, f"Insufficient Data: {periods} datapoint{_s(periods)} {_were(periods)} unknown.", [])
    return Verdict(state, _reason(alarm, state, considered, breaching), considered)


def _has_too_few_samples(alarm: Mapping[str, Any], considered: Sequence[Datapoint]) -> bool:
    """Return whether an alarm on a percentile waits for more data: AWS needs ten beyond it."""
    if alarm.get("EvaluateLowSampleCountPercentile") != "ignore" or not considered:
        return False
    share = float(alarm["ExtendedStatistic"][1:]) / 100
    rest = min(share, 1 - share)
    return rest > 0 and sum(point.samples for point in considered) < 10 / rest - 1e-6


def _state(alarm: Mapping[str, Any], known: int, breaching: int) -> str | None:
    needed = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    missing = alarm["EvaluationPeriods"] - known
    treatment = alarm.get("TreatMissingData", "missing") if missing else "missing"
    if treatment == "breaching":
        breaching += missing
    elif treatment == "ignore":
        if breaching < needed and breaching == known:
            return None
    elif treatment == "missing":
        if not known:
            return "INSUFFICIENT_DATA"
        # What there is decides, so that an alarm on sparse data works at all.
        needed = min(needed, known)
    return "ALARM" if breaching >= needed else "OK"


def _breaches(alarm: Mapping[str, Any], value: float) -> bool:
    compare, _ = _COMPARISONS[alarm["ComparisonOperator"]]
    return bool(compare(value, alarm["Threshold"]))


def _reason(alarm: Mapping[str, Any], state: str, known: Sequence[Datapoint], breaching: Sequence[Datapoint]) -> str:
    _, words = _COMPARISONS[alarm["ComparisonOperator"]]
    is_alarm = state == "ALARM"
    told = breaching if is_alarm else [point for point in known if point not in breaching]
    needed = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    periods = alarm["EvaluationPeriods"]
    if not told:
        treated = "Breaching" if alarm.get("TreatMissingData") == "breaching" else "NonBreaching"
        return (
            f"Threshold Crossed: no datapoints were received for {periods} period{_s(periods)} and {periods} missing "
            f"datapoint{_s(periods)} {_were(periods)} treated as [{treated}]."
        )
    values = ", ".join(f"{point.value} ({point.start.astimezone(UTC):%d/%m/%y %H:%M:%S})" for point in told[-10:])
    least = needed if is_alarm else max(1, periods - needed + 1)
    change = "OK -> ALARM" if is_alarm else "ALARM -> OK"
    return (
        f"Threshold Crossed: {len(told)} out of the last {periods} datapoint{_s(periods)} [{values}] "
        f"{_were(len(told))} {'' if is_alarm else 'not '}{words} the threshold ({alarm['Threshold']}) "
        f"(minimum {least} datapoint{_s(least)} for {change} transition)."
    )


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
