"""What the tests of jobs share: a bucket, scripts in archives, and waiting."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import boto3
from waiting_kit import until

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.1-cpu-py310"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
BUCKET = "jobs"
ENDS = {"Completed", "Failed", "Stopped"}


class Jobs:
    """Drives jobs through boto3 alone."""

    def __init__(self, home: Path) -> None:
        self.home = home / "localaws"
        # Not the default session: it would keep the keys of the first server that a test run starts.
        session = boto3.Session()
        self.sagemaker = session.client("sagemaker")
        self.s3 = session.client("s3")
        self.logs = session.client("logs")
        self.cloudwatch = session.client("cloudwatch")
        self.s3.create_bucket(Bucket=BUCKET)

    # --- S3 -----------------------------------------------------------------------------------------------------

    def put(self, key: str, body: bytes | str) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def get(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def archive(self, key: str, files: dict[str, str]) -> str:
        return self.put(key, tar(files))

    def unpack(self, uri: str) -> dict[str, bytes]:
        with tarfile.open(fileobj=io.BytesIO(self.get(uri))) as archive:
            return {
                member.name: archive.extractfile(member).read()  # type: ignore[union-attr]
                for member in archive
                if member.isfile()
            }

    # --- training -----------------------------------------------------------------------------------------------

    def training(self, name: str, script: str, *, files: dict[str, str] | None = None, **members: Any) -> str:
        """Start a training job of a script in script mode; its ARN. ``members`` change the request."""
        code = self.archive(f"{name}/source/sourcedir.tar.gz", {"train.py": script, **(files or {})})
        platform = {"sagemaker_program": "train.py", "sagemaker_submit_directory": code}
        parameters = {key: json.dumps(value) for key, value in {**platform, **members.pop("parameters", {})}.items()}
        channels = members.pop("channels", {})
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "AlgorithmSpecification": {
                "TrainingImage": members.pop("image", IMAGE),
                "TrainingInputMode": "File",
                **members.pop("algorithm", {}),
            },
            "RoleArn": ROLE,
            "HyperParameters": parameters,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/{name}-out"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": members.pop("instances", 1),
                "VolumeSizeInGB": 10,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": members.pop("seconds", 300)},
            **members,
        }
        if channels:
            request["InputDataConfig"] = [channel(key, value) for key, value in channels.items()]
        return self.sagemaker.create_training_job(**request)["TrainingJobArn"]

    def train(self, name: str, script: str, **members: Any) -> dict[str, Any]:
        """Start a training job and wait for its end; what Describe says then."""
        self.training(name, script, **members)
        return self.trained(name)

    def trained(self, name: str, timeout: float = 60) -> dict[str, Any]:
        return until(
            lambda: self.sagemaker.describe_training_job(TrainingJobName=name),
            lambda job: job["TrainingJobStatus"] in ENDS,
            timeout,
        )

    # --- processing ---------------------------------------------------------------------------------------------

    def processing(self, name: str, script: str, **members: Any) -> str:
        """Start a processing job of a script; its ARN."""
        code = self.put(f"{name}/code/run.py", script)
        inputs = {"code": {"S3Uri": code}, **members.pop("inputs", {})}
        outputs = members.pop("outputs", {})
        request: dict[str, Any] = {
            "ProcessingJobName": name,
            "AppSpecification": {
                "ImageUri": members.pop("image", IMAGE),
                "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/run.py"],
                "ContainerArguments": members.pop("arguments", ["--all"]),
            },
            "RoleArn": ROLE,
            "ProcessingInputs": [processing_input(key, value) for key, value in inputs.items()],
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceType": "ml.m5.large",
                    "InstanceCount": members.pop("instances", 1),
                    "VolumeSizeInGB": 10,
                }
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": members.pop("seconds", 300)},
            **members,
        }
        if outputs:
            found = [processing_output(name, key, value) for key, value in outputs.items()]
            request["ProcessingOutputConfig"] = {"Outputs": found}
        return self.sagemaker.create_processing_job(**request)["ProcessingJobArn"]

    def process(self, name: str, script: str, **members: Any) -> dict[str, Any]:
        """Start a processing job and wait for its end; what Describe says then."""
        self.processing(name, script, **members)
        return self.processed(name)

    def processed(self, name: str, timeout: float = 60) -> dict[str, Any]:
        return until(
            lambda: self.sagemaker.describe_processing_job(ProcessingJobName=name),
            lambda job: job["ProcessingJobStatus"] in ENDS,
            timeout,
        )

    # --- what is left -------------------------------------------------------------------------------------------

    def folder(self, kind: str, name: str) -> Path:
        return self.home / "jobs" / kind / name

    def log(self, kind: str, name: str, host: str = "algo-1") -> str:
        return (self.folder(kind, name) / "logs" / f"{host}.log").read_text()

    def wait_for_line(self, kind: str, name: str, line: str, host: str = "algo-1") -> None:
        path = self.folder(kind, name) / "logs" / f"{host}.log"
        until(lambda: path.read_text() if path.exists() else "", lambda text: line in text)

    def events(self, group: str, prefix: str) -> dict[str, list[str]]:
        streams = self.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=prefix)["logStreams"]
        found = {}
        for stream in streams:
            name = stream["logStreamName"]
            answer = self.logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True)
            found[name] = [event["message"] for event in answer["events"]]
        return found

    def nothing_left(self, kind: str, name: str) -> None:
        """No process of the job runs any more, its supervisor included."""
        until(lambda: alive(str(self.folder(kind, name))), lambda pids: not pids)

    def status(self, kind: str, name: str) -> dict[str, Any]:
        return json.loads((self.folder(kind, name) / "status.json").read_text())


def tar(files: dict[str, str]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return raw.getvalue()


def channel(name: str, source: str | dict[str, Any]) -> dict[str, Any]:
    data = source if isinstance(source, dict) else {"S3Uri": source}
    return {
        "ChannelName": name,
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3DataDistributionType": "FullyReplicated", **data}},
    }


def processing_input(name: str, source: dict[str, Any]) -> dict[str, Any]:
    return {
        "InputName": name,
        "S3Input": {
            "LocalPath": f"/opt/ml/processing/input/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            **source,
        },
    }


def processing_output(job: str, name: str, members: dict[str, Any]) -> dict[str, Any]:
    return {
        "OutputName": name,
        "S3Output": {
            "LocalPath": f"/opt/ml/processing/output/{name}",
            "S3Uri": f"s3://{BUCKET}/{job}-out/{name}",
            "S3UploadMode": "EndOfJob",
            **members,
        },
    }


def alive(mark: str) -> list[int]:
    """The processes whose command line or environment has ``mark``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            text = (entry / "cmdline").read_bytes() + b"\0" + (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark.encode() in text and state != "Z":
            found.append(int(entry.name))
    return found
