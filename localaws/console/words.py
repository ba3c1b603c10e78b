"""Values as people read them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

#: characters of a value in a table or list.
_MOST = 600


def at(moment: datetime) -> str:
    """Write a time, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def value(cell: Any) -> str:
    """Write what is in a cell."""
    if cell is None or cell == "":
        return "-"
    if isinstance(cell, datetime):
        return at(cell)
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.6g}"
    if isinstance(cell, int):
        return f"{cell:,}"
    return cut(str(cell))


def cut(text: str, most: int = _MOST) -> str:
    """Return a text, or its beginning."""
    return text if len(text) <= most else f"{text[:most]}…"


def size(number: int) -> str:
    """Write a number of bytes."""
    if number < 1024:
        return f"{number} B"
    amount = float(number)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1024
        if amount < 1024 or unit == "GiB":
            return f"{amount:,.1f} {unit}"
    raise AssertionError("not reached")


def lasted(begin: datetime | None, end: datetime | None) -> str | None:
    """Write how long something took; ``None`` where it has not ended."""
    if begin is None or end is None:
        return None
    return str(timedelta(seconds=round((end - begin).total_seconds())))


def document(answer: Any) -> str:
    """Write an API's answer as JSON."""

    def other(found: Any) -> str:
        return found.isoformat() if isinstance(found, datetime) else str(found)

    return json.dumps(answer, indent=2, ensure_ascii=False, default=other)
