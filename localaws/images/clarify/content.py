"""What a report says, block by block, whatever file it is written to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from localaws.images.clarify import charts
from localaws.images.clarify.bias import Analysis, FacetValue
from localaws.images.clarify.meanings import MEANINGS


@dataclass(frozen=True)
class Heading:
    """A heading of level 1 to 3."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True)
class Table:
    """
    A table.

    :param numeric: the columns that are set to the right, by their places.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Chart:
    """A drawing; ``text`` says in words what it shows."""

    name: str
    text: str
    png: bytes


Block = Heading | Paragraph | Table | Chart


def build(analysis: Analysis, title: str) -> list[Block]:
    """Return the whole report."""
    blocks: list[Block] = [Heading(title, 1), *_summary(analysis)]
    for number, (name, values) in enumerate(analysis.facets.items(), start=1):
        blocks += _facet(analysis, name, values, number)
    return blocks


def number(value: Any) -> str:
    """Format a metric's value."""
    if value is None:
        return "n/a"
    # Adding zero turns -0.0000 into 0.0000.
    return value if isinstance(value, str) else f"{round(value, 4) + 0.0:.4f}"


def _summary(analysis: Analysis) -> list[Block]:
    share = analysis.positives / analysis.rows
    setting = [
        ("Rows", f"{analysis.rows:,}"),
        ("Label", analysis.label),
        ("Positive outcome", analysis.positive),
        ("Rows with the positive outcome", f"{analysis.positives:,} ({share:.1%})"),
        ("Facets", ", ".join(analysis.facets)),
        ("Group variable", analysis.group or "none"),
    ]
    names = dict.fromkeys(
        metric["name"] for values in analysis.facets.values() for entry in values for metric in entry.metrics
    )
    described = {metric["name"]: metric["description"] for metric in next(iter(analysis.facets.values()))[0].metrics}
    return [
        Paragraph(
            "Bias in the data before any training: for each facet value, how the rows that have it (the group) compare "
            "with all others (the rest)."
        ),
        Heading("Analysis"),
        Table(("Setting", "Value"), setting),
        Heading(f"Label: {analysis.label}"),
        Chart("label", f"Distribution of the label {analysis.label}", charts.label(analysis)),
        Heading("Pre-training metrics"),
        Table(("Metric", "Name", "Meaning"), [(name, described[name], MEANINGS[name]) for name in names]),
    ]


def _facet(analysis: Analysis, name: str, values: list[FacetValue], place: int) -> list[Block]:
    columns = [metric["name"] for metric in values[0].metrics]
    overview = [
        (
            entry.value,
            f"{entry.rows:,}",
            f"{entry.positives / entry.rows:.1%}",
            *(number(metric["value"]) for metric in entry.metrics),
        )
        for entry in values
    ]
    blocks: list[Block] = [
        Heading(f"Facet: {name}"),
        Chart(f"facet{place}", f"Rows and outcomes by {name}", charts.facet(name, values)),
        Chart(f"metrics{place}", f"Metrics by {name}", charts.metrics(name, values)),
        Table(("Value", "Rows", "Positive", *columns), overview, frozenset(range(1, len(columns) + 3))),
    ]
    for entry in values:
        blocks += [
            Heading(f"{name} = {entry.value}", 3),
            Table(
                ("Metric", "Value", "Meaning"),
                [
                    (metric["name"], number(metric["value"]), metric.get("error") or MEANINGS[metric["name"]])
                    for metric in entry.metrics
                ],
                frozenset({1}),
            ),
        ]
    return blocks
