"""The metrics of an endpoint: how often they are published, whether for each instance too, and how they are put."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws, ValidationException

#: AWS's seconds between two deliveries that may be asked for.
FREQUENCIES = (10, 30, 60, 120, 180, 240, 300)
#: data that a request has at most.
_MOST_DATA = 100


@dataclass(frozen=True)
class Publishing:
    """
    What an endpoint's config says about metrics.

    :param enhanced: Whether utilization and invocation metrics are published for each instance too.
    :param seconds: AWS's seconds between two deliveries: of utilization, and if enhanced of invocation metrics too.
    """

    enhanced: bool = False
    seconds: int = 60

    @classmethod
    def of(cls, config: Mapping[str, Any] | None) -> Publishing:
        """Read a MetricsConfig."""
        config = config or {}
        return cls(config.get("EnableEnhancedMetrics", False), config.get("MetricPublishFrequencyInSeconds", 60))


def check(config: Mapping[str, Any]) -> None:
    """
    Refuse a MetricsConfig that is not valid, or that needs what model servers here do not have.

    :raises ValidationException: The frequency is not one of AWS's.
    :raises NotImplementedByLocalAws: Detailed observability is asked for.
    """
    if config.get("EnableDetailedObservability"):
        raise NotImplementedByLocalAws(
            "MetricsConfig with EnableDetailedObservability is not implemented by localaws: "
            "its model servers have no Prometheus endpoint."
        )
    frequency = config.get("MetricPublishFrequencyInSeconds", 60)
    if frequency not in FREQUENCIES:
        raise ValidationException(
            f"MetricPublishFrequencyInSeconds must be one of {', '.join(map(str, FREQUENCIES))}, and is {frequency}."
        )


def as_dimensions(**named: str) -> list[dict[str, str]]:
    """Return a metric's dimensions. Those that it does not have are empty, and left out."""
    return [{"Name": name, "Value": value} for name, value in named.items() if value]


def put_data(ctx: Context, namespace: str, data: Sequence[Mapping[str, Any]]) -> None:
    """Put metric data, in as few requests as CloudWatch takes."""
    for start in range(0, len(data), _MOST_DATA):
        ctx.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data[start : start + _MOST_DATA])
