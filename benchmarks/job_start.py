"""
How long from CreateTrainingJob to the first line of the script, with a server of its own.

    python -m benchmarks.job_start [--jobs 10]     # prints Markdown
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SCRIPT = b"import time\nprint(f'first line at {time.time()}.')\ntime.sleep(0.5)\n"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.1-cpu-py310"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        server = subprocess.Popen(
            [sys.executable, "-m", "localaws", "serve", "--home", home, "--port", "0"], cwd=ROOT, stdout=sys.stderr
        )
        try:
            while not (home / "localaws" / "server.json").exists():
                assert server.poll() is None, "localaws ended"
                time.sleep(0.05)
            report(home, arguments.jobs)
        finally:
            server.terminate()
            server.wait(20)


def report(home: Path, number: int) -> None:
    clients = connect(home)
    rows = [one(*clients, home, f"start-{index}") for index in range(number + 1)][1:]
    starts, ends, memory = ([row[key] for row in rows] for key in ("start", "end", "supervisor"))
    print("### Job start\n")
    print(f"{number} training jobs of a trivial script, one after the other, after one to warm up.\n")
    print("| | median | min | max |\n|---|---|---|---|")
    for name, values, unit in (
        ("CreateTrainingJob -> first line of the script", starts, "s"),
        ("end of the script -> Completed", ends, "s"),
        ("memory of a running job beside its script (PSS)", memory, "MB"),
    ):
        print(f"| {name} | {statistics.median(values):.2f} {unit} | {min(values):.2f} | {max(values):.2f} |")
    print(f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")


def connect(home: Path) -> tuple[object, object]:
    os.environ |= {
        "AWS_ENDPOINT_URL": json.loads((home / "localaws" / "server.json").read_text())["url"],
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    import boto3

    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="bench")
    raw = BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        member = tarfile.TarInfo("train.py")
        member.size = len(SCRIPT)
        tar.addfile(member, BytesIO(SCRIPT))
    s3.put_object(Bucket="bench", Key="sourcedir.tar.gz", Body=raw.getvalue())
    s3.put_object(Bucket="bench", Key="train/data.csv", Body=b"1,2\n")
    return boto3.client("sagemaker"), s3


def one(sagemaker: Any, _s3: Any, home: Path, name: str) -> dict[str, float]:
    begin = time.time()
    sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        RoleArn="arn:aws:iam::123456789012:role/sagemaker",
        HyperParameters={
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": '"s3://bench/sourcedir.tar.gz"',
        },
        InputDataConfig=[
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bench/train/"}},
            }
        ],
        OutputDataConfig={"S3OutputPath": "s3://bench/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    folder = home / "localaws" / "jobs" / "training-job" / name
    log = folder / "logs" / "algo-1.log"
    while not (line := re.search(r"first line at ([0-9.]+)\.$", log.read_text() if log.exists() else "", re.M)):
        time.sleep(0.05)
    first = float(line[1])
    supervisor = json.loads((folder / "status.json").read_text())["Supervisor"]
    memory = pss(supervisor)
    while (job := sagemaker.describe_training_job(TrainingJobName=name))["TrainingJobStatus"] == "InProgress":
        time.sleep(0.05)
    assert job["TrainingJobStatus"] == "Completed", job
    return {"start": first - begin, "end": job["TrainingEndTime"].timestamp() - first - 0.5, "supervisor": memory}


def pss(pid: int) -> float:
    """Megabytes of a process and of what it runs, but for the script."""
    total = 0.0
    for entry in [pid, *children(pid)]:
        if b"train.py" in Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")[1:2]:
            continue
        lines = Path(f"/proc/{entry}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return total


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *children(int(child))]
    return found


if __name__ == "__main__":
    main()
