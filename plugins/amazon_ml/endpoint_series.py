"""CloudWatch's metrics of SageMaker endpoints, as points in time."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amazon_ml.hooks.cloudwatch import CloudWatchHook

#: by variant and metric, the points ``{"at", "value"}``: when in seconds since the epoch, and the value.
Series = dict[str, dict[str, list[dict[str, float]]]]

#: queries that a request takes.
_MOST_QUERIES = 500


def read_series(
    cloudwatch: CloudWatchHook,
    endpoint: str,
    variants: Sequence[str],
    metrics: Mapping[str, str],
    *,
    since: datetime,
    until: datetime,
    period: int,
) -> Series:
    """
    Return the metrics of an endpoint's variants, in the order of time.

    :param metrics: metric of the namespace AWS/SageMaker -> statistic, such as "Sum" or "p99".
    :param period: seconds a point.
    """
    wanted = {f"m{index}": each for index, each in enumerate(itertools.product(variants, metrics))}
    queries = [
        {"Id": query, "MetricStat": _stat(endpoint, variant, name, metrics[name], period), "ReturnData": True}
        for query, (variant, name) in wanted.items()
    ]
    # CloudWatch aligns its points likewise.
    begin = datetime.fromtimestamp(since.timestamp() // period * period, UTC)
    end = until + timedelta(seconds=period)
    found: Series = {variant: {name: [] for name in metrics} for variant in variants}
    for start in range(0, len(queries), _MOST_QUERIES):
        for result in cloudwatch.metric_data(queries[start : start + _MOST_QUERIES], since=begin, until=end):
            variant, name = wanted[result["Id"]]
            points = zip(result["Timestamps"], result["Values"], strict=True)
            found[variant][name] += [{"at": at.timestamp(), "value": value} for at, value in points]
    for series in (series for of in found.values() for series in of.values()):
        series.sort(key=lambda point: point["at"])
    return found


def _stat(endpoint: str, variant: str, name: str, statistic: str, period: int) -> dict[str, Any]:
    dimensions = {"EndpointName": endpoint, "VariantName": variant}
    metric = {
        "Namespace": "AWS/SageMaker",
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }
    return {"Metric": metric, "Period": period, "Stat": statistic}
