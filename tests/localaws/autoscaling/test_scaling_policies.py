"""What scaling policies want, by the examples of Application Auto Scaling's guide."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from localaws.autoscaling import policies, schedules
from localaws.core.errors import AwsError

OUT = {
    "AdjustmentType": "PercentChangeInCapacity",
    "StepAdjustments": [
        {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 10.0, "ScalingAdjustment": 0},
        {"MetricIntervalLowerBound": 10.0, "MetricIntervalUpperBound": 20.0, "ScalingAdjustment": 10},
        {"MetricIntervalLowerBound": 20.0, "ScalingAdjustment": 30},
    ],
}


@pytest.mark.parametrize(
    ("current", "value", "target", "wanted"),
    [(1, 4.0, 2.0, 2), (2, 2.1, 2.0, 3), (3, 0.1, 0.3, 1), (4, 0.0, 2.0, 0), (2, 2.0, 2.0, 2), (1, 100.0, 2.0, 50)],
)
def test_target_tracking_is_in_proportion_and_rounds_up(current: int, value: float, target: float, wanted: int) -> None:
    assert policies.tracked(current, value, target) == wanted


@pytest.mark.parametrize(("beyond", "wanted"), [(0, 10), (9.9, 10), (10, 11), (20, 13), (1000, 13), (-1, None)])
def test_steps_above_the_threshold_include_their_lower_bound(beyond: float, wanted: int | None) -> None:
    assert policies.stepped(OUT, 10, beyond) == wanted


@pytest.mark.parametrize(
    ("adjustment", "amount", "least", "wanted"),
    [
        ("ChangeInCapacity", -3, 0, 7),
        ("ExactCapacity", 4, 0, 4),
        ("PercentChangeInCapacity", 25, 0, 12),
        ("PercentChangeInCapacity", 4, 0, 11),
        ("PercentChangeInCapacity", -25, 0, 8),
        ("PercentChangeInCapacity", 10, 3, 13),
        ("PercentChangeInCapacity", 0, 3, 10),
    ],
)
def test_kinds_of_adjustment(adjustment: str, amount: int, least: int, wanted: int) -> None:
    config = {
        "AdjustmentType": adjustment,
        "MinAdjustmentMagnitude": least,
        "StepAdjustments": [{"ScalingAdjustment": amount}],
    }
    assert policies.stepped(config, 10, 5.0) == wanted


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], "at least one step"),
        ([{"MetricIntervalLowerBound": 5.0, "MetricIntervalUpperBound": 5.0, "ScalingAdjustment": 1}], "greater than"),
        (
            [
                {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 5.0, "ScalingAdjustment": 1},
                {"MetricIntervalLowerBound": 6.0, "ScalingAdjustment": 2},
            ],
            "neither overlap nor leave a gap",
        ),
        (
            [{"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 5.0, "ScalingAdjustment": 1}],
            "must have none",
        ),
    ],
)
def test_steps_that_leave_something_open_are_refused(steps: list[dict[str, Any]], words: str) -> None:
    config = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps}
    with pytest.raises(AwsError, match=words):
        policies.check({"PolicyType": "StepScaling", "StepScalingPolicyConfiguration": config})


@pytest.mark.parametrize(
    ("schedule", "zone", "after", "wanted"),
    [
        ("at(2026-11-28T12:00:00)", "UTC", "2026-11-28T11:59:00", "2026-11-28T12:00:00"),
        ("at(2026-11-28T12:00:00)", "Europe/Berlin", "2026-11-28T10:59:00", "2026-11-28T11:00:00"),
        ("at(2026-11-28T12:00:00)", "UTC", "2026-11-28T12:00:00", None),
        ("rate(5 minutes)", "UTC", "2026-11-28T12:04:59", "2026-11-28T12:05:00"),
        ("rate(5 minutes)", "UTC", "2026-11-28T12:05:00", "2026-11-28T12:10:00"),
        ("cron(0 9 * * ? *)", "UTC", "2026-11-28T09:00:00", "2026-11-29T09:00:00"),
        ("cron(0 9 * * ? *)", "America/New_York", "2026-11-28T13:00:00", "2026-11-28T14:00:00"),
    ],
)
def test_times_of_schedules(schedule: str, zone: str, after: str, wanted: str | None) -> None:
    origin = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    found = schedules._next(schedule, ZoneInfo(zone), datetime.fromisoformat(f"{after}+00:00"), origin)
    assert found == (datetime.fromisoformat(f"{wanted}+00:00") if wanted else None)
