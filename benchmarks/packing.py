"""
How fast model.tar.gz is packed and unpacked, and how much memory that takes: BlazingText's model with default buckets.

    python -m benchmarks.packing [--gigabytes 2.4]     # prints Markdown; takes as much room on the disk, three times

The file is what fastText writes for its default 2,000,000 buckets of 300 dimensions: random floats, uniformly between
-1/300 and 1/300, which a short training moves by little.
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from localaws.core.archive import extract
from localaws.core.packing import pack

ROWS = 25_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.4)
    parser.add_argument("--only", choices=sorted(WAYS), help="run one way in this process, and print its figures")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.only:
        one(arguments.only, arguments.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").mkdir()
        write_model(folder / "model" / "model.bin", int(arguments.gigabytes * 1e9))
        print(f"### Packing {arguments.gigabytes:g} GB of random floats\n")
        print("| | time | size | peak memory |\n|---|---|---|---|")
        for way in WAYS:
            words = [sys.executable, "-m", "benchmarks.packing", "--only", way, "--folder", name]
            print(subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip())
    print(f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")


def write_model(path: Path, size: int) -> None:
    generator = np.random.default_rng(7)
    with open(path, "wb") as file:
        while file.tell() < size:
            block = generator.random((ROWS, 300), dtype=np.float32)
            file.write(((block * 2 - 1) / 300).tobytes())


def one(way: str, folder: Path) -> None:
    begin = time.monotonic()
    WAYS[way](folder)
    seconds = time.monotonic() - begin
    size = (folder / "model.tar.gz").stat().st_size / 1e9
    # In KiB on Linux.
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {way} | {seconds:.1f} s | {size:.2f} GB | {memory:.0f} MiB |")


def one_stream(folder: Path) -> None:
    """As it was before: one thread, level 1, whatever the content."""
    with (
        open(folder / "model.tar.gz", "wb") as raw,
        gzip.GzipFile("", "wb", 1, raw, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        tar.add(folder / "model", ".")


def packed(folder: Path) -> None:
    pack(folder / "model", folder / "model.tar.gz")


def unpacked(folder: Path) -> None:
    extract(folder / "model.tar.gz", folder / "unpacked")


WAYS: dict[str, Callable[[Path], None]] = {
    "one stream at level 1": one_stream,
    "as localaws packs": packed,
    "as localaws unpacks": unpacked,
}

if __name__ == "__main__":
    main()
