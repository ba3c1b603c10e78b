"""
Percentiles of metric data, which moto neither keeps the values for nor computes.

As on AWS they need raw values: of statistic sets there are none, unless each set's values are all the same; nor of
metrics that have been negative. How CloudWatch interpolates is not published; here the percentile pN is the least value
that at least N percent of the values do not exceed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from moto.cloudwatch.models import CloudWatchBackend, MetricAggregatedDatum, MetricDatumBase, Statistics
from moto.cloudwatch.responses import CloudWatchResponse

#: what CloudWatch computes beside percentiles.
STATISTICS = frozenset({"SampleCount", "Sum", "Average", "Minimum", "Maximum"})
#: p0.0 to p100.
PERCENTILE = re.compile(r"p(100(?:\.0{1,10})?|[0-9]{1,2}(?:\.[0-9]{1,10})?)")


class Distribution(MetricAggregatedDatum):
    """The Values and Counts of one datum of PutMetricData, as one datum: moto makes one of each occurrence."""

    def __init__(self, values: Mapping[float, float], **rest: Any) -> None:
        super().__init__(
            min_stat=min(values),
            max_stat=max(values),
            sample_count=sum(values.values()),
            sum_stat=sum(value * count for value, count in values.items()),
            **rest,
        )
        self.values = dict(values)


def weights(datum: Any) -> Mapping[float, float] | None:
    """Return how often each value came, or ``None`` where a statistic set does not tell."""
    if isinstance(datum, Distribution):
        return datum.values
    if isinstance(datum, MetricAggregatedDatum):
        return {datum.min: datum.sample_count} if datum.min == datum.max or datum.sample_count == 1 else None
    return {datum.value: 1.0}


def percentile(found: Iterable[Mapping[float, float] | None], statistic: str) -> float | None:
    """
    Return a percentile, or ``None`` where there is none.

    :param found: Of each datum its :func:`weights`.
    :param statistic: As CloudWatch writes it, such as ``p99`` or ``p99.9``.
    """
    total: defaultdict[float, float] = defaultdict(float)
    for each in found:
        if each is None:
            return None
        for value, count in each.items():
            total[value] += count
    if not total or min(total) < 0:
        return None
    # Not numpy's inverted_cdf: it has no tolerance, and of 1,000 values takes the largest for p99.9.
    wanted = float(statistic[1:]) / 100 * sum(total.values())
    passed = 0.0
    for value, count in sorted(total.items()):
        passed += count
        # What is left of a sum of floats must not put a value off.
        if passed >= wanted - 1e-9:
            return value
    return max(total)


def _put(method: Callable[..., None]) -> Callable[..., None]:
    @wraps(method)
    def put(backend: CloudWatchBackend, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        for index, each in enumerate(metric_data, 1):
            backend._validate_parameters_put_metric_data(each, index)
        for each in metric_data:
            if each.get("Values"):
                backend.metric_data.append(_distribution(namespace, each))
            else:
                method(backend, namespace, [each])

    return put


def _distribution(namespace: str, datum: Mapping[str, Any]) -> MetricDatumBase:
    values: defaultdict[float, float] = defaultdict(float)
    counts = datum.get("Counts") or [1] * len(datum["Values"])
    for value, count in zip(datum["Values"], counts, strict=True):
        values[float(value)] += float(count)
    return Distribution(
        values,
        namespace=namespace,
        name=datum["MetricName"],
        dimensions=datum.get("Dimensions", []),
        timestamp=datum.get("Timestamp"),
        unit=datum.get("Unit"),
    )


def _of_type(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def statistic(self: Statistics, stat: str) -> Any:
        if PERCENTILE.fullmatch(stat):
            return percentile(map(weights, self.metric_data), stat)
        return method(self, stat)

    return statistic


def _without_gaps(method: Callable[..., Any]) -> Callable[..., Any]:
    """Leave out the periods of GetMetricData that have no percentile."""

    @wraps(method)
    def get(*given: Any, **named: Any) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = method(*given, **named)
        for result in results:
            pairs = [pair for pair in zip(result["timestamps"], result["values"], strict=True) if pair[1] is not None]
            result |= {"timestamps": [time for time, _ in pairs], "values": [value for _, value in pairs]}
        return results

    return get


def _extended(method: Callable[..., Any]) -> Callable[..., Any]:
    """Add ExtendedStatistics to the answer of GetMetricStatistics."""

    @wraps(method)
    def answer(response: CloudWatchResponse) -> Any:
        result = method(response)
        wanted = response._get_param("ExtendedStatistics") or []
        for point in result.result["Datapoints"] if wanted else ():
            found = {each: point.get_statistics_for_type(each) for each in wanted}
            point.extended_statistics = {name: value for name, value in found.items() if value is not None}
        return result

    return answer


def install() -> None:
    """Have moto keep values and compute percentiles."""
    for owner, name, wrapper in (
        (CloudWatchBackend, "put_metric_data", _put),
        (CloudWatchBackend, "get_metric_data", _without_gaps),
        (Statistics, "get_statistics_for_type", _of_type),
        (CloudWatchResponse, "get_metric_statistics", _extended),
    ):
        method = vars(owner)[name]
        if not hasattr(method, "__wrapped__"):
            setattr(owner, name, wrapper(method))
