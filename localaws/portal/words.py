"""Times as pages show them."""

from __future__ import annotations

from datetime import datetime

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


def until(moment: datetime, now: datetime) -> str:
    """Return how long it is until a moment, in its largest unit: ``3 hours``."""
    seconds = (moment - now).total_seconds()
    for size, unit in _UNITS:
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}" + ("s" if count > 1 else "")
    return "less than a minute" if seconds > 0 else "no time"


def clock(seconds: int) -> str:
    """Return seconds as ``h:mm:ss``, or ``m:ss`` below an hour."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def at(moment: datetime) -> str:
    """Return a moment in the time zone of this computer: ``2026-03-01 14:05``."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
