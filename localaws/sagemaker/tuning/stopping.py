"""
TrainingJobEarlyStoppingType Auto: a training job that does worse than the others did at its age is stopped.

The rule is AWS's own: after each epoch (each time that the log has the objective) its value is compared with the median
of the running averages of the training jobs that have completed, up to the same epoch.
"""

from __future__ import annotations

import statistics
import threading
from typing import Any

from localaws.core.context import Context
from localaws.sagemaker.jobs.folder import JobFolder
from localaws.sagemaker.jobs.metrics import Metrics
from localaws.sagemaker.training import api as training

Record = dict[str, Any]


class _Curve:
    """The objective in a log that grows: each look reads what was added."""

    def __init__(self, definitions: list[dict[str, str]]) -> None:
        self._metrics = Metrics(definitions)
        self._offset = 0
        self._partial = b""
        self.values: list[float] = []

    def read(self, name: str, ctx: Context) -> list[float]:
        path = JobFolder.of(ctx.home, training.KIND, name).log("algo-1")
        if not path.exists():
            return self.values
        if path.stat().st_size < self._offset:
            # A full log starts again.
            self._offset, self._partial = 0, b""
        with open(path, "rb") as file:
            file.seek(self._offset)
            added = file.read()
        self._offset += len(added)
        *lines, self._partial = (self._partial + added).split(b"\n")
        for line in lines:
            self._metrics.scan(line.decode("utf-8", "replace"), 0)
            self.values += [datum["Value"] for datum in self._metrics.take(1000)]
        return self.values


#: by training job, those that run. A restarted server reads their logs from the beginning.
_curves: dict[str, _Curve] = {}
#: a List may look at the same time as the reconciler.
_lock = threading.Lock()


def wanted(record: Record) -> bool:
    """Return whether the tuning job stops training jobs by what their logs say."""
    config = record["HyperParameterTuningJobConfig"]
    return bool(config.get("TrainingJobEarlyStoppingType", "Off") == "Auto" or config["Strategy"] == "Hyperband")


def values(metric: str, trial: Record, ctx: Context) -> list[float]:
    """Return the objective after each epoch so far, read from the training job's log on its first host."""
    name = trial["TrainingJobName"]
    with _lock:
        if name not in _curves:
            job = ctx.store.get(training.KIND, name) or {}
            definitions = job.get("AlgorithmSpecification", {}).get("MetricDefinitions", [])
            _curves[name] = _Curve([each for each in definitions if each["Name"] == metric])
        return list(_curves[name].read(name, ctx))


def forget(trial: Record) -> None:
    """Forget the curve of a training job that has ended."""
    with _lock:
        _curves.pop(trial["TrainingJobName"], None)


def worse(current: list[float], others: list[list[float]], direction: str) -> bool:
    """
    Return True if a training job is to be stopped.

    :param current: its objective after each epoch so far.
    :param others: those of the training jobs that have completed.
    :param direction: Maximize or Minimize.
    """
    epoch = len(current)
    averages = [statistics.fmean(other[:epoch]) for other in others if len(other) >= epoch > 0]
    if not averages:
        return False
    median = statistics.median(averages)
    return current[-1] < median if direction == "Maximize" else current[-1] > median
