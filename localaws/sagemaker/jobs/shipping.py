"""Lines and metric values on their way to CloudWatch, in batches, behind the job's back."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from localaws.core.job_client import Aws, AwsRequestError, ServerAway
from localaws.sagemaker.jobs.metrics import Metrics

#: what a stream may take at once, and each second: the server keeps events in memory, and a runaway script prints
#: gigabytes. Beyond it lines are left out, but for the last ones.
BURST_BYTES = 4 << 20
BYTES_A_SECOND = 8 << 10
TAIL_LINES = 200
#: CloudWatch's own limits of a batch are 10,000 events and 1 MiB, with 26 bytes counted for each event.
_BATCH_EVENTS = 2000
_BATCH_BYTES = 512 << 10
_PERIOD_S = 0.5


@dataclass
class _Stream:
    pending: deque[tuple[int, str]] = field(default_factory=deque)
    tail: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    left_out: int = 0
    allowance: float = BURST_BYTES
    seen: float = field(default_factory=time.monotonic)
    created: bool = False


class Shipper:
    """
    Delivers to one log group and one metric namespace.

    :param group: the log group, such as ``/aws/sagemaker/TrainingJobs``; also the metrics' namespace.
    :param dimension: name and value of the metrics' dimension.
    """

    def __init__(self, aws: Aws, group: str, metrics: Metrics, dimension: tuple[str, str]) -> None:
        self._aws = aws
        self._group = group
        self._metrics = metrics
        self._dimension = dimension
        self._streams: dict[str, _Stream] = defaultdict(_Stream)
        # Bounded, as the metrics are.
        self._measured: deque[dict[str, object]] = deque(maxlen=10_000)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start the thread that delivers."""
        self._thread.start()

    def add(self, stream: str, text: str, moment: float) -> None:
        """Take a line; never waits."""
        event = (int(moment * 1000), text)
        with self._lock:
            state = self._streams[stream]
            now = time.monotonic()
            state.allowance = min(BURST_BYTES, state.allowance + (now - state.seen) * BYTES_A_SECOND)
            state.seen = now
            # A line that is left out may still be among the last ones, which are all delivered.
            if state.allowance < len(text):
                if len(state.tail) == TAIL_LINES:
                    state.left_out += 1
                state.tail.append(event)
                return
            self._let_tail_go(state)
            state.allowance -= len(text) + 26
            state.pending.append(event)
            if len(state.pending) >= _BATCH_EVENTS:
                self._wake.set()

    def measure(self, data: Iterable[dict[str, object]]) -> None:
        """Take metric data with dimensions of their own; never waits."""
        self._measured.extend(data)

    @staticmethod
    def _let_tail_go(state: _Stream) -> None:
        if state.tail:
            if state.left_out:
                text = f"[localaws] {state.left_out} lines are left out here: too many at once; the log file has more"
                state.pending.append((state.tail[0][0], text))
            state.pending.extend(state.tail)
            state.tail.clear()
            state.left_out = 0

    def close(self, timeout: float) -> bool:
        """Deliver what is left, with each stream's last lines, and return True if all went out in time."""
        with self._lock:
            for state in self._streams.values():
                self._let_tail_go(state)
            self._closing = True
        self._wake.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._wake.wait(_PERIOD_S)
            self._wake.clear()
            closing = self._closing
            try:
                self._deliver()
            except ServerAway as error:
                print(f"CloudWatch is away: {error}", file=sys.stderr)
            except AwsRequestError as error:
                # Refused for good: trying the same again would not help, and the log file has the lines.
                print(f"CloudWatch refuses: {error}", file=sys.stderr)
            if closing:
                return

    def _deliver(self) -> None:
        for name in list(self._streams):
            while batch := self._batch(name):
                self._create(name)
                body = {
                    "logGroupName": self._group,
                    "logStreamName": name,
                    "logEvents": [{"timestamp": moment, "message": text} for moment, text in batch],
                }
                self._aws.call("logs", "Logs_20140328.PutLogEvents", body)
        while data := self._metrics.take(500):
            self._deliver_metrics([self._datum(each) for each in data])
        while data := [self._measured.popleft() for _ in range(min(500, len(self._measured)))]:
            self._deliver_metrics(data)

    def _batch(self, name: str) -> list[tuple[int, str]]:
        batch: list[tuple[int, str]] = []
        size = 0
        with self._lock:
            pending = self._streams[name].pending
            while pending and len(batch) < _BATCH_EVENTS and size < _BATCH_BYTES:
                batch.append(pending.popleft())
                size += len(batch[-1][1]) + 26
        return batch

    def _create(self, name: str) -> None:
        state = self._streams[name]
        if state.created:
            return
        for operation, body in (
            ("CreateLogGroup", {"logGroupName": self._group}),
            ("CreateLogStream", {"logGroupName": self._group, "logStreamName": name}),
        ):
            with _existing():
                self._aws.call("logs", f"Logs_20140328.{operation}", body)
        state.created = True

    def _datum(self, found: dict[str, Any]) -> dict[str, object]:
        name, value = self._dimension
        return {
            "MetricName": found["MetricName"],
            "Value": found["Value"],
            "Timestamp": found["Timestamp"].timestamp(),
            "Dimensions": [{"Name": name, "Value": value}],
        }

    def _deliver_metrics(self, data: list[dict[str, object]]) -> None:
        body = {"Namespace": self._group, "MetricData": data}
        self._aws.call("monitoring", "GraniteServiceVersion20100801.PutMetricData", body, version="1.0")


@contextlib.contextmanager
def _existing():  # type: ignore[no-untyped-def]
    try:
        yield
    except AwsRequestError as error:
        if error.code.rpartition("#")[2] != "ResourceAlreadyExistsException":
            raise
