"""For the benchmark of a hundred times the data: reviews resampled, memory watched, and what AWS would take for it."""

from __future__ import annotations

import csv
import random
import threading
from collections import Counter
from pathlib import Path
from typing import Self

import psutil

SEED = 42
#: US dollars in us-east-1, on demand, as of November 2026: an hour of an instance for a processing or training job or a
#: batch transform, a DPU hour of a crawler (two DPUs, ten minutes at least), and a TB that Athena reads (10 MB at
#: least a query).
PRICES = {"ml.m5.large": 0.115, "ml.m5.xlarge": 0.23, "ml.m5.2xlarge": 0.461}
DPU_HOUR, CRAWLER_DPUS, CRAWLER_LEAST_S = 0.44, 2, 600
TERABYTE, QUERY_LEAST = 5.0, 10 * 2**20
MEBIBYTE = 2**20


def resample(source: Path, folder: Path, copies: int) -> int:
    """
    Write ``copies`` files with the rows of ``source`` each into ``folder``; the rows of all.

    The first is the source as it is. The others have rows drawn from it with replacement (seeded), a number of their
    own in the first column, and behind the text how often it had been drawn before: no two texts are alike that were
    not in the source.
    """
    with open(source, encoding="utf-8", newline="") as text:
        header, *rows = csv.reader(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "reviews-000.csv").write_bytes(source.read_bytes())
    body, draw, drawn = header.index("Review Text"), random.Random(SEED), Counter(range(len(rows)))
    for copy in range(1, copies):
        with open(folder / f"reviews-{copy:03}.csv", "w", encoding="utf-8", newline="") as text:
            writer = csv.writer(text)
            writer.writerow(header)
            for place, at in enumerate(draw.choices(range(len(rows)), k=len(rows))):
                row = [str(copy * len(rows) + place), *rows[at][1:]]
                row[body] = row[body] and f"{row[body]} {drawn[at]}"
                drawn[at] += 1
                writer.writerow(row)
    return copies * len(rows)


class Memory:
    """
    Watch the resident memory of localaws and of what it runs, five times a second, while the block lasts.

    ``server`` is the most that localaws itself had, ``job`` the most of any one process of a job, ``all_jobs`` the most
    of all processes of jobs together, in MiB. ``cpu`` is the processor time of all of them, in seconds: it is about the
    same on a busy machine, and the wall's time is not.
    """

    def __init__(self, pid: int) -> None:
        self._server = psutil.Process(pid)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.server, self.job, self.all_jobs = 0.0, 0.0, 0.0
        self._used: dict[int, float] = {}
        self._before = _processor_time(self._server)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    @property
    def cpu(self) -> float:
        """Processor seconds, as they were seen last."""
        return _processor_time(self._server) - self._before + sum(self._used.values())

    def _watch(self) -> None:
        while not self._end.wait(0.2):
            self.server = max(self.server, _resident(self._server))
            processes = self._server.children(recursive=True)
            self._used |= {each.pid: _processor_time(each) for each in processes}
            found = [_resident(each) for each in processes if not _supervises(each)]
            self.job, self.all_jobs = max([self.job, *found]), max(self.all_jobs, sum(found))


def _processor_time(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _resident(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / MEBIBYTE
    except psutil.Error:
        return 0.0


def _supervises(process: psutil.Process) -> bool:
    try:
        return "localaws.sagemaker.supervise" in process.cmdline()
    except psutil.Error:
        return True


def instances(kind: str, seconds: float) -> float:
    """Return the cost of instances in US dollars, by their seconds."""
    return PRICES[kind] * seconds / 3600


def crawler(seconds: float) -> float:
    """Return what a crawl costs."""
    return DPU_HOUR * CRAWLER_DPUS * max(seconds, CRAWLER_LEAST_S) / 3600


def queries(scanned: list[int]) -> float:
    """Return what queries cost by the bytes that each has read."""
    return sum(max(each, QUERY_LEAST) for each in scanned) * TERABYTE / 1e12
