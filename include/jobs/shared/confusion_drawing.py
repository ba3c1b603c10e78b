"""The confusion matrix as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

NAMES = ("negative", "neutral", "positive")
INK, FAINT = "#22272e", "#8a929c"


def draw_confusion_matrix(report: dict[str, Any], path: Path) -> None:
    """Counts in the cells; the colour is the share of the row, so that the classes compare."""
    metrics = report["metrics"]
    counts = np.array(metrics["confusion_matrix"]["value"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = plt.subplots(figsize=(6.2, 5.6), dpi=120, layout="constrained")
    try:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row in range(len(NAMES)):
            for column in range(len(NAMES)):
                share = shares[row, column]
                text = f"{counts[row, column]:,}\n{share:.0%}"
                axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.55 else INK)
        axes.set_xticks(range(len(NAMES)), NAMES)
        axes.set_yticks(range(len(NAMES)), NAMES, rotation=90, va="center")
        axes.set_xlabel("predicted", color=INK)
        axes.set_ylabel("true", color=INK)
        axes.tick_params(length=0, colors=INK)
        axes.spines[:].set_visible(False)
        title = "Test split by true and predicted sentiment"
        heading = f"SYNTHETIC: {title}" if report["synthetic"] else title
        axes.set_title(heading, loc="left", fontsize=12, fontweight="bold", color=INK, pad=26)
        figures = f"accuracy {metrics['accuracy']['value']:.3f}, macro F1 {metrics['macro_f1']['value']:.3f}"
        place = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
        axes.annotate(f"{report['reviews']:,} reviews, {figures}", (0, 1), (0, 9), fontsize=10, color=FAINT, **place)
        figure.savefig(path, metadata={"Software": None})
    finally:
        plt.close(figure)
