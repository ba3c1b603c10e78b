"""People against the model as a picture: the table of both, and the accuracy of each share."""

from __future__ import annotations

from typing import Any

import numpy as np
from confusion_drawing import heat_map
from figures import INK, LEAD, plain, png, titled
from matplotlib.axes import Axes


def draw(report: dict[str, Any]) -> bytes:
    """Return the picture as a PNG."""
    title = f"People and model: {report['labelled']} reviews labelled of {report['asked']}"
    figure = titled(title, (11, 4.8), synthetic=report["synthetic"])
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.15])
    counts = np.array(report["model"]["all"]["confusion"])
    heat_map(left, counts, rows="people", columns="model", percentages=False)
    _accuracy(right, {name: found for name, found in report["model"].items() if found["reviews"]})
    return png(figure)


def _accuracy(axes: Axes, shares: dict[str, dict[str, Any]]) -> None:
    for place, found in enumerate(shares.values()):
        low, high = (100 * value for value in found["interval"])
        axes.plot([low, high], [place, place], color=LEAD, linewidth=2)
        axes.plot(100 * found["accuracy"], place, "o", color=LEAD)
        axes.annotate(f"{found['accuracy']:.0%}", (100 * found["accuracy"], place), (0, 8), ha="center", color=INK,
                      textcoords="offset points")  # fmt: skip
    axes.set_yticks(range(len(shares)), [f"{name}\n{found['reviews']} reviews" for name, found in shares.items()])
    axes.set_ylim(len(shares) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.4g} %")
    plain(axes, "The model is right, by people; 95 % intervals", grid="x")
