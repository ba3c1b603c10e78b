"""Metric data as moto keeps it: reading it in this process, and telling metrics apart by all of their dimensions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from moto.cloudwatch.models import CloudWatchBackend, MetricAggregatedDatum, MetricDatumBase, cloudwatch_backends

from localaws.core.context import ACCOUNT_ID
from localaws.moto_bridge.percentiles import weights

#: Data come nearly in the order of their times: this number of older ones in a row ends a search.
_ENOUGH_OLDER = 1000


class Sample(NamedTuple):
    """
    A statistic set; of a single value, its own.

    :param values: How often each value came, where that is known: percentiles need it.
    """

    time: datetime
    number: float
    total: float
    least: float
    most: float
    values: Mapping[float, float] | None = None


def samples(
    region: str,
    namespace: str,
    name: str,
    dimensions: Mapping[str, str],
    since: datetime,
    unit: str | None = None,
) -> Iterator[Sample]:
    """
    Yield the data of one metric since a time, the newest first.

    :param dimensions: All of the metric's dimensions: another set of them is another metric.
    """
    data = cloudwatch_backends[ACCOUNT_ID][region].metric_data
    older = 0
    # By index: other threads append meanwhile.
    for index in range(len(data) - 1, -1, -1):
        datum = data[index]
        time = _aware(datum.timestamp)
        if time < since:
            older += 1
            if older > _ENOUGH_OLDER:
                return
            continue
        older = 0
        if datum.name != name or datum.namespace != namespace or (unit and datum.unit != unit):
            continue
        if _dimensions(datum) == dimensions:
            yield _sample(datum, time)


def _sample(datum: Any, time: datetime) -> Sample:
    if isinstance(datum, MetricAggregatedDatum):
        return Sample(time, datum.sample_count, datum.sum, datum.min, datum.max, weights(datum))
    return Sample(time, 1.0, datum.value, datum.value, datum.value, weights(datum))


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _is_of(
    datum: MetricDatumBase,
    namespace: str | None,
    name: str | None,
    dimensions: list[dict[str, str]],
    already_present_metrics: list[MetricDatumBase] | None = None,
) -> bool:
    """Return whether a datum is of a metric: of no dimensions where none are given, as on AWS."""
    if (namespace and namespace != datum.namespace) or (name and name != datum.name):
        return False
    return {each["Name"]: each["Value"] for each in dimensions or []} == _dimensions(datum)


def _listed(
    backend: CloudWatchBackend, metric_name: str, namespace: str, dimensions: list[dict[str, str]]
) -> list[MetricDatumBase]:
    """Return one datum of each metric that ListMetrics finds; further dimensions do not matter to it."""
    found: dict[Any, MetricDatumBase] = {}
    for datum in backend.get_all_metrics():
        if (metric_name and metric_name != datum.name) or (namespace and namespace != datum.namespace):
            continue
        own = _dimensions(datum)
        if all(each["Name"] in own and each.get("Value") in (None, own[each["Name"]]) for each in dimensions or []):
            found.setdefault((datum.namespace, datum.name, frozenset(own.items())), datum)
    return list(found.values())


def _dimensions(datum: MetricDatumBase) -> dict[str | None, str | None]:
    return {each.name: each.value for each in datum.dimensions}


def install() -> None:
    """
    Have moto tell metrics apart by all of their dimensions, as AWS does.

    moto 5.2.5 takes data with further dimensions for those of a metric, and lists a metric with two dimensions or more
    once a datum.
    """
    for owner, name, value in (
        (MetricDatumBase, "filter", _is_of),
        (CloudWatchBackend, "get_filtered_metrics", _listed),
    ):
        setattr(owner, name, value)
