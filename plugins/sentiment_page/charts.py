"""
Charts as inline SVG: text stays as large on a phone, since only places along the width are given in per cent.

Each has a title and a description for screen readers. Colours are classes of ``static/page.css``.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

#: the chart's number in its process, for the ids that ARIA refers to.
_numbers = itertools.count(1)

#: pixels: a row's height, where its bar or line is in it, and an axis below.
_ROW, _MIDDLE, _AXIS = 40, 27, 22
_BAR = 12
#: pixels: a chart over time.
_HEIGHT = 130
#: characters of a node's name.
_NAME = 30


@dataclass(frozen=True)
class Bars:
    """
    A row of a bar chart.

    :param label: above the bar on the left; ``text`` on the right.
    :param parts: CSS class and length of each part, in the chart's unit.
    """

    label: str
    text: str
    parts: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Dots:
    """
    A row of values on a common axis.

    :param marks: CSS class and value each.
    :param span: CSS class and both ends of a line, such as an interval or a change.
    """

    label: str
    text: str
    marks: Sequence[tuple[str, float]]
    span: tuple[str, float, float] | None = None


@dataclass(frozen=True)
class Line:
    """
    A line of a chart over time.

    :param points: seconds since the epoch, and value, in the order of time.
    """

    name: str
    css: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """
    The range of an axis, and what is written at it: a value and its text each.

    :param marked: a value that is told apart, such as zero.
    """

    low: float
    high: float
    ticks: Sequence[tuple[float, str]] = field(default_factory=tuple)
    marked: float | None = None

    def percent(self, value: float) -> str:
        """Return where a value is, from the left."""
        wide = (self.high - self.low) or 1.0
        return f"{min(100.0, max(0.0, 100 * (value - self.low) / wide)):.2f}%"


@dataclass(frozen=True)
class Node:
    """A node of a graph: what kind it is, its name, and the CSS class of its dot."""

    kind: str
    name: str
    css: str


def bars(title: str, description: str, rows: Sequence[Bars]) -> Markup:
    """Draw a bar a row; the longest takes the whole width."""
    longest = max((sum(length for _, length in row.parts) for row in rows), default=0) or 1.0
    drawn = Markup()
    for index, row in enumerate(rows):
        top, begin = index * _ROW, 0.0
        drawn += _words(row.label, row.text, top)
        for css, length in row.parts:
            wide = 100 * length / longest
            drawn += Markup('<rect class="{}" x="{:.2f}%" y="{}" width="{:.2f}%" height="{}"/>').format(
                css, begin, top + _MIDDLE - _BAR // 2, wide, _BAR
            )
            begin += wide
    return _svg(title, description, len(rows) * _ROW, drawn)


def dots(title: str, description: str, rows: Sequence[Dots], axis: Axis) -> Markup:
    """Draw values as dots on one axis, and a line between the ends of a span."""
    height = len(rows) * _ROW
    drawn = _grid(axis, height)
    for index, row in enumerate(rows):
        top = index * _ROW
        drawn += _words(row.label, row.text, top)
        drawn += Markup('<line class="rule" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(top + _MIDDLE)
        if row.span:
            css, low, high = row.span
            drawn += Markup('<line class="span {}" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(
                css, axis.percent(low), axis.percent(high), y=top + _MIDDLE
            )
        for css, value in row.marks:
            drawn += Markup('<circle class="dot {}" cx="{}" cy="{}" r="5"/>').format(
                css, axis.percent(value), top + _MIDDLE
            )
    return _svg(title, description, height + (_AXIS if axis.ticks else 4), drawn)


def lines(title: str, description: str, series: Sequence[Line], time: Axis, value: Axis, *, gap: float) -> Markup:
    """
    Draw lines over time.

    :param value: the axis upwards, with its texts on the left.
    :param gap: seconds without a point after which a line begins again.
    """
    drawn, inner = _grid(time, _HEIGHT), Markup()
    for at, text in value.ticks:
        y = _up(at, value)
        drawn += Markup('<line class="rule" x1="0" x2="100%" y1="{0:.1f}" y2="{0:.1f}"/>').format(y)
        drawn += Markup('<text class="tick halo" x="2" y="{:.1f}">{}</text>').format(max(10.0, y - 3), text)
    for line in series:
        for part in _parts(line.points, gap):
            if len(part) == 1:
                # A path of one point draws nothing.
                drawn += Markup('<circle class="dot {}" cx="{}" cy="{:.1f}" r="4"/>').format(
                    line.css, time.percent(part[0][0]), _up(part[0][1], value)
                )
                continue
            path = " L".join(f"{float(time.percent(at)[:-1]) * 10:.1f} {_up(size, value):.1f}" for at, size in part)
            inner += Markup('<path class="line {}" d="M{}"><title>{}</title></path>').format(line.css, path, line.name)
    drawn += Markup(
        '<svg viewBox="0 0 1000 {0}" preserveAspectRatio="none" width="100%" height="{0}">{1}</svg>'
    ).format(_HEIGHT, inner)
    return _svg(title, description, _HEIGHT + _AXIS, drawn)


def _parts(points: Sequence[tuple[float, float]], gap: float) -> list[list[tuple[float, float]]]:
    parts: list[list[tuple[float, float]]] = []
    for point in points:
        if not parts or point[0] - parts[-1][-1][0] > gap:
            parts.append([])
        parts[-1].append(point)
    return parts


def graph(title: str, description: str, nodes: Mapping[str, Node], edges: Sequence[tuple[str, str]]) -> Markup:
    """
    Draw a node a row, in the order given, and an arc for each edge on the left.

    :param nodes: by their keys, sources above what was made of them.
    :param edges: keys of source and destination; those of unknown nodes are passed over.
    """
    step, left = 34, 60
    places = {key: index * step + 17 for index, key in enumerate(nodes)}
    drawn = Markup()
    for source, destination in edges:
        if source in places and destination in places:
            y1, y2 = places[source], places[destination]
            bend = left - min(54, 12 + 9 * abs(y2 - y1) // step)
            drawn += Markup('<path class="edge" d="M{0} {1} C{2} {1} {2} {3} {0} {3}"/>').format(left, y1, bend, y2)
    for key, node in nodes.items():
        y = places[key]
        drawn += Markup('<circle class="dot {}" cx="{}" cy="{}" r="6"/>').format(node.css, left, y)
        drawn += Markup('<text class="kind" x="{}" y="{}">{}</text>').format(left + 14, y - 2, node.kind)
        drawn += Markup('<text class="name" x="{}" y="{}">{}</text>').format(left + 14, y + 12, _short(node.name))
    return _svg(title, description, len(nodes) * step + 4, drawn)


def _short(name: str) -> str:
    """Return a name that has room on a phone: its beginning and its end."""
    return name if len(name) <= _NAME else f"{name[: _NAME // 2]}\N{HORIZONTAL ELLIPSIS}{name[-(_NAME // 2) :]}"


def _up(value: float, axis: Axis) -> float:
    return _HEIGHT - float(axis.percent(value)[:-1]) / 100 * (_HEIGHT - 6)


def _grid(axis: Axis, height: int) -> Markup:
    drawn = Markup()
    for value, text in axis.ticks:
        at = axis.percent(value)
        drawn += Markup('<line class="rule" x1="{0}" x2="{0}" y1="0" y2="{1}"/>').format(at, height)
        place = float(at[:-1])
        anchor = "start" if place < 8 else "end" if place > 92 else "middle"
        drawn += Markup('<text class="tick" x="{}" y="{}" text-anchor="{}">{}</text>').format(
            at, height + 15, anchor, text
        )
    if axis.marked is not None:
        drawn += Markup('<line class="marked" x1="{0}" x2="{0}" y1="0" y2="{1}"/>').format(
            axis.percent(axis.marked), height
        )
    return drawn


def _words(label: str, text: str, top: int) -> Markup:
    return Markup(
        '<text class="label" x="0" y="{y}">{}</text><text class="value" x="100%" y="{y}" text-anchor="end">{}</text>'
    ).format(label, text, y=top + 14)


def _svg(title: str, description: str, height: float, drawn: Markup) -> Markup:
    number = next(_numbers)
    return Markup(
        '<svg class="chart" role="img" width="100%" height="{height}" aria-labelledby="c{number}t c{number}d">'
        '<title id="c{number}t">{title}</title><desc id="c{number}d">{description}</desc>{drawn}</svg>'
    ).format(height=height, number=number, title=title, description=description, drawn=drawn)
