"""The five charts: plain, labelled at the marks, alike in size and colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine

NAMES = {-1: "negative", 0: "neutral", 1: "positive"}
# Told apart in every common form of colour blindness, and in grey.
COLOURS = {-1: "#b5483a", 0: "#b9bec6", 1: "#2f6f9f"}
INK, FAINT, BAR = "#22272e", "#8a929c", "#2f6f9f"
LONGEST_SHOWN, BINS = 256, 100


@contextmanager
def _chart(path: Path, title: str, subtitle: str, synthetic: bool, height: float = 4.6) -> Iterator[Axes]:
    layout = ConstrainedLayoutEngine(w_pad=0.18, h_pad=0.18)
    figure, axes = plt.subplots(figsize=(9, height), dpi=120, layout=layout)
    try:
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(FAINT)
        axes.tick_params(colors=INK, length=0)
        yield axes
        heading = f"SYNTHETIC: {title}" if synthetic else title
        axes.set_title(heading, loc="left", fontsize=14, fontweight="bold", color=INK, pad=26)
        place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
        axes.annotate(subtitle, (0, 1), (0, 9), fontsize=10, color=FAINT, **place)
        if synthetic:
            mark: dict[str, Any] = {
                "fontsize": 54,
                "color": "#b5483a",
                "alpha": 0.18,
                "rotation": 24,
                "fontweight": "bold",
            }
            figure.text(0.5, 0.45, "SYNTHETIC", ha="center", va="center", **mark)
        figure.savefig(path, metadata={"Software": None})
    finally:
        plt.close(figure)


def _plural(count: int) -> str:
    return f"{count:,} review" + ("" if count == 1 else "s")


def draw_sentiments(by_sentiment: Mapping[int, int], path: Path, synthetic: bool) -> None:
    """Draw a bar for each sentiment."""
    total = sum(by_sentiment.values())
    with _chart(path, "Reviews by sentiment", _plural(total), synthetic) as axes:
        for sentiment in sorted(NAMES):
            count = by_sentiment.get(sentiment, 0)
            axes.bar(NAMES[sentiment], count, color=COLOURS[sentiment], width=0.62)
            label = f"{count:,}\n{count / total:.1%}"
            axes.annotate(label, (NAMES[sentiment], count), (0, 5), textcoords="offset points", ha="center", color=INK)
        axes.set_yticks([])
        axes.margins(y=0.16)


def draw_average_sentiment(average: Mapping[str, float], path: Path, synthetic: bool) -> None:
    """Draw a horizontal bar for each category, the best liked on top."""
    ranked = sorted(average.items(), key=lambda item: item[1])
    subtitle = "mean of -1 (negative), 0 (neutral), 1 (positive)"
    with _chart(path, "Average sentiment by category", subtitle, synthetic, _height(ranked)) as axes:
        values = [value for _, value in ranked]
        colours = [COLOURS[1] if value >= 0 else COLOURS[-1] for value in values]
        bars = axes.barh([name for name, _ in ranked], values, color=colours, height=0.72)
        axes.bar_label(bars, [f"{value:.2f}" for value in values], padding=4, color=INK)
        axes.axvline(0, color=FAINT, linewidth=0.8)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.margins(x=0.1, y=0.01)


def draw_categories(by_category: Mapping[str, int], path: Path, synthetic: bool) -> None:
    """Draw a horizontal bar for each category, the largest on top."""
    ranked = sorted(by_category.items(), key=lambda item: item[1])
    subtitle = f"{_plural(sum(by_category.values()))} in {len(ranked)} categories"
    with _chart(path, "Reviews by category", subtitle, synthetic, _height(ranked)) as axes:
        bars = axes.barh([name for name, _ in ranked], [count for _, count in ranked], color=BAR, height=0.72)
        axes.bar_label(bars, [f"{count:,}" for _, count in ranked], padding=4, color=INK)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.margins(x=0.1, y=0.01)


def draw_split(split: Mapping[str, Mapping[int, float]], path: Path, synthetic: bool) -> None:
    """Draw a stacked bar of 100 % for each category, the largest share of positive reviews on top."""
    ranked = sorted(split.items(), key=lambda item: item[1].get(1, 0.0))
    subtitle = "percent of each category's reviews"
    with _chart(path, "Sentiment split by category", subtitle, synthetic, _height(ranked) + 0.4) as axes:
        left = [0.0] * len(ranked)
        for sentiment in (1, 0, -1):
            widths = [shares.get(sentiment, 0.0) for _, shares in ranked]
            bars = axes.barh(
                [name for name, _ in ranked],
                widths,
                left=left,
                color=COLOURS[sentiment],
                height=0.78,
                label=NAMES[sentiment],
            )
            ink = INK if sentiment == 0 else "white"
            labels = [f"{width:.0f}" if width >= 3 else "" for width in widths]
            axes.bar_label(bars, labels, label_type="center", color=ink, fontsize=9)
            left = [start + width for start, width in zip(left, widths, strict=True)]
        axes.set_xlim(0, 100)
        axes.set_xticks([0, 25, 50, 75, 100], ["0", "25", "50", "75", "100 %"])
        axes.margins(y=0.01)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.05), ncols=3, frameon=False)


def draw_words(words: Mapping[int, int], path: Path, synthetic: bool) -> None:
    """Draw a histogram of the words in a review, with a line at the longest."""
    longest = max(words)
    beyond = sum(count for number, count in words.items() if number > LONGEST_SHOWN)
    subtitle = _plural(sum(words.values())) + (f", {beyond:,} of them beyond {LONGEST_SHOWN} words" if beyond else "")
    with _chart(path, "Words per review", subtitle, synthetic) as axes:
        axes.hist(list(words), bins=BINS, range=(0, LONGEST_SHOWN), weights=list(words.values()), color=BAR)
        at = min(longest, LONGEST_SHOWN)
        axes.axvline(at, color=COLOURS[-1], linewidth=1.4, linestyle="--")
        side, offset = ("left", 6) if at < LONGEST_SHOWN * 0.8 else ("right", -6)
        axes.annotate(
            f"longest: {longest:,} words",
            (at, 0.93),
            (offset, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha=side,
            color=COLOURS[-1],
        )
        axes.set_xlim(0, LONGEST_SHOWN)
        axes.set_xlabel("words", color=INK)
        axes.set_ylabel("reviews", color=INK)
        axes.grid(axis="y", color="#e4e7eb", linewidth=0.8)
        axes.set_axisbelow(True)


def _height(rows: Sequence[object]) -> float:
    return max(3.2, 1.4 + 0.3 * len(rows))
