"""Invocation metrics of each variant: added up in memory, and sent to CloudWatch in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from localaws.core import clock
from localaws.core.context import Context
from localaws.sagemaker.endpoints.publishing import Publishing, as_dimensions, put_data

log = logging.getLogger(__name__)

NAMESPACE = "AWS/SageMaker"
#: AWS's seconds between two deliveries, and between two signs of life of a variant that nobody invokes.
INTERVAL, MINUTE = 5.0, 60.0

#: Distinct values that one datum may have, by the API's reference.
MOST_VALUES = 150

_UNITS = {"ModelLatency": "Microseconds", "OverheadLatency": "Microseconds"}


@dataclass
class _Sum:
    count: float = 0
    total: float = 0
    least: float = float("inf")
    most: float = float("-inf")
    #: Of latencies, each value to three digits and how often it came: percentiles need them.
    values: Counter[float] = field(default_factory=Counter)

    def add(self, value: float, *, kept: bool = False) -> None:
        self.count += 1
        self.total += value
        self.least = min(self.least, value)
        self.most = max(self.most, value)
        if kept:
            self.values[float(f"{value:.3g}")] += 1


class _Key(NamedTuple):
    """A metric; a dimension that it does not have is empty."""

    endpoint: str
    variant: str
    config: str
    instance: str
    metric: str


class InvocationMetrics:
    """
    What AWS measures of each invocation: Invocations, InvocationsPerInstance, ModelLatency and OverheadLatency
    (microseconds), Invocation4XXErrors, Invocation5XXErrors, InvocationModelErrors.

    A variant that was not invoked for a minute has zeros: without them nothing would ever scale in.

    :param serving: Returns endpoint and name of each variant in service.
    :param publishing: Says how an endpoint's metrics are published.
    """

    def __init__(
        self,
        ctx: Context,
        serving: Callable[[], Iterable[tuple[str, str]]],
        publishing: Callable[[str], Publishing],
    ) -> None:
        self._ctx = ctx
        self._serving = serving
        self._publishing = publishing
        self._interval = min(INTERVAL, clock.real(MINUTE) / 4)
        #: Variant -> when it last had data.
        self._heard: dict[tuple[str, str], float] = {}
        #: Endpoint -> its metrics that are not sent yet, and when the first of them came.
        self._sums: dict[str, dict[_Key, _Sum]] = {}
        self._since: dict[str, datetime] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="endpoint-metrics", daemon=True)
        self._thread.start()

    def record(
        self,
        endpoint: str,
        variant: str,
        config: str,
        *,
        instances: int,
        instance: str = "",
        status: int,
        model: float,
        overhead: float,
    ) -> None:
        """
        Take down one invocation.

        :param config: that of a fleet that is new, whose figures are told apart by a further dimension; else "".
        :param instance: the one that was asked, where metrics are published for each instance too; else "".
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
        # The variant as a whole, the new fleet of it, the one instance of it.
        series = {("", ""), (config, ""), ("", instance)}
        with self._lock:
            sums = self._of(endpoint)
            for name, value in values.items():
                for dimensions in series:
                    key = _Key(endpoint, variant, *dimensions, name)
                    sums.setdefault(key, _Sum()).add(value, kept=name in _UNITS)
            self._heard[endpoint, variant] = time.monotonic()

    def _of(self, endpoint: str) -> dict[_Key, _Sum]:
        """Return what is not sent yet of an endpoint, to add to; the lock is held."""
        self._since.setdefault(endpoint, datetime.now(UTC))
        return self._sums.setdefault(endpoint, {})

    def close(self) -> None:
        """Send what there is and end the thread."""
        self._closed.set()
        self._thread.join()
        self._deliver(list(self._sums))

    def _run(self) -> None:
        while not self._closed.wait(self._interval):
            self._add_zeros()
            self._deliver([endpoint for endpoint in list(self._sums) if self._is_due(endpoint)])

    def _is_due(self, endpoint: str) -> bool:
        """Return whether as much time has passed as its config says; where it does not say, no time is waited."""
        publishing = self._publishing(endpoint)
        if not publishing.enhanced:
            return True
        age = (datetime.now(UTC) - self._since[endpoint]).total_seconds()
        return age + self._interval / 2 >= clock.real(publishing.seconds)

    def _add_zeros(self) -> None:
        now, serving = time.monotonic(), set(self._serving())
        with self._lock:
            self._heard = {variant: self._heard.get(variant, now) for variant in serving}
            for endpoint, variant in serving:
                publishing = self._publishing(endpoint)
                wait = publishing.seconds if publishing.enhanced else MINUTE
                if now - self._heard[endpoint, variant] >= clock.real(wait):
                    for name in ("Invocations", "InvocationsPerInstance"):
                        self._of(endpoint).setdefault(_Key(endpoint, variant, "", "", name), _Sum()).add(0.0)
                    self._heard[endpoint, variant] = now

    def _deliver(self, endpoints: Iterable[str]) -> None:
        with self._lock:
            taken = [(self._since.pop(endpoint), self._sums.pop(endpoint)) for endpoint in endpoints]
        data = [datum for since, sums in taken for key, value in sums.items() for datum in _data(key, value, since)]
        try:
            put_data(self._ctx, NAMESPACE, data)
        except (BotoCoreError, ClientError):
            log.exception("the figures of %d seconds are lost: CloudWatch did not take them", self._interval)


def _data(key: _Key, value: _Sum, since: datetime) -> Iterator[dict[str, Any]]:
    base = {
        "MetricName": key.metric,
        "Dimensions": as_dimensions(
            EndpointName=key.endpoint,
            VariantName=key.variant,
            EndpointConfigName=key.config,
            InstanceId=key.instance,
        ),
        "Timestamp": since,
        "Unit": _UNITS.get(key.metric, "None"),
    }
    if value.values:
        yield from _values(base, value.values)
        return
    statistics = {"SampleCount": value.count, "Sum": value.total, "Minimum": value.least, "Maximum": value.most}
    yield {**base, "StatisticValues": statistics}


def _values(base: Mapping[str, Any], values: Mapping[float, int]) -> Iterator[dict[str, Any]]:
    found = sorted(values.items())
    for start in range(0, len(found), MOST_VALUES):
        part = found[start : start + MOST_VALUES]
        yield {**base, "Values": [value for value, _ in part], "Counts": [float(count) for _, count in part]}
