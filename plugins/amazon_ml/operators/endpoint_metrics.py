"""CloudWatch's metrics of SageMaker endpoints: the operator that writes them down."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from amazon_ml.endpoint_series import Series, read_series
from amazon_ml.exceptions import DeadlineExceeded
from amazon_ml.hooks.cloudwatch import CloudWatchHook
from amazon_ml.hooks.s3 import split
from amazon_ml.operators.base import SageMakerOperator, as_mapping

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

_INVOCATIONS = "Invocations"
#: seconds between two looks for what CloudWatch does not have yet.
_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0
#: metric -> the statistic that says most of it.
METRICS = {
    "Invocations": "Sum",
    "ModelLatency": "Average",
    "OverheadLatency": "Average",
    "Invocation4XXErrors": "Sum",
    "Invocation5XXErrors": "Sum",
}


class EndpointMetricsOperator(SageMakerOperator):
    """
    Write what CloudWatch knows of an endpoint's variants: a JSON document for charts.

    It is ``{"endpoint", "period", "since", "until", "variants": {variant: {metric: [{"at", "value"}]}}}``, times in
    seconds since the epoch, latencies in microseconds. CloudWatch has a minute's metrics a minute later, or more:
    ``expect`` waits for them.

    Returns ``{"uri", "endpoint", "totals": {variant: {metric: number}}}``: the sum of sums and counts, the largest of
    maxima and percentiles, the mean of the points of averages; None for a metric without points.

    :param endpoint_name: the endpoint. Templated.
    :param variants: their names; default those that the endpoint has now. Templated.
    :param metrics: metric of the namespace AWS/SageMaker -> statistic, such as "Sum" or "p99"; or names, each with the
        statistic that says most of it.
    :param minutes: up to now, where ``since`` is not given. Templated.
    :param since: ISO 8601, the beginning. Templated.
    :param period: seconds a point. Templated.
    :param output: S3 URI of the document; None for none. Templated.
    :param expect: variant -> invocations at least that its metrics must have, before they are written. Templated.
    :raises DeadlineExceeded: they do not have them in time.
    :raises RequestRefused: no variants are named, and AWS knows no such endpoint; or there is no such statistic.

    .. seealso:: GetMetricData in the CloudWatch API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "endpoint_name",
        "variants",
        "minutes",
        "since",
        "period",
        "output_uri",
        "expect",
    )

    def __init__(
        self,
        *,
        endpoint_name: str,
        output: str | None = None,
        variants: Sequence[str] | None = None,
        metrics: Mapping[str, str] | Sequence[str] = tuple(METRICS),
        minutes: float | str = 60,
        since: str | None = None,
        period: int | str = 60,
        expect: Mapping[str, int | str] | str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint_name = endpoint_name
        self.variants = variants
        self.metrics = (
            dict(metrics) if isinstance(metrics, Mapping) else {name: METRICS.get(name, "Average") for name in metrics}
        )
        if expect is not None and self.metrics.setdefault(_INVOCATIONS, "Sum") != "Sum":
            raise ValueError(f"to expect {_INVOCATIONS} their statistic must be Sum, not {self.metrics[_INVOCATIONS]}")
        self.minutes = minutes
        self.since = since
        self.period = period
        self.output_uri = output
        self.expect = expect

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask for each variant's metrics and write them."""
        self.note_console("Endpoint", self.endpoint_name)
        now = datetime.now(UTC)
        since = datetime.fromisoformat(self.since) if self.since else now - timedelta(minutes=float(self.minutes))
        names = self._names()
        found, until = self._complete(names, since, self.deadline(context))
        document = {
            "endpoint": self.endpoint_name,
            "period": int(self.period),
            "since": since.timestamp(),
            "until": until.timestamp(),
            "variants": found,
        }
        if self.output_uri:
            self.hook.s3.put_object(*split(self.output_uri), (json.dumps(document) + "\n").encode())
            self.note_data([], [self.output_uri])
        totals = {
            variant: {name: _total(self.metrics[name], of[name]) for name in self.metrics}
            for variant, of in found.items()
        }
        self.log.info("%s", totals)
        return {"uri": self.output_uri, "endpoint": self.endpoint_name, "totals": totals}

    def _names(self) -> list[str]:
        if self.variants is not None:
            return list(self.variants)
        description = self.hook.require("Endpoint", self.endpoint_name)
        return [variant["VariantName"] for variant in description.get("ProductionVariants", [])]

    def _complete(self, variants: Sequence[str], since: datetime, deadline: float) -> tuple[Series, datetime]:
        """Return the metrics when they have what is expected, and the time up to which they are."""
        expected = {name: float(count) for name, count in as_mapping(self.expect, "expect", may_lack=True).items()}
        if unknown := sorted(expected.keys() - set(variants)):
            raise ValueError(f"no metrics are requested for {', '.join(unknown)}, only for {', '.join(variants)}")
        pause = _SHORTEST_PAUSE
        while True:
            self.check_alive()
            until = datetime.now(UTC)
            found = read_series(
                self.hook.sibling(CloudWatchHook),
                self.endpoint_name,
                variants,
                self.metrics,
                since=since,
                until=until,
                period=int(self.period),
            )
            seen = {name: _total("Sum", found[name][_INVOCATIONS]) or 0 for name in expected}
            missing = [
                f"{seen[name]:.0f} of {count:.0f} of {name}" for name, count in expected.items() if seen[name] < count
            ]
            if not missing:
                return found, until
            if time.time() + pause > deadline:
                raise DeadlineExceeded(
                    f"CloudWatch has only {', '.join(missing)}'s invocations of endpoint {self.endpoint_name} since "
                    f"{since.isoformat()}, and the task's time is over ({self.timeout} from the start of this try)"
                )
            self.log.info("CloudWatch has %s's invocations so far", ", ".join(missing))
            self._pause(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)


def _total(statistic: str, points: Sequence[Mapping[str, float]]) -> float | None:
    values = [point["value"] for point in points]
    if statistic in {"Sum", "SampleCount"}:
        return sum(values)
    if not values:
        return None
    if statistic == "Minimum":
        return min(values)
    return sum(values) / len(values) if statistic == "Average" else max(values)
