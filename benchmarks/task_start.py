"""
How long a task's process takes until it could call AWS, with what it imports preloaded by the executor and without.

    python -m benchmarks.task_start [--tasks 10]     # in Airflow's environment; prints Markdown
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import resource
import runpy
import statistics
import sys
import time
from collections.abc import Iterator

import airflow.jobs.scheduler_job_runner  # noqa: F401 - a task is a fork of a fork of the scheduler

from stack.executor import preload
from stack.layout import ROOT

KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10)
    tasks = parser.parse_args().tasks
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # where Airflow's log goes
    with results:
        results.writelines(f"{line}\n" for line in report(tasks))


def report(tasks: int) -> Iterator[str]:
    os.environ |= KEYS
    sys.path.append(str(ROOT / "plugins"))
    without = [in_a_fork() for _ in range(tasks)]
    began = time.perf_counter()
    preload()
    once = time.perf_counter() - began
    preloaded = [in_a_fork() for _ in range(tasks)]
    yield "### Task start\n"
    yield f"{tasks} forks of a scheduler each run `dags/train_sentiment.py` and make a SageMaker client.\n"
    yield "| | seconds, median | min | max | of processor time, median |\n|---|---:|---:|---:|---:|"
    for name, figures in (("as LocalExecutor forks", without), ("preloaded", preloaded)):
        wall, cpu = zip(*figures, strict=True)
        yield (
            f"| {name} | {statistics.median(wall):.2f} | {min(wall):.2f} | {max(wall):.2f} "
            f"| {statistics.median(cpu):.2f} |"
        )
    yield f"\nPreloading takes {once:.2f} s, once a scheduler."
    yield f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def in_a_fork() -> tuple[float, float]:
    """Seconds, and seconds of processor time, that a task takes before its own work."""
    reader, writer = os.pipe()
    began = time.perf_counter()
    # As the executor does: what is there already is neither looked at nor copied.
    gc.freeze()
    pid = os.fork()
    if pid == 0:
        runpy.run_path(str(ROOT / "dags" / "train_sentiment.py"))
        import boto3

        boto3.client("sagemaker")
        used = resource.getrusage(resource.RUSAGE_SELF)
        os.write(writer, f"{used.ru_utime + used.ru_stime}".encode())
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(pid, 0)
    wall = time.perf_counter() - began
    with os.fdopen(reader) as told:
        cpu = told.read()
    if status or not cpu:
        raise SystemExit(f"the fork ended with {status}")
    return wall, float(cpu)


if __name__ == "__main__":
    main()
