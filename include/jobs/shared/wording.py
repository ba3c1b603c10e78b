"""Words and amounts as people read them; "unknown" for what was not measured."""

from __future__ import annotations

UNKNOWN = "unknown"


def duration(seconds: float | None) -> str:
    """Write a duration as ``4.2 s``, ``48 s``, ``6 min 40 s`` or ``1 h 5 min``."""
    if seconds is None:
        return UNKNOWN
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def amount(value: float | None, unit: str) -> str:
    """Write an amount as ``0.42 ms``, ``9.3 ms`` or ``128 ms``: three digits at most."""
    if value is None:
        return UNKNOWN
    digits = 2 if value < 0.995 else 1 if value < 99.95 else 0
    return f"{value:,.{digits}f} {unit}"


def size(count: float | None) -> str:
    """Write a size as ``12 kB``, ``2.1 MB`` or ``85 MB``, in powers of a thousand."""
    if count is None:
        return UNKNOWN
    for unit, power in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        value = count / power
        if value < 999.5 or unit == "GB":
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
    raise AssertionError("the last unit takes everything")


def cell(text: str) -> str:
    """Return a text as one cell of a table in Markdown."""
    return " ".join(text.replace("|", "\\|").split())
