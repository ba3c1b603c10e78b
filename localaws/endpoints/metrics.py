"""The figures of each variant, added up in memory and sent to CloudWatch in the background, as statistic sets."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localaws.context import Context

log = logging.getLogger(__name__)

NAMESPACE = "AWS/SageMaker"
#: seconds between two deliveries.
INTERVAL = 5.0

_UNITS = {"ModelLatency": "Microseconds", "OverheadLatency": "Microseconds"}


@dataclass
class _Sum:
    count: float = 0
    total: float = 0
    least: float = float("inf")
    most: float = float("-inf")

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.least = min(self.least, value)
        self.most = max(self.most, value)


#: endpoint, variant, metric.
_Key = tuple[str, str, str]


class InvocationMetrics:
    """
    What AWS measures of each invocation: Invocations, InvocationsPerInstance, ModelLatency and OverheadLatency
    (microseconds), Invocation4XXErrors, Invocation5XXErrors, InvocationModelErrors.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._sums: dict[_Key, _Sum] = {}
        self._since = datetime.now(UTC)
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="endpoint-metrics", daemon=True)
        self._thread.start()

    def record(
        self, endpoint: str, variant: str, *, instances: int, status: int, model: float, overhead: float
    ) -> None:
        """
        Take down one invocation.

        :param status: what the model answered; 0 if it did not answer.
        :param model: seconds until the model's answer.
        :param overhead: seconds spent besides.
        """
        values = {
            "Invocations": 1.0,
            "InvocationsPerInstance": 1.0 / instances,
            "Invocation4XXErrors": float(400 <= status < 500),
            "Invocation5XXErrors": float(status >= 500 or status == 0),
            "InvocationModelErrors": float(not 200 <= status < 300),
            "ModelLatency": model * 1e6,
            "OverheadLatency": overhead * 1e6,
        }
        with self._lock:
            if not self._sums:
                self._since = datetime.now(UTC)
            for name, value in values.items():
                self._sums.setdefault((endpoint, variant, name), _Sum()).add(value)
        if not self._some.is_set():
            self._some.set()

    def close(self) -> None:
        """Send what there is and end the thread."""
        self._closed.set()
        self._some.set()
        self._thread.join()
        self._deliver()

    def _run(self) -> None:
        while not self._closed.is_set():
            self._some.wait()
            self._closed.wait(INTERVAL)
            # Cleared before looking at _closed again, which is set before _some is.
            self._some.clear()
            self._deliver()

    def _deliver(self) -> None:
        with self._lock:
            sums, self._sums = self._sums, {}
            since = self._since
        if not sums:
            return
        try:
            data = [_datum(key, value, since) for key, value in sums.items()]
            for start in range(0, len(data), 100):
                self._ctx.client("cloudwatch").put_metric_data(
                    Namespace=NAMESPACE, MetricData=data[start : start + 100]
                )
        except (BotoCoreError, ClientError):
            log.exception("the figures of %d seconds are lost: CloudWatch did not take them", INTERVAL)


def _datum(key: _Key, value: _Sum, since: datetime) -> dict[str, Any]:
    endpoint, variant, name = key
    return {
        "MetricName": name,
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}],
        "Timestamp": since,
        "Unit": _UNITS.get(name, "None"),
        "StatisticValues": {
            "SampleCount": value.count,
            "Sum": value.total,
            "Minimum": value.least,
            "Maximum": value.most,
        },
    }
