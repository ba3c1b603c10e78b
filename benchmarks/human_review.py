"""
Human review of localaws in process: how fast workers get and answer tasks, whether two ever get the same one, and
what a ``kill -9`` right after an answer costs. :mod:`benchmarks.human_review_kills` does it through the portal. Runs
in the jobs environment.

    python -m benchmarks.human_review [--loops 1000] [--takes 10000] [--workers 20] [--kills 100]    # prints Markdown

Exits with 1 where a seat was given twice or an answer was lost.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
for folder in (ROOT / "tests", ROOT / "tests" / "localaws"):
    sys.path.insert(0, str(folder))

from human_child import context  # noqa: E402
from human_kit import Desk, Person, label  # noqa: E402

from localaws.sagemaker.human_review import seats, templates  # noqa: E402

Line = tuple[str, str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loops", type=int, default=1000)
    parser.add_argument("--takes", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--kills", type=int, default=100)
    chosen = parser.parse_args()
    lines: list[Line] = []
    bad = 0
    for measured in (
        lambda: portal_calls(chosen.loops),
        lambda: takes(chosen.takes, chosen.workers),
        lambda: kills(chosen.kills),
    ):
        found, wrong = measured()  # type: ignore[no-untyped-call]
        lines += found
        bad += wrong
    templates.close()
    table("Human review in process", lines)
    sys.exit(1 if bad else 0)


def table(title: str, lines: list[Line]) -> None:
    print(f"### {title}\n")
    print("| what | measured | wanted |\n|---|---|---|")
    for line in lines:
        print(f"| {' | '.join(line)} |")


def spread(times: list[float]) -> str:
    middle, high = 1000 * np.percentile(times, (50, 95))
    return f"p50 {middle:.1f} ms, p95 {high:.1f} ms"


def timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def desk(home: Path) -> Desk:
    """Human review in this process, in the present, with outputs in a folder."""
    made = Desk(home)
    object.__setattr__(made, "ctx", context(home))
    return made


def opened(made: Desk, count: int, name: str = "flow", **config: Any) -> str:
    """Start loops of a new flow; the flow's name."""
    flow = made.flow(name, **config)
    for number in range(count):
        made.start(f"{name}-{number}", flow)
    return name


def portal_calls(count: int) -> tuple[list[Line], int]:
    """What a worker waits for while there is a number of open loops."""
    with tempfile.TemporaryDirectory() as folder:
        made = desk(Path(folder))
        starting = timed(lambda: opened(made, count))
        worker = made.worker()
        listed = [timed(lambda: seats.jobs(made.ctx, worker)) for _ in range(100)]
        taken: list[float] = []
        submitted: list[float] = []
        for _ in range(min(100, count)):
            held: list[seats.Task] = []
            taken.append(timed(lambda held=held: held.append(seats.take(made.ctx, worker, "flow"))))  # type: ignore[misc]
            seat = held[0].seat_id
            submitted.append(timed(partial(seats.submit, made.ctx, worker, seat, label("1"))))
        both = [one + other for one, other in zip(listed, taken, strict=False)]
        return [
            (f"StartHumanLoop in process, {count:,} loops", f"{1000 * starting / count:.1f} ms each", ""),
            (f"jobs(), {count:,} open loops", spread(listed), ""),
            (f"take(), {count:,} open loops", spread(taken), ""),
            ("jobs() and take()", spread(both), "< 50 ms"),
            ("submit()", spread(submitted), ""),
        ], 0


def takes(count: int, workers: int) -> tuple[list[Line], int]:
    """Workers at once take, and release or answer, until they have taken so often; how often two had one seat."""
    with tempfile.TemporaryDirectory() as folder:
        made = desk(Path(folder))
        opened(made, workers + 10, TaskCount=1)
        held: Counter[str] = Counter()
        lock = threading.Lock()
        twice: list[str] = []
        left = [count]
        times: list[float] = []

        def work(worker: Person) -> None:
            chance = random.Random(worker.username)
            while True:
                with lock:
                    if left[0] <= 0:
                        return
                    left[0] -= 1
                began = time.perf_counter()
                task = seats.take(made.ctx, worker, "flow")
                seconds = time.perf_counter() - began
                with lock:
                    times.append(seconds)
                    held[task.loop_name] += 1
                    if held[task.loop_name] > 1:
                        twice.append(task.loop_name)
                if chance.random() < 0.1:
                    time.sleep(0.001)
                with lock:
                    held[task.loop_name] -= 1
                seats.release(made.ctx, worker, task.seat_id)

        threads = [threading.Thread(target=work, args=(made.worker(f"w{number}"),)) for number in range(workers)]
        seconds = timed(lambda: [*map(threading.Thread.start, threads), *map(threading.Thread.join, threads)])
        rate = f"{count / seconds:.0f}/s, {spread(times)}"
        return [
            (f"{count:,} takes and releases, {workers} threads", rate, ""),
            ("of these, seats that two workers had", str(len(twice)), "0"),
        ], len(twice)


def kills(count: int) -> tuple[list[Line], int]:
    """Workers answer in a process that is killed right after an acknowledgement; how many answers are lost."""
    chance = random.Random(13)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        made = desk(home)
        opened(made, count * 12)
        acknowledged: list[str] = []
        for number in range(count):
            child = subprocess.Popen(
                [sys.executable, str(ROOT / "tests" / "localaws" / "human_child.py"), folder, "flow", f"w{number}"],
                stdout=subprocess.PIPE,
                text=True,
                env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}:{ROOT / 'tests' / 'localaws'}"},
            )
            assert child.stdout is not None
            names = [child.stdout.readline() for _ in range(chance.randint(1, 8))]
            time.sleep(chance.random() * 0.005)
            child.kill()
            names += child.stdout.read().splitlines(keepends=True)
            child.wait()
            # A line may have been cut off with its process.
            acknowledged += [name.strip() for name in names if name.endswith("\n")]
        with made.ctx.store.transaction() as connection:
            rows = connection.execute("SELECT loop_name, answer FROM seat WHERE status = 'answered'").fetchall()
        kept = {name for name, answer in rows if json.loads(answer) == label("1")}
        lost = [name for name in acknowledged if name not in kept]
        return [
            (f"answers acknowledged before {count} kills of the process", f"{len(acknowledged):,}", ""),
            ("of these, answers that are lost", str(len(lost)), "0"),
        ], len(lost)


if __name__ == "__main__":
    main()
