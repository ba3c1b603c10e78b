"""The system profiler: samples of each host's processes, for CloudWatch and, where a job asks for it, for S3."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localaws.sagemaker.jobs import usage
from localaws.sagemaker.jobs.shipping import Shipper
from localaws.sagemaker.jobs.usage import Sample, Usage

#: milliseconds between two samples where a job names none; AWS takes these.
DEFAULT_INTERVAL, INTERVALS = 500, (100, 200, 500, 1000, 5000, 60000)
#: seconds between two samples of a job that is not profiled, for CloudWatch alone.
_PLAIN_S = 1.0
_MINUTE = 60
END = "training_job_end.ts"


class Profiler:
    """
    Samples until it is told to stop.

    :param job: the job's name.
    :param folder: where the system metrics of a profiled job are written, as AWS lays them out.
    :param config: the settings of the job's profiler.
    """

    def __init__(self, job: str, folder: Path, config: ProfilerSettings, shipper: Shipper) -> None:
        self._job = job
        self._folder = folder
        self._config = config
        self._shipper = shipper
        self._usages: dict[str, Usage] = {}
        self._pending: dict[str, list[Sample]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self, processes: Mapping[str, int]) -> None:
        """Begin; ``processes`` are the ids of the hosts' first processes."""
        self._usages = {host: Usage(pid, self._folder.parent) for host, pid in processes.items()}
        self._pending = {host: [] for host in processes}
        self._thread.start()

    def finish(self) -> None:
        """Write and publish what is left."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._publish()
        if self._config.interval() is not None:
            (self._folder / "system").mkdir(parents=True, exist_ok=True)
            (self._folder / "system" / END).touch()

    def _run(self) -> None:
        minute = _minute(time.time())
        while not self._stop.wait(self._seconds()):
            self._sample()
            if minute != (minute := _minute(time.time())):
                self._publish()

    def _seconds(self) -> float:
        interval = self._config.interval()
        return _PLAIN_S if interval is None else interval / 1000

    def _sample(self) -> None:
        profiled = self._config.interval() is not None
        for host, each in self._usages.items():
            sample = each.sample()
            if sample is None:
                continue
            self._pending[host].append(sample)
            if profiled:
                self._write(host, sample)

    def _write(self, host: str, sample: Sample) -> None:
        """One line an event; the file's name is the end of its minute."""
        end = _minute(sample.moment) + _MINUTE
        hour = datetime.fromtimestamp(sample.moment, UTC).strftime("%Y%m%d%H")
        path = self._folder / "system" / "incremental" / hour / f"{end}.{host}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            for event in events(host, sample):
                file.write(f"{json.dumps(event)}\n")

    def _publish(self) -> None:
        for host, samples in self._pending.items():
            if samples:
                dimension = {"Name": "Host", "Value": f"{self._job}/{host}"}
                moment = samples[-1].moment
                self._shipper.measure(
                    {
                        "MetricName": name,
                        "Value": value,
                        "Unit": "Percent",
                        "Timestamp": moment,
                        "Dimensions": [dimension],
                    }
                    for name, value in usage.mean(samples).items()
                )
                samples.clear()


def events(host: str, sample: Sample) -> list[dict[str, Any]]:
    """Return the lines of a sample. CPU is the job's share of all cores, since its processes move between them."""
    figures = (
        ("cpu", "cpu", "CPUUtilization", sample.cpu / (os.cpu_count() or 1)),
        ("memory", "MemoryUsedPercent", "MemoryUsedPercent", sample.memory),
        ("i/o", "ReadThroughputInBytesPerSecond", "I/O", sample.read),
        ("i/o", "WriteThroughputInBytesPerSecond", "I/O", sample.written),
    )
    return [
        {
            "Type": kind,
            "Name": name,
            "Dimension": dimension,
            "Value": round(value, 3),
            "NodeId": host,
            "Timestamp": sample.moment,
        }
        for kind, name, dimension, value in figures
    ]


class ProfilerSettings:
    """
    The profiler's part of a training job, which UpdateTrainingJob may change while the job runs.

    :param request: CreateTrainingJob's.
    :param path: the file that holds what an update has changed; there is none before the first one.
    """

    def __init__(self, request: Mapping[str, Any], path: Path) -> None:
        self._given = request
        self._path = path
        self._seen = -1
        self._now: Mapping[str, Any] = request

    def interval(self) -> int | None:
        """Return the milliseconds between two samples; ``None`` while profiling is off."""
        request = self.request()
        if not enabled(request):
            return None
        return int(request.get("ProfilerConfig", {}).get("ProfilingIntervalInMilliseconds", DEFAULT_INTERVAL))

    def request(self) -> Mapping[str, Any]:
        """``ProfilerConfig`` and ``ProfilerRuleConfigurations`` as they are now, among other members."""
        try:
            changed = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return self._given
        if changed != self._seen:
            self._seen, self._now = changed, {**self._given, **json.loads(self._path.read_text())}
        return self._now


def enabled(request: Mapping[str, Any]) -> bool:
    """Return True if a training job is profiled: by its ProfilerConfig or its rules, and not turned off."""
    config = request.get("ProfilerConfig")
    wanted = config is not None or bool(request.get("ProfilerRuleConfigurations"))
    return wanted and not (config or {}).get("DisableProfiler", False)


def output(request: Mapping[str, Any]) -> str:
    """Return the S3 prefix of a job's profile."""
    place = request.get("ProfilerConfig", {}).get("S3OutputPath") or request["OutputDataConfig"]["S3OutputPath"]
    return f"{place.rstrip('/')}/{request['TrainingJobName']}/profiler-output/"


def read(folder: Path) -> Sequence[dict[str, Any]]:
    """Return all events that were written, in order."""
    return [
        json.loads(line)
        for path in sorted(folder.glob("system/incremental/*/*.json"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def _minute(moment: float) -> int:
    return int(moment) // _MINUTE * _MINUTE
