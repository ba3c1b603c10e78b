"""The comparison as a picture: CI and DPL of each category, before and after."""

from __future__ import annotations

from typing import Any

from figures import INK, png
from matplotlib.axes import Axes
from matplotlib.figure import Figure

FAINT, BEFORE, AFTER = "#8a929c", "#c3cbd4", "#2f6f9f"


def draw(report: dict[str, Any]) -> bytes:
    """Draw the categories, as PNG, in the order of the report, from the top."""
    rows = report["categories"][::-1]
    # A dollar sign would begin a formula.
    names = [str(row["category"]).replace("$", r"\$") for row in rows]
    figure = Figure(figsize=(10, max(3.2, 1.6 + 0.34 * len(rows))), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _panel(left, names, rows, "ci", "Class imbalance (CI)")
    _panel(right, names, rows, "dpl", "Difference in positive proportions (DPL)")
    left.axvline(report["expected_ci"], color=AFTER, linewidth=0.8, linestyle=":")
    left.tick_params(axis="y", labelsize=9, colors=INK)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower right", ncols=2, frameon=False, fontsize=9)
    mark = "SYNTHETIC: " if report["synthetic"] else ""
    title = f"{mark}Bias by category, before and after balancing"
    figure.suptitle(title, x=0.01, ha="left", fontsize=14, fontweight="bold", color=INK)
    return png(figure)


def _panel(axes: Axes, names: list[str], rows: list[dict[str, Any]], metric: str, title: str) -> None:
    places = range(len(rows))
    for offset, when, colour in ((0.2, "before", BEFORE), (-0.2, "after", AFTER)):
        values = [row[f"{metric}_{when}"] for row in rows]
        axes.barh([place + offset for place in places], values, height=0.38, color=colour, label=when)
        if when == "after" and not any(abs(value) > 1e-9 for value in values):
            # Bars of no length are there all the same.
            axes.plot([0.0] * len(rows), [place + offset for place in places], ".", color=colour, markersize=5)
    axes.set_yticks(places, names)
    axes.axvline(0, color=FAINT, linewidth=0.8)
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(length=0, labelsize=8, colors=FAINT)
    axes.tick_params(axis="y", colors=INK)
    axes.margins(y=0.02)
