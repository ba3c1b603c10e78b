"""The candidates of an AutoML job as a picture: the objective of each, and how long its training took."""

from __future__ import annotations

from typing import Any

from figures import INK, LEAD, png
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from wording import duration

REST = "#9db4c6"


def draw(report: dict[str, Any]) -> bytes:
    """Draw the candidates, as PNG, in the order of the report, from the top."""
    rows = report["candidates"]
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    figure = Figure(figsize=(9, 1.5 + 0.55 * len(rows)), dpi=120, layout=layout)
    axes = figure.subplots()
    longest = max((row["value"] or 0.0 for row in rows), default=0.0) or 1.0
    for place, row in enumerate(rows):
        value = row["value"] or 0.0
        axes.barh(place, value, height=0.5, color=LEAD if place == 0 else REST)
        words = row["status"] if row["value"] is None else f"{value:.4f}"
        axes.annotate(
            f"{words}  in {duration(row['training_seconds'])}",
            (value, place),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=10,
            color=INK,
        )
    # The job's name is in front of each; a dollar sign would begin a formula.
    names = [row["name"].removeprefix(report["job"]).strip("-") or row["name"] for row in rows]
    axes.set_yticks(range(len(rows)), [name.replace("$", r"\$") for name in names])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, longest * 1.45)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=10, colors=INK)
    mark = "SYNTHETIC: " if report["synthetic"] else ""
    metric = next((row["metric"] for row in rows if row["metric"]), "objective")
    title = f"{mark}Autopilot's candidates by {metric}"
    figure.suptitle(title, x=0.015, ha="left", fontsize=14, fontweight="bold", color=INK)
    return png(figure)
