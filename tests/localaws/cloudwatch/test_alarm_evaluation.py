"""What data say of an alarm: the tables of CloudWatch's guide on missing data, and the words of the reasons."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localaws.cloudwatch import evaluation
from localaws.moto_bridge.metrics import Sample

END = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
MINUTE = timedelta(seconds=60)
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def state(pattern: str, needed: int, treatment: str) -> str | None:
    """The state for five periods: X breaches, 0 does not, - is missing."""
    samples = [
        Sample(END - (5 - place) * MINUTE, 1, value, value, value)
        for place, mark in enumerate(pattern)
        if (value := {"X": 9.0, "0": 1.0, "-": None}[mark]) is not None
    ]
    alarm = _alarm(DatapointsToAlarm=needed, TreatMissingData=treatment)
    found = evaluation.datapoints(samples, "Sum", END, MINUTE, 5)
    verdict = evaluation.judge(alarm, found)
    return verdict.state if verdict else None


def _alarm(**members: Any) -> dict[str, Any]:
    return {"EvaluationPeriods": 3, "Threshold": 5.0, "ComparisonOperator": "GreaterThanThreshold", **members}


@pytest.mark.parametrize(
    ("pattern", "states"),
    [
        ("0-X-X", ("OK", "OK", "OK", "OK")),
        ("0----", ("OK", "OK", "OK", "OK")),
        ("-----", ("INSUFFICIENT_DATA", None, "ALARM", "OK")),
        ("0XX-X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("--X--", ("ALARM", None, "ALARM", "OK")),
    ],
)
def test_three_of_three(pattern: str, states: tuple[str | None, ...]) -> None:
    assert tuple(state(pattern, 3, treatment) for treatment in TREATMENTS) == states


@pytest.mark.parametrize(
    ("pattern", "states"),
    [
        ("0-X-X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("00X0X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("0-X--", ("OK", "OK", "ALARM", "OK")),
        ("----0", ("OK", "OK", "ALARM", "OK")),
        ("---X-", ("ALARM", None, "ALARM", "OK")),
    ],
)
def test_two_of_three(pattern: str, states: tuple[str | None, ...]) -> None:
    assert tuple(state(pattern, 2, treatment) for treatment in TREATMENTS) == states


@pytest.mark.parametrize(
    ("statistic", "value"), [("SampleCount", 5), ("Sum", 12), ("Average", 2.4), ("Minimum", 1), ("Maximum", 6)]
)
def test_statistics_over_a_period(statistic: str, value: float) -> None:
    samples = [Sample(END - timedelta(seconds=20), 4, 6, 1, 3), Sample(END - timedelta(seconds=40), 1, 6, 6, 6)]
    (point,) = evaluation.datapoints(samples, statistic, END, MINUTE, 3)
    assert (point.start, point.value, point.samples) == (END - MINUTE, value, 5)


@pytest.mark.parametrize(("statistic", "value"), [("p0.0", 1), ("p50", 2), ("p50.1", 7), ("p99.9", 7), ("p100", 7)])
def test_percentiles_over_a_period(statistic: str, value: float) -> None:
    times = END - timedelta(seconds=20), END - timedelta(seconds=40)
    samples = [Sample(times[0], 2, 8, 1, 7, {1.0: 1.0, 7.0: 1.0}), Sample(times[1], 2, 9, 2, 7, {2.0: 1.0, 7.0: 1.0})]
    (point,) = evaluation.datapoints(samples, statistic, END, MINUTE, 3)
    assert (point.value, point.samples) == (value, 4)


def test_there_is_no_percentile_of_a_statistic_set_or_of_negative_values() -> None:
    at = END - timedelta(seconds=20)
    for samples in ([Sample(at, 2, 3, 1, 2)], [Sample(at, 1, -1, -1, -1, {-1.0: 1.0})]):
        assert evaluation.datapoints(samples, "p50", END, MINUTE, 3) == []


def test_a_period_includes_its_start_and_not_its_end() -> None:
    samples = [Sample(END - count * MINUTE, 1, count, count, count) for count in range(4)]
    found = evaluation.datapoints(samples, "Sum", END, MINUTE, 2)
    assert [(point.start, point.value) for point in found] == [(END - 2 * MINUTE, 2), (END - MINUTE, 1)]


def test_the_reasons_are_in_cloudwatchs_words() -> None:
    at = END - 3 * MINUTE
    points = [evaluation.Datapoint(at + place * MINUTE, 6.0 + place, 1) for place in range(3)]
    verdict = evaluation.judge(_alarm(), points)
    assert verdict is not None
    assert verdict.reason == (
        "Threshold Crossed: 3 out of the last 3 datapoints [6.0 (28/11/26 11:57:00), 7.0 (28/11/26 11:58:00), 8.0 "
        "(28/11/26 11:59:00)] were greater than the threshold (5.0) (minimum 3 datapoints for OK -> ALARM transition)."
    )
    verdict = evaluation.judge(_alarm(EvaluationPeriods=1), [evaluation.Datapoint(at, 1.0, 1)])
    assert verdict is not None
    assert verdict.reason == (
        "Threshold Crossed: 1 out of the last 1 datapoint [1.0 (28/11/26 11:57:00)] was not greater than the threshold "
        "(5.0) (minimum 1 datapoint for ALARM -> OK transition)."
    )
    verdict = evaluation.judge(_alarm(), [])
    assert verdict is not None
    assert verdict.reason == "Insufficient Data: 3 datapoints were unknown."
