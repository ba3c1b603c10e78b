"""``python -m benchmarks [name ...]``: run benchmarks, each in a process of its own, and write their results."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
#: name -> the environment it runs in. Those marked "stack" look at the stack that `make demo` left running.
BENCHMARKS = {
    "job_start": "jobs",
    "endpoint": "jobs",
    "variants": "jobs",
    "athena": "jobs",
    "s3": "jobs",
    "features": "jobs",
    "tokenising": "jobs",
    "train": "jobs",
    "balance": "jobs",
    "clarify": "jobs",
    "blazingtext": "jobs",
    "packing": "jobs",
    "pipeline": "jobs",
    "ab_test": "jobs",
    "feature_store": "airflow",
    "parse": "airflow",
    "task_start": "airflow",
    "demo": "airflow",
    "memory": "airflow",
    "workflows": "airflow",
    "tuning": "jobs",
    "active_sampling": "jobs",
    "human_review": "jobs",
    "human_review_portal": "jobs",
    "human_review_kills": "jobs",
    "scale": "jobs",
}
#: those that take half an hour and more, or much of the disk: only when named.
LONG = {"balance", "packing", "human_review_kills", "scale"}


def main(names: list[str]) -> int:
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
        return 2
    failed = [name for name in names or [each for each in BENCHMARKS if each not in LONG] if not run(name)]
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def run(name: str) -> bool:
    python = ROOT / ".local" / f"venv-{BENCHMARKS[name]}" / "bin" / "python"
    print(f"{name} ...", flush=True)
    began = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
    answer = subprocess.run(
        [str(python), "-m", f"benchmarks.{name}"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    if answer.returncode:
        print(f"{name} ended with {answer.returncode}")
        return False
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    text = f"{answer.stdout.strip()}\n\n{machine()}; `make bench` ran this in {time.monotonic() - began:.0f} s.\n"
    (results / f"{name}.md").write_text(text)
    print(answer.stdout)
    return True


def machine() -> str:
    """The machine in one line."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    today = datetime.now(UTC).date()
    return f"Machine: {os.cpu_count()} cores ({cpu}), {memory:.0f} GiB, no GPU, {platform.system()}; {today}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
