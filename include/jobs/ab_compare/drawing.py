"""The A/B test as pictures: accuracy with intervals, latency distributions, and the looks with their boundaries."""

from __future__ import annotations

from typing import Any

import numpy as np
from figures import FAINT, INK, MARK, VARIANTS, plain, png, titled
from matplotlib.axes import Axes
from matplotlib.figure import Figure

NAMES = {"obrien_fleming": "O'Brien-Fleming", "pocock": "Pocock"}
STYLES = {"p50": "-", "p95": "--", "p99": ":"}


def draw_accuracy(report: dict[str, Any]) -> bytes:
    """Draw, as PNG, each variant's accuracy, and their difference with its interval at this look's level."""
    figure, (left, right) = _figure(report, "Accuracy of both variants", (12, 3.6), width_ratios=[1.35, 1])
    for place, (name, found) in enumerate(report["variants"].items()):
        percent = [100 * share for share in found["accuracy_95"]]
        _interval(left, place, 100 * found["accuracy"], percent, VARIANTS[name], f"{found['accuracy']:.1%}")
    names = [f"{name}\n{found['reviews']:,} reviews" for name, found in report["variants"].items()]
    left.set_yticks(range(len(names)), names)
    left.set_ylim(len(names) - 0.4, -0.6)
    left.xaxis.set_major_formatter(lambda value, _: f"{value:.4g} %")
    test = report["test"]
    colour = VARIANTS["challenger"] if report["difference_found"] else FAINT
    points = [100 * share for share in test["interval"]]
    _interval(right, 0, 100 * test["difference"], points, colour, f"{100 * test['difference']:+.1f} points")
    right.axvline(0, color=INK, linewidth=1)
    right.set_yticks([])
    right.set_ylim(0.6, -0.6)
    right.set_xlabel("points of accuracy", color=FAINT)
    plain(left, "With 95 % intervals (Wilson)", grid="x")
    plain(right, f"Challenger minus champion: {test['name']}, p = {test['p_value']:.3f}", grid="x")
    return png(figure)


def draw_latency(report: dict[str, Any], latencies: dict[str, np.ndarray]) -> bytes:
    """Draw, as PNG, how the latencies of both are distributed, to a little beyond the slower one's 99th percentile."""
    figure, (axes, table) = _figure(report, "Latency of both variants", (12, 4.4), width_ratios=[2, 1])
    most = max(found["latency_ms"]["p99"]["value"] for found in report["variants"].values()) * 1.15
    bins = np.linspace(min(values.min() for values in latencies.values()) * 0.95, most, 40).tolist()
    for name, values in latencies.items():
        colour = VARIANTS[name]
        weights = np.full(len(values), 1 / len(values))
        axes.hist(values, bins, weights=weights, color=colour, alpha=0.35, label=name)
        axes.hist(values, bins, weights=weights, histtype="step", color=colour, linewidth=1.4)
        for percentile, style in STYLES.items():
            axes.axvline(report["variants"][name]["latency_ms"][percentile]["value"], color=colour, linestyle=style)
    axes.set_xlabel("milliseconds a request; lines: p50 solid, p95 dashed, p99 dotted", color=FAINT)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(frameon=False, labelcolor=INK)
    plain(axes, "Share of the requests", grid="y")
    for at, (name, found) in enumerate(report["variants"].items()):
        for row, figures in enumerate(found["latency_ms"].values()):
            place = row + (at - 0.5) * 0.3
            interval = [figures["low"], figures["high"]]
            text = f"{figures['value']:.1f}"
            _interval(table, place, figures["value"], interval, VARIANTS[name], text, beside=True)
    table.set_yticks(range(len(STYLES)), list(STYLES))
    table.set_ylim(len(STYLES) - 0.4, -0.6)
    table.margins(x=0.2)
    table.set_xlabel("milliseconds", color=FAINT)
    plain(table, "With 95 % bootstrap intervals", grid="x")
    return png(figure)


def draw_looks(report: dict[str, Any]) -> bytes:
    """Draw, as PNG, the test's statistic at each look so far, between the boundaries that end the experiment."""
    figure, (axes,) = _figure(report, "When the experiment may end", (9, 4.6))
    looks = report["looks"]
    shares, bounds = looks["fractions"], np.array(looks["boundaries"])
    edge = min(float(bounds.max()), 5.0) + 0.8
    for side, name in ((1, "challenger"), (-1, "champion")):
        axes.plot(shares, side * bounds, "o--", color=VARIANTS[name], markersize=5, linewidth=1.4)
        axes.fill_between(shares, side * bounds, side * edge * 1.5, color=VARIANTS[name], alpha=0.14, linewidth=0)
        axes.annotate(
            f"{name} is more accurate",
            (0.99, 0.96 if side > 0 else 0.04),
            xycoords="axes fraction",
            ha="right",
            va="top" if side > 0 else "bottom",
            color=VARIANTS[name] if side > 0 else FAINT,
            fontweight="bold",
        )
    axes.plot(shares[: len(looks["z"])], looks["z"], "o-", color=MARK, markersize=8, linewidth=2)
    for share, z in zip(shares, looks["z"], strict=False):
        axes.annotate(
            f"{z:+.2f}",
            (share, z),
            (9, 7 if z >= 0 else -16),
            textcoords="offset points",
            color=MARK,
            fontweight="bold",
        )
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xlim(min(shares) * 0.8 if len(shares) > 1 else 0.8, 1.06)
    axes.set_ylim(-edge, edge)
    axes.set_xticks(shares, [f"look {at}\n{share:.0%} of the reviews" for at, share in enumerate(shares, 1)])
    spending = NAMES[report["plan"]["spending"]]
    plain(axes, f"z of the difference; boundaries by {spending} spending", grid="y")
    return png(figure)


def _figure(
    report: dict[str, Any], title: str, size: tuple[float, float], **layout: Any
) -> tuple[Figure, tuple[Axes, ...]]:
    figure = titled(title, size, synthetic=report["synthetic"])
    count = len(layout.get("width_ratios", [1]))
    panels = np.atleast_1d(figure.subplots(1, count, **layout))
    return figure, tuple(panels)


def _interval(
    axes: Axes, place: float, value: float, interval: list[float], colour: str, text: str, *, beside: bool = False
) -> None:
    axes.plot(interval, [place, place], color=colour, linewidth=2.4, solid_capstyle="butt", alpha=0.55)
    axes.plot(value, place, "o", color=colour, markersize=8)
    where: dict[str, Any] = {"xytext": (8, 0), "va": "center"} if beside else {"xytext": (0, 9), "ha": "center"}
    anchor = (max(interval), place) if beside else (value, place)
    axes.annotate(text, anchor, textcoords="offset points", fontsize=10.5, color=INK, **where)
