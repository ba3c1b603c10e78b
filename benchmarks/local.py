"""What the benchmarks of jobs share: a localaws of their own, and job scripts run as their container would."""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from benchmarks.job_code import bundle
from include.reviews.source import fetch
from localaws.images import hub

ROOT = Path(__file__).parent.parent
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
BUCKET = "bench"


@contextmanager
def session(home: Path, python: str = sys.executable) -> Iterator[boto3.Session]:
    """
    A session whose clients talk to a localaws in ``home``, which ends with it; its bucket ``bench`` is there.

    :param python: of an environment that localaws is installed in.
    """
    command = [python, "-m", "localaws", "serve", "--home", str(home), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=sys.stderr)
    ready = home / "localaws" / "server.json"
    try:
        while not ready.exists():
            if process.poll() is not None:
                raise SystemExit(f"localaws ended with {process.returncode}")
            time.sleep(0.05)
        address = json.loads(ready.read_text())["url"]
        os.environ |= {
            "AWS_ENDPOINT_URL": address,
            "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        made = boto3.Session()
        made.client("s3").create_bucket(Bucket=BUCKET)
        yield made
    finally:
        process.terminate()
        process.wait(30)


@functools.cache
def offline_hub() -> None:
    """
    Let transformers find the base model that the environment brings, here and in job scripts, until this process ends.

    Call it before the import of transformers, which reads these settings then.
    """
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    os.environ |= {"HF_HOME": str(hub.prepare(Path(folder.name))), "HF_HUB_OFFLINE": "1"}


def raw_reviews(folder: Path) -> str:
    """Bring the raw reviews of REVIEWS_SOURCE, or made-up ones, into ``folder``; which of the two, in words."""
    origin = fetch(os.environ.get("REVIEWS_SOURCE"), folder / "reviews.csv")
    return "made-up reviews (SYNTHETIC)" if origin.synthetic else "the real reviews"


def script(job: str, **arguments: Any) -> float:
    """Run a job's script in a process of its own; its seconds. ``max_rows=3`` becomes ``--max-rows 3``."""
    words = [str(word) for name, value in arguments.items() for word in (f"--{name.replace('_', '-')}", value)]
    began = time.perf_counter()
    path = bundle(job) / f"{job}.py"
    subprocess.run([sys.executable, str(path), *words], check=True, stdout=sys.stderr)
    return time.perf_counter() - began


def ended(describe: Any, status: str) -> dict[str, Any]:
    """The description of a job that has completed; ends the benchmark if it did otherwise."""
    while True:
        job: dict[str, Any] = describe()
        if job[status] == "Completed":
            return job
        if job[status] in ("Failed", "Stopped"):
            raise SystemExit(f"{job[status]}: {job.get('FailureReason')}")
        time.sleep(0.1)
