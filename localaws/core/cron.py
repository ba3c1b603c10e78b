"""Glue's cron expressions, ``cron(minutes hours day-of-month month day-of-week year)`` in UTC, and when they fire."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

_EXPRESSION = re.compile(r"cron\((.+)\)")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
#: name, first and last value, names of the values.
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minutes", 0, 59, ()),
    ("hours", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 1, 7, _WEEKDAYS),
    ("year", 1970, 2199, ()),
)
#: 29 February comes back after eight years at the latest; a year named explicitly may be further off.
_HORIZON = timedelta(days=366 * 8 + 1)


@dataclass(frozen=True)
class Cron:
    """The values at which each field fires; weekdays count from 1, Sunday."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    years: frozenset[int]

    @classmethod
    def parse(cls, expression: str) -> Cron:
        """
        Read an expression.

        :raises ValueError: malformed, or neither day field is ``?``.
        :raises NotImplementedError: ``L``, ``W`` or ``#``, which localaws does not do.
        """
        match = _EXPRESSION.fullmatch(expression.strip())
        parts = match[1].split() if match else []
        if len(parts) != len(_FIELDS):
            raise ValueError(f"not a cron expression of six fields: {expression}")
        if "?" not in (parts[2], parts[4]):
            raise ValueError(f"day of month or day of week must be ?: {expression}")
        return cls(*(_values(part, *field) for part, field in zip(parts, _FIELDS, strict=True)))

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first minute after ``moment`` (aware) at which this fires; ``None`` if none in eight years."""
        moment = moment.astimezone(UTC)
        day = moment.date()
        if self.years and day.year < min(self.years):
            day = date(min(self.years), 1, 1)
        for offset in range(_HORIZON.days):
            if fires := self._on(day + timedelta(days=offset), moment):
                return fires
        return None

    def _on(self, day: date, moment: datetime) -> datetime | None:
        weekday = day.isoweekday() % 7 + 1
        if day.year not in self.years or day.month not in self.months:
            return None
        if day.day not in self.days or weekday not in self.weekdays:
            return None
        times = (time(hour, minute, tzinfo=UTC) for hour in sorted(self.hours) for minute in sorted(self.minutes))
        return next((fires for at in times if (fires := datetime.combine(day, at)) > moment), None)


def _values(part: str, name: str, first: int, last: int, names: tuple[str, ...]) -> frozenset[int]:
    values: set[int] = set()
    for item in part.upper().split(","):
        span, _, step = item.partition("/")
        try:
            values |= set(_span(span, step, first, last, names))
        except (ValueError, IndexError) as error:
            if re.fullmatch(r"\d*[LW]|L-\d+|LW|\d#\d|[A-Z]{3}[L#]\d?", item):
                raise NotImplementedError(f"{item} in a cron expression's {name}") from error
            raise ValueError(f"{part} is not a {name} from {first} to {last}") from error
    return frozenset(values)


def _span(span: str, step: str, first: int, last: int, names: tuple[str, ...]) -> Iterable[int]:
    if span in ("*", "?"):
        low, high = first, last
    else:
        begin, dash, end = span.partition("-")
        low = _number(begin, first, names)
        # 5/15 means every 15 from 5 on.
        high = _number(end, first, names) if dash else last if step else low
    if not first <= low <= high <= last or (step and int(step) < 1):
        raise ValueError(span)
    return range(low, high + 1, int(step) if step else 1)


def _number(text: str, first: int, names: tuple[str, ...]) -> int:
    return names.index(text) + first if text in names else int(text)
