"""
An object larger than the server may grow: boto3's transfer manager puts it in parts, then one PUT does.

    python -m benchmarks.upload [--gigabytes 2]     # prints Markdown
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.s3 import BUCKET, localaws

BLOCK = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2)
    size = int(parser.parse_args().gigabytes * 1000**3)
    with tempfile.TemporaryDirectory() as folder:
        home, source = Path(folder) / "home", Path(folder) / "source"
        digest = write(source, size)
        with localaws(home) as client:
            client.create_bucket(Bucket=BUCKET)
            pid = json.loads((home / "localaws" / "server.json").read_text())["pid"]
            rows = [("at start", 0.0, peak(pid))]
            for name, upload in (("upload_file (multipart, 10 threads)", in_parts), ("put_object (one PUT)", at_once)):
                began = time.perf_counter()
                upload(client, source)
                seconds = time.perf_counter() - began
                rows.append((name, seconds, peak(pid)))
                check(client, digest)
    print(f"### {size / 1000**3:g} GB into S3\n")
    print("| | seconds | server's largest resident memory so far |\n|---|---|---|")
    for name, seconds, memory in rows:
        print(f"| {name} | {seconds:.1f} | {memory:.0f} MB |")


def write(path: Path, size: int) -> str:
    """A file of random bytes; its SHA-256."""
    digest, block = hashlib.sha256(), os.urandom(BLOCK)
    with open(path, "wb") as file:
        for number in range(0, size, BLOCK):
            piece = number.to_bytes(8, "big") + block[8 : min(BLOCK, max(8, size - number))]
            file.write(piece)
            digest.update(piece)
    return digest.hexdigest()


def in_parts(client: Any, path: Path) -> None:
    client.upload_file(str(path), BUCKET, "large")


def at_once(client: Any, path: Path) -> None:
    with open(path, "rb") as file:
        client.put_object(Bucket=BUCKET, Key="large", Body=file)


def check(client: Any, expected: str) -> None:
    digest = hashlib.sha256()
    for piece in client.get_object(Bucket=BUCKET, Key="large")["Body"].iter_chunks(BLOCK):
        digest.update(piece)
    if digest.hexdigest() != expected:
        raise RuntimeError("the object came back different")


def peak(pid: int) -> float:
    """The most megabytes that the process ever held."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1000


if __name__ == "__main__":
    main()
