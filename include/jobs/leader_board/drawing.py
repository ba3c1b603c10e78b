"""The leader board as a picture: accuracy with its interval, and what each model costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from figures import FAINT, INK, LEAD, LINE, png, titled
from matplotlib.axes import Axes
from wording import amount, duration, size

REST = "#9db4c6"


def draw(board: dict[str, Any]) -> bytes:
    """Draw the models, as PNG, in the order of the board, from the top."""
    rows = board["models"]
    height = 2.1 + 0.62 * len(rows)
    title = f"Sentiment models on the same {board['test_split']['reviews']:,} test reviews"
    figure = titled(title, (12, height), synthetic=board["synthetic"])
    panels = figure.subplots(1, 4, sharey=True, width_ratios=[2.1, 1, 1, 1])
    _accuracy(panels[0], rows)
    _bars(panels[1], rows, "Training", [row["training_seconds"] for row in rows], duration)
    _bars(panels[2], rows, "Latency, median", [row["latency_ms"]["p50"] for row in rows], _milliseconds)
    _bars(panels[3], rows, "Size of the model", [row["model_bytes"] for row in rows], size)
    panels[0].set_yticks(range(len(rows)), [_name(row) for row in rows])
    panels[0].set_ylim(len(rows) - 0.45, -0.55)
    return png(figure)


def _accuracy(axes: Axes, rows: list[dict[str, Any]]) -> None:
    _plain(axes, "Accuracy, with its 95 % interval")
    for place, row in enumerate(rows):
        low, high = row["accuracy_95"]
        colour = LEAD if place == 0 else FAINT
        axes.plot([low, high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt", alpha=0.55)
        axes.plot(row["accuracy"], place, "o", color=colour, markersize=8)
        axes.annotate(
            f"{row['accuracy']:.1%}",
            (row["accuracy"], place),
            (0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=10.5,
            fontweight="bold" if place == 0 else "normal",
            color=colour if place == 0 else INK,
        )
    lows, highs = zip(*(row["accuracy_95"] for row in rows), strict=True)
    margin = max(0.02, 0.12 * (max(highs) - min(lows)))
    axes.set_xlim(max(0.0, min(lows) - margin), min(1.0, max(highs) + margin))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", labelsize=10.5, colors=INK)
    axes.tick_params(axis="x", labelsize=9, colors=FAINT)


def _bars(
    axes: Axes,
    rows: list[dict[str, Any]],
    title: str,
    values: list[float | None],
    words: Callable[[float | None], str],
) -> None:
    _plain(axes, title)
    longest = max((value for value in values if value), default=1.0)
    for place, value in enumerate(values):
        axes.barh(place, value or 0, height=0.42, color=LEAD if place == 0 else REST)
        colour = INK if value is not None else FAINT
        axes.annotate(
            words(value),
            (value or 0, place),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize=10,
            color=colour,
        )
    # Room for the words at the longest bar.
    axes.set_xlim(0, longest * 1.6)
    axes.set_xticks([])


def _plain(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=INK, pad=10)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _milliseconds(value: float | None) -> str:
    return amount(value, "ms")


def _name(row: dict[str, Any]) -> str:
    # A dollar sign would begin a formula.
    name, kind = (str(row[key]).replace("$", r"\$") for key in ("model", "kind"))
    return f"{name}\n{kind}" if kind and kind != name else name
