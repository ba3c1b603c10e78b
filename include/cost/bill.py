"""The lines of an estimate or of a bill, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from include.cost import prices

_HOUR = 3600


@dataclass(frozen=True)
class Line:
    """
    What one task costs.

    :param usd: None where no price is known.
    """

    task: str
    what: str
    usd: float | None


def instances(task: str, use: str, instance_type: str, seconds: float, count: int = 1, times: int = 1) -> Line:
    """
    Return the line of instances that run for a time.

    :param use: "processing", "training", "hosting" or "transform".
    :param seconds: of each instance and time.
    :param count: instances at once.
    :param times: jobs of the same kind.
    """
    each = f"{count} x {instance_type}" if count > 1 else instance_type
    what = f"{f'{times} x ' if times > 1 else ''}{seconds / 60:.1f} min of {each} ({use})"
    try:
        usd = prices.hourly(instance_type, use) * seconds / _HOUR * count * times
    except prices.NoPrice as error:
        return Line(task, f"{what}; {error}", None)
    return Line(task, what, usd)


def total(lines: Iterable[Line]) -> float:
    """Return the sum of what has a price."""
    return sum(line.usd or 0.0 for line in lines)


def without_price(lines: Iterable[Line]) -> list[Line]:
    """Return the lines that no price is known for."""
    return [line for line in lines if line.usd is None]


def amount(lines: list[Line]) -> str:
    """Return the sum in dollars, and that some of it has no price."""
    return f"{dollars(total(lines))}{' and what has no price' if without_price(lines) else ''}"


def dollars(usd: float) -> str:
    """Return an amount in dollars: to the cent, and below ten cents to a hundredth of one."""
    return f"${usd:.4f}" if 0 < usd < 0.1 else f"${usd:,.2f}"


def shown(title: str, lines: list[Line], notes: Iterable[str] = ()) -> Iterator[str]:
    """Yield the lines of a table for a task's log."""
    yield f"{title}: {amount(lines)}"
    width = max((len(line.task) for line in lines), default=0)
    for line in lines:
        yield f"  {line.task:<{width}}  {'?' if line.usd is None else dollars(line.usd):>9}  {line.what}"
    for note in notes:
        yield f"  {note}"
