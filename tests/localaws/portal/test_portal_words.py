"""Times as the portal's pages show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from localaws.portal import words

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "no time"),
        (0, "no time"),
        (59, "less than a minute"),
        (60, "1 minute"),
        (7199, "1 hour"),
        (7200, "2 hours"),
        (10 * 86400 - 1, "9 days"),
    ],
)
def test_time_until_is_in_its_largest_unit(seconds: int, text: str) -> None:
    assert words.until(NOW + timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65, "1:05"), (3600, "1:00:00"), (36_061, "10:01:01")])
def test_clock_has_hours_only_where_there_are_some(seconds: int, text: str) -> None:
    assert words.clock(seconds) == text
