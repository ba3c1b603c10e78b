"""An endpoint over time as pictures: what autoscaling did under load, and what each variant was asked."""

from __future__ import annotations

from typing import Any

from figures import FAINT, INK, LEAD, MARK, VARIANTS, plain, png, titled
from matplotlib.axes import Axes
from matplotlib.patches import Patch

STATES = {"OK": "#b9d3c0", "ALARM": MARK, "INSUFFICIENT_DATA": "#e4e7eb"}
#: metric -> its title, and what its unit is divided by.
SHOWN = {
    "Invocations": ("Invocations", 1.0),
    "ModelLatency": ("Model latency, milliseconds", 1000.0),
    "Invocation5XXErrors": ("Errors (5XX)", 1.0),
}


def draw_autoscaling(scaling: dict[str, Any], synthetic: bool) -> bytes:
    """Draw, as PNG, metric and target above, alarms in the middle, instances below, over the same seconds."""
    samples = scaling["samples"]
    began = samples[0]["at"]
    seconds = [sample["at"] - began for sample in samples]
    title = f"Autoscaling of {scaling['endpoint']} ({scaling['variant']}) under load"
    figure = titled(title, (12, 6.8), synthetic=synthetic)
    metric, alarms, instances = figure.subplots(3, 1, sharex=True, height_ratios=[2.4, 0.8, 1.4])
    _metric(metric, scaling, began)
    _alarms(alarms, samples, seconds)
    _instances(instances, samples, seconds)
    for each in scaling["activities"]:
        at = each["started"] - began
        for axes in (metric, alarms, instances):
            axes.axvline(at, color=INK, linewidth=1, linestyle=":")
        instances.annotate(
            each["description"].rstrip("."),
            (at, 1),
            (5, -4),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            fontsize=9.5,
            color=INK,
            va="top",
        )
    instances.set_xlabel("seconds from the first sample", color=FAINT)
    instances.set_xlim(0, max(seconds[-1], 1.0))
    return png(figure)


def _metric(axes: Axes, scaling: dict[str, Any], began: float) -> None:
    period = scaling["period"]
    points = [(point["at"] - began, point["value"]) for point in scaling["metric"]]
    axes.bar(
        [at for at, _ in points],
        [value for _, value in points],
        width=period,
        align="edge",
        color=LEAD,
        alpha=0.75,
        edgecolor="white",
    )
    if scaling["threshold"] is not None:
        axes.axhline(scaling["threshold"], color=MARK, linewidth=1.6, linestyle="--")
        axes.annotate(
            f"target {scaling['threshold']:g}",
            (1, scaling["threshold"]),
            (-4, 5),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            color=MARK,
            fontweight="bold",
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
        )
    axes.set_ylim(bottom=0)
    plain(axes, f"Invocations an instance, each {period} s", grid="y")


def _alarms(axes: Axes, samples: list[dict[str, Any]], seconds: list[float]) -> None:
    names = ("High", "Low")
    ends = [*seconds[1:], seconds[-1] + 1]
    for row, name in enumerate(names):
        for sample, start, end in zip(samples, seconds, ends, strict=True):
            state = sample["alarms"].get(name)
            if state:
                axes.barh(row, end - start, left=start, height=0.62, color=STATES[state])
    axes.set_yticks(range(len(names)), [f"Alarm{name}" for name in names])
    axes.set_ylim(len(names) - 0.45, -0.55)
    handles = [Patch(color=colour, label=state) for state, colour in STATES.items()]
    axes.legend(handles=handles, ncols=3, frameon=False, fontsize=9, loc="lower right", bbox_to_anchor=(1, 0.98))
    plain(axes, "Alarms", grid="x")


def _instances(axes: Axes, samples: list[dict[str, Any]], seconds: list[float]) -> None:
    counts = [sample["instances"] for sample in samples]
    wanted = [sample["desired"] for sample in samples]
    axes.step(seconds, wanted, where="post", color=FAINT, linewidth=1.6, linestyle="--", label="desired")
    axes.step(seconds, counts, where="post", color=LEAD, linewidth=2.6, label="in service")
    axes.fill_between(seconds, counts, step="post", color=LEAD, alpha=0.15)
    axes.set_ylim(0, max(counts + wanted) + 0.9)
    axes.set_yticks(range(max(counts + wanted) + 1))
    axes.legend(frameon=False, fontsize=9, ncols=2, loc="lower right", bbox_to_anchor=(1, 0.98))
    plain(axes, "Instances", grid="y")


def draw_traffic(metrics: dict[str, Any], synthetic: bool) -> bytes:
    """Draw, as PNG, CloudWatch's metrics of both variants, one below the other."""
    figure = titled(f"What CloudWatch counted on {metrics['endpoint']}", (12, 6.8), synthetic=synthetic)
    panels = figure.subplots(len(SHOWN), 1, sharex=True)
    times = [point["at"] for found in metrics["variants"].values() for points in found.values() for point in points]
    began = min(times, default=0.0)
    for axes, (name, (title, unit)) in zip(panels, SHOWN.items(), strict=True):
        for variant, found in metrics["variants"].items():
            points = found.get(name, [])
            colour = VARIANTS.get(variant, INK)
            axes.plot(
                [point["at"] - began for point in points],
                [point["value"] / unit for point in points],
                "o-",
                color=colour,
                markersize=5,
                linewidth=1.8,
                clip_on=False,
                label=variant,
            )
        values = [point["value"] for found in metrics["variants"].values() for point in found.get(name, [])]
        most = max(values, default=0) / unit
        axes.set_ylim(0, 1.15 * most or 1)
        plain(axes, f"{title}, each {metrics['period']} s", grid="y")
    if metrics["variants"]:
        panels[0].legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 0.98))
    panels[-1].set_xlabel("seconds from the first request", color=FAINT)
    return png(figure)
