"""Metric regexes on a job's log: FinalMetricDataList, and data for CloudWatch."""

from __future__ import annotations

import contextlib
import re
import threading
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any


class Metrics:
    """
    Looks for the metrics of AlgorithmSpecification.MetricDefinitions in lines.

    :param definitions: ``{"Name", "Regex"}`` each; the regex's first group is the value.
    """

    def __init__(self, definitions: Sequence[dict[str, str]]) -> None:
        self._definitions = [(definition["Name"], re.compile(definition["Regex"])) for definition in definitions]
        self._final: dict[str, dict[str, Any]] = {}
        # Bounded: a server that is away must not cost the job its memory.
        self._fresh: deque[dict[str, Any]] = deque(maxlen=10_000)
        self._lock = threading.Lock()

    def scan(self, line: str, moment: float) -> None:
        """Take each value that the line has."""
        for name, regex in self._definitions:
            for match in regex.finditer(line):
                with contextlib.suppress(ValueError, IndexError, TypeError):
                    # AWS, too, ignores what a regex catches and is not a number.
                    self._add(name, float(match.group(1)), moment)

    def _add(self, name: str, value: float, moment: float) -> None:
        datum = {"MetricName": name, "Value": value, "Timestamp": datetime.fromtimestamp(moment, UTC)}
        with self._lock:
            self._final[name] = datum
            self._fresh.append(datum)

    def final(self) -> list[dict[str, Any]]:
        """Return the last value of each metric, as in FinalMetricDataList."""
        with self._lock:
            return [self._final[name] for name, _ in self._definitions if name in self._final]

    def take(self, limit: int) -> list[dict[str, Any]]:
        """Return values not taken before, at most ``limit``."""
        with self._lock:
            return [self._fresh.popleft() for _ in range(min(limit, len(self._fresh)))]
