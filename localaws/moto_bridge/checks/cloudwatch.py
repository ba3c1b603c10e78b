"""CloudWatch's statistics: of those that moto does not compute it answers nothing, without a word."""

from __future__ import annotations

from typing import Any

from localaws.core.errors import AwsError, NotImplementedByLocalAws
from localaws.moto_bridge.percentiles import PERCENTILE, STATISTICS


def check(operation: str, parameters: dict[str, Any], region: str) -> None:
    """
    Check the statistics that are asked for, and that values and their counts match.

    :raises NotImplementedByLocalAws: one is neither of the five nor a percentile.
    :raises AwsError: there are other numbers of values and of counts.
    """
    if operation == "PutMetricData":
        for datum in parameters.get("MetricData", []):
            if "Counts" in datum and len(datum["Counts"]) != len(datum.get("Values", [])):
                raise AwsError(
                    "The parameters Values and Counts of a datum must be of the same size.",
                    code="InvalidParameterValue",
                    status=400,
                )
    asked = list(parameters.get("ExtendedStatistics", []))
    asked += [query["MetricStat"]["Stat"] for query in parameters.get("MetricDataQueries", []) if "MetricStat" in query]
    for statistic in asked:
        if statistic not in STATISTICS and PERCENTILE.fullmatch(statistic) is None:
            raise NotImplementedByLocalAws(
                f"localaws does not implement the statistic {statistic!r} of CloudWatch: only percentiles such as p99 "
                f"and {', '.join(sorted(STATISTICS))}."
            )
