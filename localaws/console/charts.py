"""Charts as SVG: the places of lines and labels. The template draws them, and the style sheet has the colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

#: of the drawing, in its own units; it is scaled to the page.
WIDTH, HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 10, 24
#: lines that can be told apart.
MOST_LINES = 6

Series = tuple[str, Sequence[tuple[datetime, float]]]


@dataclass(frozen=True)
class Line:
    """One series: the points of a polyline, and the last one for a dot."""

    name: str
    points: str
    end: tuple[float, float]
    last: float


@dataclass(frozen=True)
class Tick:
    """A label at an axis, at a place along it."""

    at: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True)
class LineChart:
    """Lines over time."""

    title: str
    lines: Sequence[Line]
    rows: Sequence[Tick]
    columns: Sequence[Tick]
    kind: str = "lines"
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


def line_chart(title: str, series: Sequence[Series]) -> LineChart | None:
    """Return a chart of up to :data:`MOST_LINES` series; ``None`` where none has a point."""
    series = [(name, points) for name, points in series if points][:MOST_LINES]
    if not series:
        return None
    moments = [moment for _, points in series for moment, _ in points]
    values = [value for _, points in series for _, value in points if math.isfinite(value)]
    begin, end = min(moments), max(moments)
    rows = _rows(min(values, default=0.0), max(values, default=0.0))
    low, high = rows[0], rows[-1]

    def place(moment: datetime, value: float) -> tuple[float, float]:
        x = _across(moment, begin, end)
        y = HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)
        return round(x, 1), round(y, 1)

    lines = []
    for name, points in series:
        finite = [(moment, value) for moment, value in points if math.isfinite(value)]
        places = [place(*point) for point in finite]
        if places:
            lines.append(Line(name, " ".join(f"{x},{y}" for x, y in places), places[-1], finite[-1][1]))
    ticks = [Tick(place(begin, value)[1], f"{value:g}", "end") for value in rows]
    return LineChart(title, lines, ticks, _columns(begin, end))


def _rows(low: float, high: float) -> list[float]:
    """Return about four round values that hold all between."""
    if high == low:
        low, high = (0.0, high) if high > 0 else (low, low + 1)
    rough = (high - low) / 3
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)]


def _across(moment: datetime, begin: datetime, end: datetime, left: int = _LEFT) -> float:
    whole = (end - begin).total_seconds()
    share = (moment - begin).total_seconds() / whole if whole else 0.5
    return left + share * (WIDTH - _RIGHT - left)


def _columns(begin: datetime, end: datetime, left: int = _LEFT) -> list[Tick]:
    form = "%H:%M:%S" if end - begin < timedelta(days=1) else "%m-%d %H:%M"
    if begin == end:
        return [Tick(_across(begin, begin, end, left), f"{begin.astimezone(UTC):{form}}")]
    middle = begin + (end - begin) / 2
    anchors = ((begin, "start"), (middle, "middle"), (end, "end"))
    return [
        Tick(round(_across(each, begin, end, left), 1), f"{each.astimezone(UTC):{form}}", anchor)
        for each, anchor in anchors
    ]


#: a lane of a time line: its name, its states from a moment to another, and what happened at moments.
Span = tuple[datetime, datetime, str]
Event = tuple[datetime, str, str]
_LANE, _NAME = 46, 18


@dataclass(frozen=True)
class Bar:
    """A state that lasted: where, and its kind, which is its colour."""

    x: float
    width: float
    kind: str
    text: str


@dataclass(frozen=True)
class Lane:
    """One resource in a time line."""

    name: str
    y: int
    bars: Sequence[Bar]
    marks: Sequence[Bar]


@dataclass(frozen=True)
class TimeLine:
    """What several resources were, one below the other over the same time."""

    title: str
    lanes: Sequence[Lane]
    columns: Sequence[Tick]
    height: int
    kind: str = "timeline"
    width: int = WIDTH
    left: int = 8
    right: int = WIDTH - _RIGHT


def time_line(
    title: str, lanes: Sequence[tuple[str, Sequence[Span], Sequence[Event]]], begin: datetime, end: datetime
) -> TimeLine:
    """
    Return a time line.

    :param lanes: name, spans of a state's kind, and events with a kind and a text. What is before ``begin`` is cut.
    """
    drawn = []
    for number, (name, spans, events) in enumerate(lanes):
        bars = []
        for since, until, state in spans:
            if until > begin:
                x = _across(max(since, begin), begin, end, 8)
                bars.append(Bar(round(x, 1), round(max(1.0, _across(until, begin, end, 8) - x), 1), state, state))
        marks = [
            Bar(round(_across(moment, begin, end, 8), 1), 0, kind, text)
            for moment, kind, text in events
            if moment >= begin
        ]
        drawn.append(Lane(name, number * _LANE + _NAME, bars, marks))
    return TimeLine(title, drawn, _columns(begin, end, 8), len(drawn) * _LANE + _BOTTOM + 4)
