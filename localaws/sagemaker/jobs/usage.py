"""What a process and all that it started use of this machine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class Sample:
    """
    Figures of the time since the sample before.

    :param moment: seconds since 1970.
    :param cpu: percent, 100 for each core.
    :param memory: percent of the machine's.
    :param disk: percent of the file system that is in use, by whomever.
    :param read: bytes a second that reached a disk; ``written`` likewise.
    """

    moment: float
    cpu: float
    memory: float
    disk: float
    read: float
    written: float


@dataclass(frozen=True)
class _Totals:
    at: float
    cpu: float
    resident: int
    read: int
    written: int


class Usage:
    """
    Samples of one process tree.

    :param folder: on the file system whose use counts.
    """

    def __init__(self, pid: int, folder: Path) -> None:
        self.pid = pid
        self._folder = folder
        self._before = self._totals()

    def sample(self) -> Sample | None:
        """Return the usage since the last call, or ``None`` once the process is gone."""
        before, now = self._before, self._totals()
        self._before = now
        if before is None or now is None or now.at <= before.at:
            return None
        seconds = now.at - before.at
        disk = shutil.disk_usage(self._folder)
        return Sample(
            time.time(),
            # A process that ends takes its figures along unless its parent has waited for it.
            max(0.0, now.cpu - before.cpu) / seconds * 100,
            now.resident / psutil.virtual_memory().total * 100,
            disk.used / disk.total * 100,
            max(0, now.read - before.read) / seconds,
            max(0, now.written - before.written) / seconds,
        )

    def _totals(self) -> _Totals | None:
        try:
            root = psutil.Process(self.pid)
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return None
        found = list(_figures(family))
        if not found:
            return None
        sums = [sum(column) for column in zip(*found, strict=True)]
        return _Totals(time.monotonic(), sums[0], int(sums[1]), int(sums[2]), int(sums[3]))


def _figures(family: Sequence[psutil.Process]) -> Iterator[tuple[float, int, int, int]]:
    """Return CPU seconds (children included), resident bytes, bytes read and written of each that runs."""
    for process in family:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied), process.oneshot():
            times = process.cpu_times()
            cpu = times.user + times.system + times.children_user + times.children_system
            traffic: Any = process.io_counters() if hasattr(process, "io_counters") else None
            read, written = (traffic.read_bytes, traffic.write_bytes) if traffic else (0, 0)
            yield cpu, process.memory_info().rss, read, written


def mean(samples: Sequence[Sample]) -> dict[str, float]:
    """CPUUtilization, MemoryUtilization and DiskUtilization as CloudWatch has them, in percent."""
    members = {"CPUUtilization": "cpu", "MemoryUtilization": "memory", "DiskUtilization": "disk"}
    return {
        name: round(sum(getattr(each, member) for each in samples) / len(samples), 3)
        for name, member in members.items()
    }
