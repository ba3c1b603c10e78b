"""Memory of the idle stack: the proportional set size (PSS) of each of its processes, shared pages shared out."""

from __future__ import annotations

import sys
from collections import defaultdict

import psutil

from stack import processes
from stack.layout import Stack


def main() -> int:
    stack = Stack.from_environment()
    found = processes.belonging(stack)
    if not found:
        print("nothing of the stack runs: make up first", file=sys.stderr)
        return 1
    sums: dict[str, list[int]] = defaultdict(list)
    for process in found:
        sums[part(process)].append(process.memory_full_info().pss)
    print("# Memory of the idle stack\n")
    print("PSS of all processes after `make demo`, with nothing running.\n")
    print("| part | processes | MiB |\n|---|---:|---:|")
    for name, sizes in sorted(sums.items()):
        print(f"| {name} | {len(sizes)} | {sum(sizes) / 2**20:.0f} |")
    everything = [size for sizes in sums.values() for size in sizes]
    print(f"| **all** | **{len(everything)}** | **{sum(everything) / 2**20:.0f}** |")
    return 0


def part(process: psutil.Process) -> str:
    """Which part of the stack a process belongs to."""
    command = " ".join([process.name(), *process.cmdline()])
    for name in ("scheduler", "triggerer", "dag-processor", "api-server", "api_server", "worker"):
        if name in command and "airflow" in command:
            return f"airflow {name.replace('_', '-')}"
    if "localaws.images" in command:
        return "model server"
    return "localaws" if "localaws" in command else "other"


if __name__ == "__main__":
    sys.exit(main())
