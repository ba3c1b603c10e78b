"""The report of the profiler's rule: OverallSystemUsage as JSON, and a page to read."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Event = dict[str, Any]

#: what the report has of a host, by the events' names.
_FIGURES = {
    "cpu": ("CPU", "percent of all cores"),
    "MemoryUsedPercent": ("CPU memory", "percent of the machine's memory"),
    "ReadThroughputInBytesPerSecond": ("Disk read", "bytes a second"),
    "WriteThroughputInBytesPerSecond": ("Disk write", "bytes a second"),
}
_QUANTILES = (50, 95, 99)
_WIDTH, _HEIGHT = 720, 120


def write(events: Sequence[Event], folder: Path, job: str) -> None:
    """Write ``profiler-report.html`` and ``profiler-reports/OverallSystemUsage.json`` into a folder."""
    series = _series(events)
    details: dict[str, dict[str, Any]] = defaultdict(dict)
    for (name, host), found in series.items():
        details[_FIGURES[name][0]][host] = _statistics([value for _, value in found])
    (folder / "profiler-reports").mkdir(parents=True, exist_ok=True)
    usage = {
        "RuleTriggered": 0,
        "Violations": 0,
        "Details": details,
        "Datapoints": sum(len(found) for found in series.values()),
        "RuleParameters": "",
    }
    (folder / "profiler-reports" / "OverallSystemUsage.json").write_text(json.dumps(usage, indent=2))
    (folder / "profiler-report.html").write_text(_page(series, details, job), encoding="utf-8")


def _series(events: Sequence[Event]) -> dict[tuple[str, str], list[tuple[float, float]]]:
    found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for event in events:
        if event["Name"] in _FIGURES:
            found[event["Name"], event["NodeId"]].append((event["Timestamp"], event["Value"]))
    return found


def _statistics(values: Sequence[float]) -> dict[str, float]:
    # Loaded here, like Jinja2: a supervisor whose job is not profiled has no use for it.
    import numpy as np

    quantiles = {f"p{each}": float(np.percentile(values, each)) for each in _QUANTILES}
    return {"min": min(values), "max": max(values), **quantiles}


def _page(
    series: dict[tuple[str, str], list[tuple[float, float]]], details: dict[str, dict[str, Any]], job: str
) -> str:
    from localaws.core.templating import environment

    figures = [
        {
            "title": (title := _FIGURES[name][0]),
            "unit": _FIGURES[name][1],
            "host": host,
            "samples": len(found),
            "numbers": details[title][host],
            "points": _points(found),
        }
        for (name, host), found in series.items()
    ]
    template = environment(Path(__file__).parent).get_template("profile_report.html")
    return template.render(job=job, figures=figures, width=_WIDTH, height=_HEIGHT)


def _points(found: Sequence[tuple[float, float]]) -> str:
    first, last = found[0][0], found[-1][0]
    top = max(value for _, value in found) or 1
    return " ".join(
        f"{(moment - first) / ((last - first) or 1) * _WIDTH:.1f},{_HEIGHT - value / top * _HEIGHT:.1f}"
        for moment, value in found
    )
