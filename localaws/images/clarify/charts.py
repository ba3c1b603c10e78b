"""The report's charts, as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from localaws.images.clarify.bias import Analysis, FacetValue

INK, FAINT, POSITIVE, OTHER, BELOW = "#22272e", "#8a929c", "#2f6f9f", "#c3cbd4", "#b5483a"
#: bars beyond this cannot be told apart; the tables have all.
MOST = 40


def label(analysis: Analysis) -> bytes:
    """Draw a bar for each outcome, the positive ones dark, or a histogram of a continuous label."""
    figure, axes = _figure(3.4)
    counts = analysis.outcomes.value_counts()
    if pd.api.types.is_numeric_dtype(analysis.outcomes.dtype) and len(counts) > MOST:
        axes.hist(analysis.outcomes.astype(float), bins=MOST, color=OTHER)
        axes.set_ylabel("rows", color=INK)
        return _png(figure, axes, f"{analysis.label}: positive is {analysis.positive}")
    counts = counts.head(MOST)
    shown = counts.sort_index() if pd.api.types.is_numeric_dtype(analysis.outcomes.dtype) else counts
    positive = set(analysis.positive.split(","))
    names = [str(value) for value in shown.index]
    bars = axes.bar(names, list(shown), color=[POSITIVE if name in positive else OTHER for name in names], width=0.6)
    axes.bar_label(bars, [f"{count:,}\n{count / analysis.rows:.1%}" for count in shown], padding=3, color=INK)
    axes.set_yticks([])
    axes.margins(y=0.22)
    return _png(figure, axes, f"{analysis.label}: rows by outcome (dark: positive)")


def facet(name: str, values: Sequence[FacetValue]) -> bytes:
    """Draw a bar for each facet value, the largest on top, split into positive and other outcomes."""
    shown = sorted(values, key=lambda entry: entry.rows)[-MOST:]
    figure, axes = _figure(_height(len(shown)))
    names = [_short(entry.value) for entry in shown]
    positive = [entry.positives for entry in shown]
    axes.barh(names, positive, color=POSITIVE, height=0.72, label="positive outcome")
    rest = [entry.rows - entry.positives for entry in shown]
    bars = axes.barh(names, rest, left=positive, color=OTHER, height=0.72, label="other outcomes")
    labels = [f"{entry.rows:,}  ({entry.positives / entry.rows:.0%} positive)" for entry in shown]
    axes.bar_label(bars, labels, padding=4, color=INK, fontsize=8)
    axes.set_xticks([])
    axes.margins(x=0.22, y=0.02)
    axes.legend(loc="lower right", frameon=False, fontsize=8)
    return _png(figure, axes, f"{name}: rows by value{_cut(len(values))}")


def metrics(name: str, values: Sequence[FacetValue]) -> bytes:
    """Draw a panel for each metric with a bar for each facet value; bars below zero have another colour."""
    shown = sorted(values, key=lambda entry: entry.rows)[-MOST:]
    columns = [metric["name"] for metric in values[0].metrics]
    figure = Figure(figsize=(9, _height(len(shown)) + 0.3), dpi=110, layout="constrained")
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    names = [_short(entry.value) for entry in shown]
    for place, (axes, column) in enumerate(zip(panels, columns, strict=True)):
        numbers = [_plain(entry.metrics[place]["value"]) for entry in shown]
        axes.barh(names, numbers, color=[BELOW if number < 0 else POSITIVE for number in numbers], height=0.72)
        axes.axvline(0, color=FAINT, linewidth=0.8)
        axes.set_title(column, fontsize=10, color=INK)
        axes.tick_params(axis="x", labelsize=7, colors=FAINT)
        axes.locator_params(axis="x", nbins=2)
        axes.margins(y=0.02)
        _clean(axes)
        if not any(numbers):
            axes.set_xlim(-1, 1)
    panels[0].tick_params(axis="y", labelsize=8, colors=INK)
    figure.suptitle(f"{name}: metrics by value{_cut(len(values))}", x=0.01, ha="left", fontweight="bold", color=INK)
    return _save(figure)


def _plain(value: float | str | None) -> float:
    """Return a bar's length, which is 0 for an infinite or missing value; the tables show such a value as it is."""
    return value if isinstance(value, float) else 0.0


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9, height), dpi=110, layout="constrained")
    return figure, figure.subplots()


def _height(bars: int) -> float:
    return max(2.6, 1.0 + 0.27 * bars)


def _short(text: str, most: int = 28) -> str:
    # A dollar sign would begin a formula.
    return (text if len(text) <= most else f"{text[: most - 1]}…").replace("$", r"\$")


def _cut(count: int) -> str:
    return f" (the {MOST} largest of {count})" if count > MOST else ""


def _clean(axes: Axes) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(axis="both", length=0)


def _png(figure: Figure, axes: Axes, title: str) -> bytes:
    _clean(axes)
    axes.tick_params(colors=INK, labelsize=9)
    axes.set_title(title.replace("$", r"\$"), loc="left", fontsize=11, fontweight="bold", color=INK, pad=12)
    return _save(figure)


def _save(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()
