"""Metrics of CloudWatch as charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from localaws.console.charts import MOST_LINES, line_chart
from localaws.console.parts import Drawing, Part, Table
from localaws.core.context import Context

#: points of a line, at most about.
_POINTS = 240
_PERIODS = (1, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400)
#: rows of figures below a chart.
_ROWS = 60
Dimensions = Mapping[str, str]


def names(ctx: Context, namespace: str, dimensions: Dimensions) -> list[str]:
    """Return the names of the metrics that have exactly these dimensions."""
    wanted = _dimensions(dimensions)
    found = ctx.client("cloudwatch").list_metrics(Namespace=namespace, Dimensions=wanted)["Metrics"]
    return sorted({each["MetricName"] for each in found if len(each["Dimensions"]) == len(wanted)})


def parts(
    ctx: Context,
    title: str,
    lines: Sequence[tuple[str, str, str, Dimensions, str]],
    begin: datetime,
    end: datetime | None,
) -> list[Part]:
    """
    Return a chart of metrics, and nothing where none has a value.

    :param lines: label, namespace, metric, dimensions and statistic.
    :param end: ``None`` for the present.
    """
    last = (end or datetime.now(UTC)) + timedelta(seconds=5)
    period = next((each for each in _PERIODS if (last - begin).total_seconds() / each <= _POINTS), _PERIODS[-1])
    queries = [
        {
            "Id": f"m{number}",
            "Label": label,
            "MetricStat": {
                "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": _dimensions(dimensions)},
                "Period": period,
                "Stat": statistic,
            },
        }
        for number, (label, namespace, metric, dimensions, statistic) in enumerate(lines[:MOST_LINES])
    ]
    if not queries:
        return []
    found = ctx.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries, StartTime=begin - timedelta(seconds=5), EndTime=last, ScanBy="TimestampAscending"
    )["MetricDataResults"]
    labels = {each["Id"]: each["Label"] for each in queries}
    series = [(str(labels[each["Id"]]), list(zip(each["Timestamps"], each["Values"], strict=True))) for each in found]
    chart = line_chart(title, series)
    if chart is None:
        return []
    rows = [(moment, name, value) for name, points in series for moment, value in points[-_ROWS // len(series) :]]
    return [Drawing(chart, Table(("Time", "Metric", "Value"), rows))]


def _dimensions(named: Dimensions) -> list[dict[str, Any]]:
    return [{"Name": name, "Value": value} for name, value in named.items()]
