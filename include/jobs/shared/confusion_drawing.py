"""Draw a confusion matrix, alone or as a panel of another picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

NAMES = ("negative", "neutral", "positive")
INK, FAINT = "#22272e", "#8a929c"


def heat_map(axes: Axes, counts: np.ndarray, *, rows: str, columns: str, percentages: bool) -> None:
    """
    Draw counts by sentiment; the colour is the share of the row, so that the classes compare.

    :param counts: [3, 3].
    :param rows: label of the axis of the rows; ``columns`` that of the columns.
    :param percentages: whether a cell also shows its share of the row.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{counts[row, column]:,}" + (f"\n{share:.0%}" if percentages else "")
        axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.55 else INK)
    axes.set_xticks(range(len(NAMES)), NAMES)
    axes.set_yticks(range(len(NAMES)), NAMES, rotation=90, va="center")
    axes.set_xlabel(columns, color=INK)
    axes.set_ylabel(rows, color=INK)
    axes.tick_params(length=0, colors=INK)
    axes.spines[:].set_visible(False)


def draw_confusion_matrix(report: dict[str, Any], path: Path) -> None:
    """Write the confusion matrix of an evaluation as a PNG."""
    metrics = report["metrics"]
    counts = np.array(metrics["confusion_matrix"]["value"])
    figure, axes = plt.subplots(figsize=(6.2, 5.6), dpi=120, layout="constrained")
    try:
        heat_map(axes, counts, rows="true", columns="predicted", percentages=True)
        title = "Test split by true and predicted sentiment"
        heading = f"SYNTHETIC: {title}" if report["synthetic"] else title
        axes.set_title(heading, loc="left", fontsize=12, fontweight="bold", color=INK, pad=26)
        figures = f"accuracy {metrics['accuracy']['value']:.3f}, macro F1 {metrics['macro_f1']['value']:.3f}"
        place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
        axes.annotate(f"{report['reviews']:,} reviews, {figures}", (0, 1), (0, 9), fontsize=10, color=FAINT, **place)
        figure.savefig(path, metadata={"Software": None})
    finally:
        plt.close(figure)
