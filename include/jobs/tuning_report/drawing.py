"""The trials of a tuning job as a picture: the search as it went, and the objective over each hyperparameter."""

from __future__ import annotations

from typing import Any

from figures import FAINT, INK, png
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import AutoLocator

BEST, REST = "#b5483a", "#2f6f9f"
#: hyperparameters that get a panel, and categories that a panel names; more would not be read.
MOST_PANELS, MOST_CATEGORIES, LONGEST_LABEL = 6, 12, 16
COLUMNS = 3

Record = dict[str, Any]


def draw(report: Record) -> bytes:
    """Draw the trials, as PNG; those without an objective are marks at the bottom of the first panel."""
    names = list(report["ranges"])[:MOST_PANELS]
    columns = max(1, min(COLUMNS, len(names)))
    below = -(-len(names) // columns)
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    figure = Figure(figsize=(10, 3.6 + 3.1 * below), dpi=120, layout=layout)
    grid = figure.add_gridspec(1 + below, columns)
    _search(figure.add_subplot(grid[0, :]), report)
    for place, name in enumerate(names):
        _panel(figure.add_subplot(grid[1 + place // columns, place % columns]), report, name)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9, colors=INK)
    mark = "SYNTHETIC: " if report["synthetic"] else ""
    rest = len(report["ranges"]) - len(names)
    more = f", and {rest} more hyperparameters" if rest else ""
    title = _text(f"{mark}{report['strategy']} search by {report['metric']}{more}")
    figure.suptitle(title, x=0.015, ha="left", fontsize=14, fontweight="bold", color=INK)
    return png(figure)


def _search(axes: Axes, report: Record) -> None:
    """Draw the objective of each trial in the order of their starts, and the best one so far."""
    better = min if report["direction"] == "Minimize" else max
    rows = sorted(report["trials"], key=lambda row: row["number"])
    judged = [row for row in rows if row["value"] is not None]
    best = [better(row["value"] for row in judged[: place + 1]) for place in range(len(judged))]
    axes.step([row["number"] for row in judged], best, where="post", color=FAINT, linewidth=1, label="best so far")
    for status, symbol in (("Completed", "o"), ("Stopped", "v")):
        chosen = [row for row in judged if row["status"] == status]
        label = "completed" if status == "Completed" else "stopped early"
        if chosen:
            numbers, values = zip(*((row["number"], row["value"]) for row in chosen), strict=True)
            axes.scatter(numbers, values, color=REST, marker=symbol, s=26, zorder=3, label=label)
    if without := [row["number"] for row in rows if row["value"] is None]:
        transform = axes.get_xaxis_transform()
        axes.scatter(without, [0.03] * len(without), color=BEST, marker="x", transform=transform, label="no objective")
    _mark_best(axes, judged, report, lambda row: row["number"])
    axes.set_xlim(0.5, len(rows) + 0.5)
    whole_numbers = AutoLocator()
    whole_numbers.set_params(integer=True)
    axes.xaxis.set_major_locator(whole_numbers)
    axes.set_xlabel("training job, in the order of their starts", color=FAINT)
    axes.set_ylabel(_text(report["metric"]), color=FAINT)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))


def _panel(axes: Axes, report: Record, name: str) -> None:
    """Draw the objective over one hyperparameter."""
    rows = [row for row in report["trials"] if row["value"] is not None and name in row["hyperparameters"]]
    place = _places(axes, [row["hyperparameters"][name] for row in rows], report["ranges"][name])
    places = [place(row["hyperparameters"][name]) for row in rows]
    axes.scatter(places, [row["value"] for row in rows], color=REST, s=22, alpha=0.8)
    _mark_best(axes, rows, report, lambda row: place(row["hyperparameters"][name]))
    axes.set_xlabel(_text(name), color=FAINT)
    axes.margins(x=0.12)


def _places(axes: Axes, texts: list[str], found: Record) -> Any:
    """Set up the axis; the place on it of a hyperparameter's text."""
    if found["kind"] != "Categorical":
        if found["scaling"] == "Logarithmic":
            axes.set_xscale("log")
        return float
    values = sorted(set(texts), key=lambda text: (not _is_number(text), float(text) if _is_number(text) else 0.0, text))
    shown = [_text(text[:LONGEST_LABEL]) for text in values[:MOST_CATEGORIES]]
    axes.set_xticks(range(len(shown)), shown)
    return {text: place for place, text in enumerate(values)}.__getitem__


def _mark_best(axes: Axes, rows: list[Record], report: Record, place: Any) -> None:
    """Draw a ring around the best of all trials, where it is among these."""
    best = report["trials"][0]
    if best in rows:
        axes.scatter(
            [place(best)], [best["value"]], s=110, facecolors="none", edgecolors=BEST, linewidths=1.6, zorder=4
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text(words: str) -> str:
    """Escape dollar signs, which would begin a formula."""
    return words.replace("$", r"\$")
