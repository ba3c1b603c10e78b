"""CPU, memory and disk of each variant's model servers, sent to CloudWatch while an endpoint lives."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localaws.core import clock
from localaws.core.context import Context
from localaws.sagemaker.endpoints.publishing import FREQUENCIES, Publishing, as_dimensions, put_data
from localaws.sagemaker.endpoints.worker import Worker
from localaws.sagemaker.jobs import usage
from localaws.sagemaker.jobs.usage import Sample, Usage

log = logging.getLogger(__name__)

NAMESPACE = "/aws/sagemaker/Endpoints"
#: Seconds between two samples.
SAMPLING = 2.0

#: endpoint and variant.
Place = tuple[str, str]


class Utilization:
    """
    Samples model servers.

    :param running: gives the model servers that there are now, by endpoint and variant.
    :param publishing: says how an endpoint's metrics are published.
    """

    def __init__(
        self,
        ctx: Context,
        running: Callable[[], Iterable[tuple[Place, Worker]]],
        publishing: Callable[[str], Publishing],
    ) -> None:
        self._ctx = ctx
        self._running = running
        self._publishing = publishing
        # The shortest period has a sample, whatever the clock factor; more than two a second would burden the machine.
        self._sampling = min(SAMPLING, max(0.5, clock.real(min(FREQUENCIES))))
        self._usages: dict[str, Usage] = {}
        self._samples: dict[Place, list[tuple[str, Sample]]] = defaultdict(list)
        #: when each variant's figures went out last: a new one's go with their first sample.
        self._sent: dict[Place, float] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="endpoint-utilization", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(self._sampling):
            try:
                self._sample()
                self._deliver()
            except Exception:  # the thread's outermost frame: it must live as long as the server
                log.exception("the utilization of the endpoints is not known")

    def _sample(self) -> None:
        found = list(self._running())
        alive = {worker.id for _, worker in found}
        self._usages = {name: each for name, each in self._usages.items() if name in alive}
        self._sent = {place: at for place, at in self._sent.items() if place in {place for place, _ in found}}
        for place, worker in found:
            pid, known = worker.pid, self._usages.get(worker.id)
            if pid is None:
                continue
            if known is None or known.pid != pid:
                self._usages[worker.id] = Usage(pid, worker.folder)
            elif (sample := known.sample()) is not None:
                self._samples[place].append((worker.id, sample))

    def _deliver(self) -> None:
        now = time.monotonic()
        due = [place for place in self._samples if self._is_due(place, now)]
        data = []
        for place in due:
            samples = self._samples.pop(place)
            data += _data(place, [sample for _, sample in samples])
            if self._publishing(place[0]).enhanced:
                for instance in {name for name, _ in samples}:
                    data += _data(place, [sample for name, sample in samples if name == instance], instance)
        self._sent.update((place, now) for place in due)
        try:
            put_data(self._ctx, NAMESPACE, data)
        except (BotoCoreError, ClientError):
            log.exception("CloudWatch did not take the utilization of the endpoints")

    def _is_due(self, place: Place, now: float) -> bool:
        sent = self._sent.get(place)
        return sent is None or now - sent >= clock.real(self._publishing(place[0]).seconds)


def _data(place: Place, samples: Sequence[Sample], instance: str = "") -> list[dict[str, Any]]:
    endpoint, variant = place
    dimensions = as_dimensions(EndpointName=endpoint, VariantName=variant, InstanceId=instance)
    return [
        {
            "MetricName": name,
            "Value": value,
            "Unit": "Percent",
            "Timestamp": samples[-1].moment,
            "Dimensions": dimensions,
        }
        for name, value in usage.mean(samples).items()
    ]
