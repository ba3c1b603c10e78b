"""The report of the profiler's rule: OverallSystemUsage as JSON, and a page to read."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from html import escape
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
    ordered = sorted(values)
    quantiles = {f"p{each}": ordered[min(len(ordered) - 1, len(ordered) * each // 100)] for each in _QUANTILES}
    return {"min": ordered[0], "max": ordered[-1], **quantiles}


def _page(
    series: dict[tuple[str, str], list[tuple[float, float]]], details: dict[str, dict[str, Any]], job: str
) -> str:
    parts = []
    for (name, host), found in series.items():
        title, unit = _FIGURES[name]
        numbers = details[title][host]
        cells = "".join(f"<td>{numbers[key]:,.1f}</td>" for key in numbers)
        heads = "".join(f"<th>{key}</th>" for key in numbers)
        parts.append(
            f"<h2>{title}, {escape(host)}</h2><p>{len(found)} samples, {unit}</p>{_chart(found)}"
            f"<table><tr>{heads}</tr><tr>{cells}</tr></table>"
        )
    body = "".join(parts) or "<p>The job ended before the first sample was taken.</p>"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Profiler report of {escape(job)}</title>'
        "<style>body{font:15px sans-serif;max-width:760px;margin:2em auto}table{border-collapse:collapse}"
        "td,th{border:1px solid #ccc;padding:3px 9px;text-align:right}</style>"
        f"<h1>Profiler report of {escape(job)}</h1>"
        "<p>System usage of the job's own processes. Framework metrics, GPUs and the other rules of SageMaker's report "
        f"are not evaluated by localaws.</p>{body}</html>"
    )


def _chart(found: Sequence[tuple[float, float]]) -> str:
    first, last = found[0][0], found[-1][0]
    top = max(value for _, value in found) or 1
    points = " ".join(
        f"{(moment - first) / ((last - first) or 1) * _WIDTH:.1f},{_HEIGHT - value / top * _HEIGHT:.1f}"
        for moment, value in found
    )
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" style="background:#f6f6f6">'
        f'<polyline points="{points}" fill="none" stroke="#1f6feb" stroke-width="1.5"/></svg>'
    )
