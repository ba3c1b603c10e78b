"""
S3 of localaws against plain ``moto_server``, turn about in one run: one large object, and many small ones.

    python -m benchmarks.s3 [--rounds 5]     # prints Markdown
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).parent.parent
LARGE = 90 << 20
SMALL_COUNT, SMALL_BYTES = 200, 1024
BUCKET = "bench"
#: what is timed, and how many requests' worth of it one round does.
ROWS = (
    f"put_object {LARGE >> 20} MB",
    f"get_object {LARGE >> 20} MB",
    f"upload_fileobj {LARGE >> 20} MB (multipart, 10 threads)",
    f"download_fileobj {LARGE >> 20} MB (ranges, 10 threads)",
    f"{SMALL_COUNT} put_object of {SMALL_BYTES} bytes",
    f"{SMALL_COUNT} get_object of {SMALL_BYTES} bytes",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    body = os.urandom(LARGE)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        servers = {
            "localaws": running.enter_context(localaws(Path(folder) / "home")),
            "moto_server": running.enter_context(moto_server(Path(folder))),
        }
        for client in servers.values():
            client.create_bucket(Bucket=BUCKET)
        seconds: dict[str, list[list[float]]] = {name: [] for name in servers}
        for turn in range(arguments.rounds + 1):
            # Whoever goes first alternates; the first round warms up and is not counted.
            for name in sorted(servers, reverse=bool(turn % 2)):
                seconds[name].append(one_round(servers[name], body))
        report({name: rounds[1:] for name, rounds in seconds.items()})


def one_round(client: Any, body: bytes) -> list[float]:
    """Seconds for each of ROWS. What comes back is checked, outside of the clock."""
    answers: list[Any] = []
    times = [
        timed(lambda: client.put_object(Bucket=BUCKET, Key="large", Body=body)),
        timed(lambda: answers.append(client.get_object(Bucket=BUCKET, Key="large")["Body"].read())),
        timed(lambda: client.upload_fileobj(io.BytesIO(body), BUCKET, "parts")),
        timed(lambda: answers.append(downloaded(client, "parts"))),
        timed(lambda: each_small(lambda key: client.put_object(Bucket=BUCKET, Key=key, Body=body[:SMALL_BYTES]))),
        timed(lambda: each_small(lambda key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read())),
    ]
    expected = hashlib.sha256(body).digest()
    if any(hashlib.sha256(answer).digest() != expected for answer in answers):
        raise RuntimeError("an object came back different")
    return times


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def downloaded(client: Any, key: str) -> bytes:
    target = io.BytesIO()
    client.download_fileobj(BUCKET, key, target)
    return target.getvalue()


def each_small(work: Callable[[str], Any]) -> None:
    for index in range(SMALL_COUNT):
        work(f"small/{index:03d}")


def report(seconds: dict[str, list[list[float]]]) -> None:
    rounds = len(seconds["localaws"])
    print("### S3\n")
    print(f"boto3 against both, turn about; medians of {rounds} rounds after one to warm up (min - max in brackets).\n")
    print("| | localaws | moto_server | ratio |\n|---|---|---|---|")
    for index, row in enumerate(ROWS):
        ours, theirs = ([times[index] for times in seconds[name]] for name in ("localaws", "moto_server"))
        ratio = statistics.median(ours) / statistics.median(theirs)
        print(f"| {row} | {shown(ours)} | {shown(theirs)} | {ratio:.2f} |")
    print("\nlocalaws checks each signature and the body's hash, and keeps objects on disk; moto_server does neither.")


def shown(times: list[float]) -> str:
    return f"{statistics.median(times):.3f} s ({min(times):.3f} - {max(times):.3f})"


@contextlib.contextmanager
def localaws(home: Path) -> Iterator[Any]:
    """A localaws of its own; yields a client."""
    command = [sys.executable, "-m", "localaws", "serve", "--home", str(home), "--port", "0"]
    with process(command):
        ready = home / "localaws" / "server.json"
        wait_for(ready.exists)
        lines = (home / "credentials").read_text().splitlines()
        keys = dict(line.split(" = ", 1) for line in lines if " = " in line)
        yield client_of(json.loads(ready.read_text())["url"], **keys)


@contextlib.contextmanager
def moto_server(folder: Path) -> Iterator[Any]:
    """Plain moto on a free port; yields a client."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with process([str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]):
        wait_for(lambda: answers(port))
        yield client_of(f"http://127.0.0.1:{port}", aws_access_key_id="key", aws_secret_access_key="secret")


@contextlib.contextmanager
def process(command: list[str]) -> Iterator[None]:
    with open(os.devnull, "w") as nowhere:
        started = subprocess.Popen(command, cwd=ROOT, stdout=nowhere, stderr=nowhere)
    try:
        yield
    finally:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def wait_for(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        if time.monotonic() > deadline:
            raise RuntimeError("a server did not start within a minute")
        time.sleep(0.05)


def client_of(url: str, **keys: str) -> Any:
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, max_pool_connections=20)
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1", config=config, **keys)


if __name__ == "__main__":
    main()
