"""Who is killed, by whom, and who helps afterwards. See :mod:`benchmarks.chaos.__main__`."""

from __future__ import annotations

import contextlib
import math
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psutil

from benchmarks.chaos import checks
from include.tasks.defaults import FAILURES
from stack import health, processes
from stack.layout import Stack

#: what is killed: the stack's five parts, and what they start.
KINDS = (*health.PARTS, "worker", "task", "supervisor", "script", "model-server")
#: how often in a row ``stack up`` may fail with nothing killed meanwhile.
UP_TRIES = 4


@dataclass(frozen=True)
class Victim:
    """A process that may be killed, and the job that it works for."""

    kind: str
    process: psutil.Process
    job: str = ""


@dataclass
class Record:
    """All that is needed to tell what happened, or to do it again."""

    seed: int
    kills: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    ups: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def killed_jobs(self) -> set[str]:
        """Return the jobs whose supervisor or script was killed."""
        return {kill["job"] for kill in self.kills if kill["job"]}


class Helper:
    """Bring the stack up again after a kill of one of its parts: the only help there is."""

    def __init__(self, up: Callable[[], str | None], record: Record, chance: random.Random) -> None:
        self._up, self._record, self._chance = up, record, chance
        self._lock = threading.Lock()
        #: the parts that were killed and have not been brought up since.
        self.down: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Helper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(300)

    def call(self, part: str) -> None:
        """Note that a part was killed."""
        with self._lock:
            self.down.add(part)

    def _work(self) -> None:
        failures = 0
        while not self._over.wait(self._chance.uniform(0.5, 4)):
            with self._lock:
                known = set(self.down)
            if not known:
                continue
            kills, began = len(self._record.kills), time.monotonic()
            problem = self._up()
            self._record.ups.append({"at": now(), "seconds": round(time.monotonic() - began, 1), "problem": problem})
            if problem is None:
                with self._lock:
                    self.down -= known
                continue
            say(f"stack up: {problem.splitlines()[-1]}")
            failures = 0 if kills < len(self._record.kills) else failures + 1
            if failures == UP_TRIES:
                self._record.faults.append(f"stack up failed {UP_TRIES} times in a row: {problem}")


class Killer:
    """Kill one process at a time, so far apart, within :meth:`at_work`."""

    def __init__(
        self,
        stack: Stack,
        helper: Helper,
        record: Record,
        chance: random.Random,
        kills: int,
        spacing: tuple[float, float],
    ) -> None:
        self._stack, self._helper, self._record, self._chance = stack, helper, record, chance
        self.left, self._spacing = kills, spacing
        self._let, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._let.set()
        self._thread.join(120)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Kill until the end of the block."""
        self._let.set()
        try:
            yield
        finally:
            self._let.clear()

    def _work(self) -> None:
        while self.left and not self._over.is_set():
            # Evenly over the magnitudes: as many gaps of two to four seconds as of thirty to sixty.
            low, high = map(math.log, self._spacing)
            pause = math.exp(self._chance.uniform(low, high))
            while pause > 0 and not self._over.is_set():
                self._let.wait()
                self._over.wait(0.25)
                pause -= 0.25
            if self._let.is_set() and not self._over.is_set():
                self._kill()

    def _kill(self) -> None:
        # A part is killed again only when it was up in between: else the one that starts first is all there is to kill.
        found = [each for each in victims(self._stack, self._spared()) if each.kind not in self._helper.down]
        if not found:
            return
        kind = self._chance.choice(sorted({victim.kind for victim in found}))
        victim = self._chance.choice([victim for victim in found if victim.kind == kind])
        try:
            title = " ".join(victim.process.cmdline())[:120]
            victim.process.kill()
        except psutil.NoSuchProcess:
            return
        self.left -= 1
        kill = {"at": now(), "kind": kind, "pid": victim.process.pid, "job": victim.job, "title": title}
        self._record.kills.append(kill)
        say(f"kill -9 {kind} {victim.process.pid} {victim.job}")
        if kind in health.PARTS:
            self._helper.call(kind)

    def _spared(self) -> set[str]:
        """Return the jobs, by their first attempt, whose script was killed as often as a job is retried."""
        counts = Counter(first_name(kill["job"]) for kill in self._record.kills if kill["kind"] == "script")
        return {name for name, count in counts.items() if count >= FAILURES}


def first_name(job: str) -> str:
    """Return the name of a job's first attempt."""
    name, _, attempt = job.rpartition("-")
    return name if attempt.isdigit() and len(attempt) <= 3 else job


def victims(stack: Stack, spared: set[str]) -> list[Victim]:
    """Return what could be killed now; of the jobs in ``spared`` not the scripts."""
    found = [Victim(part, process) for part in health.PARTS if (process := processes.find(stack, part))]
    scheduler = processes.find(stack, "airflow-scheduler")
    for worker in children(scheduler):
        found.append(Victim("worker", worker))
        found += [Victim("task", task) for task in children(worker)]
    for job, supervisor in checks.supervisors(stack).items():
        found.append(Victim("supervisor", supervisor, job))
        if first_name(job) not in spared:
            found += [Victim("script", script, job) for script in programs(supervisor)]
    for server in checks.model_servers(stack):
        found += [Victim("model-server", program) for program in programs(server)]
    return found


def children(process: psutil.Process | None, *, recursive: bool = False) -> list[psutil.Process]:
    """Return its child processes, none where it has ended."""
    try:
        return process.children(recursive=recursive) if process else []
    except psutil.NoSuchProcess:
        return []


def programs(process: psutil.Process) -> list[psutil.Process]:
    """Return the Python processes below one, without the shells that entered their sandbox."""
    found = []
    for child in children(process, recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.name().startswith("python"):
                found.append(child)
    return found


def now() -> str:
    """Return the time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)
