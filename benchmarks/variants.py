"""
Variants of an endpoint: the draws, what the router adds, two instances against one, and changes under load.

    python -m benchmarks.variants [--draws 10000] [--requests 5000] [--calls 2000] [--seconds 20]

Prints Markdown; the servers and their folders are its own. No client retries. Ends with 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy import stats

from benchmarks import variants_changes
from benchmarks.local import session
from benchmarks.variants_kit import CLIENTS, Endpoints, Load, Wire, worker_channel

#: Of the seconds that AWS would take, while an endpoint changes.
CLOCK_FACTOR = "30"
SHARE = 0.7
#: Two-sided, of the statistics of the draws: one in a thousand sound runs misses it.
SIGNIFICANCE = 0.001
#: Milliseconds that the way through the gateway may add to the worker's own time.
OVERHEAD = 2.0
#: Seconds of one core that a request takes in the measurement of throughput.
WORK = 0.02
#: Of what a second bare process gains, a second instance gains at least this: clients and gateway need cores too.
SCALING = 0.75
ROUNDS = 5


@dataclass(frozen=True)
class Row:
    """One figure, and whether it is as good as it has to be; ``None`` where that is not asked."""

    name: str
    figure: str
    goal: str = ""
    met: bool | None = None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=20)
    wanted = parser.parse_args()
    rows: list[Row] = []
    # One thread a model: two would wait for each other.
    os.environ |= {"OMP_NUM_THREADS": "1", "LOCALAWS_CLOCK_FACTOR": "1"}
    with tempfile.TemporaryDirectory() as folder, session(home := Path(folder) / "home") as aws:
        endpoints = Endpoints(aws)
        rows += draws(endpoints, wanted.draws)
        rows += overhead(endpoints, home, wanted.calls)
        rows += throughput(endpoints, wanted.seconds)
    os.environ["LOCALAWS_CLOCK_FACTOR"] = CLOCK_FACTOR
    with tempfile.TemporaryDirectory() as folder, session(Path(folder) / "home") as aws:
        rows += changes(Endpoints(aws), wanted.requests)
    report(rows)
    return 1 if any(row.met is False for row in rows) else 0


def draws(endpoints: Endpoints, count: int) -> Iterator[Row]:
    """Draw variants at 70/30, one request after the other: their share, and whether they are independent."""
    note("draws")
    endpoint = endpoints.serve(endpoints.model(), endpoints.model(), weights=(SHARE, 1 - SHARE))
    wire = Wire(endpoints, endpoint)
    drawn = [wire.ask() == "A" for _ in range(count)]
    first = sum(drawn)
    share = stats.binomtest(first, count, SHARE)
    low, high = stats.binom.interval(1 - SIGNIFICANCE, count, SHARE)
    yield Row(
        f"variant A of {count} requests at weights 70/30",
        f"{first} (p = {share.pvalue:.3f})",
        f"{low:.0f} to {high:.0f}",
        bool(low <= first <= high),
    )
    runs, z = wald_wolfowitz(drawn)
    limit = stats.norm.isf(SIGNIFICANCE / 2)
    yield Row(
        "runs of the same variant (Wald-Wolfowitz)",
        f"{runs}, z = {z:+.2f} (p = {2 * stats.norm.sf(abs(z)):.3f})",
        f"z within {limit:.2f}",
        abs(z) <= limit,
    )
    endpoints.delete(endpoint)


def wald_wolfowitz(drawn: list[bool]) -> tuple[int, float]:
    """Return the number of runs, and by how many standard deviations it differs from that of independent draws."""
    one, other = sum(drawn), len(drawn) - sum(drawn)
    runs = 1 + sum(before != after for before, after in itertools.pairwise(drawn))
    mean = 2 * one * other / (one + other) + 1
    return runs, (runs - mean) / math.sqrt((mean - 1) * (mean - 2) / (one + other - 1))


def overhead(endpoints: Endpoints, home: Path, calls: int) -> Iterator[Row]:
    """Compare InvokeEndpoint with the same request straight to the model server's socket, in turns."""
    note("overhead")
    endpoint = endpoints.serve(endpoints.model())
    wire, worker = Wire(endpoints, endpoint), worker_channel(home, endpoint)
    ways: dict[str, Callable[[], Any]] = {
        "model server alone": lambda: worker.request("POST", "/invocations", b"1", wire.headers, timeout=10),
        "InvokeEndpoint": wire.ask,
        "InvokeEndpoint through boto3": lambda: endpoints.invoke(endpoint),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(calls + 50):
        for name, call in ways.items():
            began = time.perf_counter()
            call()
            if turn >= 50:
                times[name].append((time.perf_counter() - began) * 1000)
    middle = {name: statistics.median(found) for name, found in times.items()}
    for name, found in times.items():
        yield Row(f"{name}, p50 / p99 of {calls}", f"{middle[name]:.2f} / {quantile(found, 99):.2f} ms")
    added = middle["InvokeEndpoint"] - middle["model server alone"]
    yield Row("router: p50 over the worker's own", f"{added:.2f} ms", f"< {OVERHEAD:g} ms", added < OVERHEAD)
    endpoints.delete(endpoint)


def throughput(endpoints: Endpoints, seconds: float) -> Iterator[Row]:
    """
    Compare two instances with one, by a model that needs a core, and two bare processes that do its work with one.

    The ways take turns, so that what else the machine does meets them alike; the bare ones show what it has left.
    """
    note("throughput")
    model = endpoints.model(work=WORK)
    served = {count: endpoints.serve(model, count=count) for count in (1, 2)}
    ways: dict[str, Callable[[float], float]] = {
        "1 process": lambda span: bare(1, span),
        "2 processes": lambda span: bare(2, span),
        "1 instance": lambda span: rate(endpoints, served[1], span),
        "2 instances": lambda span: rate(endpoints, served[2], span),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            found[name].append(way(seconds / ROUNDS))
    rates = {name: statistics.mean(each) for name, each in found.items()}
    for name, each in rates.items():
        yield Row(f"{name}, {WORK * 1000:g} ms of a core a request", f"{each:.0f} a second")
    machine, ours = rates["2 processes"] / rates["1 process"], rates["2 instances"] / rates["1 instance"]
    yield Row("two processes against one", f"{machine:.2f} x")
    goal = SCALING * machine
    yield Row("two instances against one", f"{ours:.2f} x", f">= {SCALING:g} x that = {goal:.2f} x", ours >= goal)
    for endpoint in served.values():
        endpoints.delete(endpoint)


def rate(endpoints: Endpoints, endpoint: str, seconds: float) -> float:
    """Return how many requests a second an endpoint answers."""
    with Load(endpoints, endpoint) as load:
        load.wait_for(2 * CLIENTS)
        before, began = load.total, time.perf_counter()
        time.sleep(seconds)
        found = (load.total - before) / (time.perf_counter() - began)
    if load.failures:
        raise SystemExit(f"failed requests: {load.failures}")
    return found


def bare(count: int, seconds: float) -> float:
    """Return how many times a second ``count`` processes do the model's work."""
    code = (
        f"import time; end = time.monotonic() + {seconds}; done = 0\n"
        "while time.monotonic() < end:\n"
        f"    until = time.thread_time() + {WORK}; done += 1\n"
        "    while time.thread_time() < until: pass\n"
        "print(done)"
    )
    command = [sys.executable, "-c", code]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return sum(int(each.communicate()[0]) for each in started) / seconds


def changes(endpoints: Endpoints, requests: int) -> Iterator[Row]:
    """Count the requests that fail while an endpoint changes."""
    for change in variants_changes.ALL:
        note(change.__name__)
        words, asked, failures = change(endpoints, requests)
        for problem, count in failures.most_common(3):
            note(f"{count} x {problem}")
        failed = sum(failures.values())
        yield Row(f"failed requests, {CLIENTS} clients, during {words}", f"{failed} of {asked}", "0", not failed)


def report(rows: list[Row]) -> None:
    print("# Variants of an endpoint: draws, router, instances, changes under load\n")
    print(
        "Models that multiply a number. InvokeEndpoint is timed by a client that signs once and keeps its connection;"
    )
    print(f"a minute takes {60 / float(CLOCK_FACTOR):g} s while endpoints change (`LOCALAWS_CLOCK_FACTOR`).\n")
    print("| | measured | goal | |\n|---|---:|---:|---|")
    for row in rows:
        print(f"| {row.name} | {row.figure} | {row.goal} | {'' if row.met is None else 'yes' if row.met else 'NO'} |")
    print(f"\nOn {os.cpu_count()} cores, which clients, server and model servers share with whatever else runs there.")


def quantile(times: list[float], percent: int) -> float:
    return statistics.quantiles(times, n=100)[percent - 1]


def note(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
