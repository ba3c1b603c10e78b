"""When cron expressions fire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from localaws.core.cron import Cron

NOW = datetime(2026, 11, 24, 10, 30, 15, tzinfo=UTC)  # a Tuesday


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(15 12 * * ? *)", datetime(2026, 11, 24, 12, 15, tzinfo=UTC)),
        ("cron(30 10 * * ? *)", datetime(2026, 11, 25, 10, 30, tzinfo=UTC)),
        ("cron(0/15 * * * ? *)", datetime(2026, 11, 24, 10, 45, tzinfo=UTC)),
        ("cron(*/10 * * * ? *)", datetime(2026, 11, 24, 10, 40, tzinfo=UTC)),
        ("cron(0 8 1 * ? *)", datetime(2026, 12, 1, 8, 0, tzinfo=UTC)),
        ("cron(0 18 ? * MON-FRI *)", datetime(2026, 11, 24, 18, 0, tzinfo=UTC)),
        ("cron(0 18 ? * 1,7 *)", datetime(2026, 11, 28, 18, 0, tzinfo=UTC)),
        ("cron(0 0 ? JAN SUN *)", datetime(2027, 1, 3, 0, 0, tzinfo=UTC)),
        ("cron(0 0 29 2 ? *)", datetime(2028, 2, 29, 0, 0, tzinfo=UTC)),
        ("cron(0 0 1 1 ? 2031)", datetime(2031, 1, 1, 0, 0, tzinfo=UTC)),
        ("cron(0 0 30 2 ? *)", None),
        ("cron(0 0 1 1 ? 2020)", None),
    ],
)
def test_next_time(expression: str, expected: datetime | None) -> None:
    assert Cron.parse(expression).next_after(NOW) == expected


def test_next_time_is_in_utc_whatever_the_zone_of_the_question() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5)))
    assert Cron.parse("cron(15 12 * * ? *)").next_after(there) == datetime(2026, 11, 24, 12, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "expression",
    [
        "every day",
        "rate(5 minutes)",
        "cron(0 12 * * ?)",
        "cron(0 12 * * * *)",
        "cron(60 12 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 0 0 * ? *)",
        "cron(0 0 ? * 8 *)",
        "cron(5-1 0 * * ? *)",
        "cron(0/0 0 * * ? *)",
        "cron(x 0 * * ? *)",
    ],
)
def test_malformed_expression_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"cron expression|must be|is not a"):
        Cron.parse(expression)


@pytest.mark.parametrize("expression", ["cron(0 0 L * ? *)", "cron(0 0 15W * ? *)", "cron(0 0 ? * 6#3 *)"])
def test_last_weekday_and_nth_are_refused_by_name(expression: str) -> None:
    with pytest.raises(NotImplementedError, match=r"L|W|#"):
        Cron.parse(expression)
