"""CloudWatch: metrics and alarms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from amazon_ml.hooks.base import ServiceHook


class CloudWatchHook(ServiceHook):
    """Metrics and alarms."""

    service = "cloudwatch"

    def metric_data(
        self, queries: Sequence[Mapping[str, Any]], *, since: datetime, until: datetime
    ) -> Iterator[dict[str, Any]]:
        """
        Yield the results of GetMetricData, of which one query may have several.

        :param queries: 500 at most, AWS's limit.
        """
        for page in self._follow("get_metric_data", MetricDataQueries=queries, StartTime=since, EndTime=until):
            yield from page["MetricDataResults"]

    def variants(self, endpoint: str) -> list[str]:
        """Return the variants of a SageMaker endpoint that had requests in the last two weeks, deleted ones too."""
        asked = {"Namespace": "AWS/SageMaker", "MetricName": "Invocations"}
        of = [{"Name": "EndpointName", "Value": endpoint}]
        found = {
            dimension["Value"]
            for page in self._follow("list_metrics", Dimensions=of, **asked)
            for metric in page["Metrics"]
            for dimension in metric["Dimensions"]
            if dimension["Name"] == "VariantName"
        }
        return sorted(found)

    def alarms(self, prefix: str) -> list[dict[str, Any]]:
        """Describe the metric alarms whose names begin with a prefix, those of the first page."""
        found: list[dict[str, Any]] = self._call("describe_alarms", AlarmNamePrefix=prefix)["MetricAlarms"]
        return found
