"""A console with a record of each kind, hostile texts in many of them, and a browser that is let in."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from athena_tools import Athena
from auto_ml_kit import AutoMl, rows, table
from endpoint_kit import Hosting
from human_kit import Humans
from job_helpers import BUCKET, IMAGE, ROLE, Jobs
from localaws_kit import LocalAws, put_quiet_alarm, start
from pipeline_kit import Pipelines, definition, processing
from waiting_kit import until

from localaws.core.home import Home, console_url

#: what must never be more than text.
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"{{ 7 * 7 }}"
_SCRIPT = f"""
import time
print({HOSTILE!r})
for step in range(1, 6):
    print(f"step {{step}} loss={{1 / step}};", flush=True)
    time.sleep(1.1)
"""

_TRIAL = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float)
print(f"accuracy: {parser.parse_args().rate}", flush=True)
"""


def _tuning(name: str, code: str) -> dict[str, Any]:
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "accuracy"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0.1", "MaxValue": "0.9"}]},
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": {"sagemaker_program": "train.py", "sagemaker_submit_directory": code},
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "accuracy", "Regex": "accuracy: ([0-9.]+)"}],
            },
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/tune-out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 300},
        },
    }


@contextmanager
def running(home: Path, **settings: str) -> Iterator[LocalAws]:
    """A localaws, with this process's AWS settings pointing at it."""
    server = start(home, **settings)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in server.environment.items():
            patch.setenv(key, value)
        try:
            yield server
        finally:
            server.stop()


def token_url(server: LocalAws) -> str:
    """The address that opens the console."""
    url = console_url(Home(server.home))
    assert url is not None
    return url


def address(server: LocalAws) -> str:
    """The console's address, without the token."""
    return token_url(server).partition("/?")[0]


@contextmanager
def outsider(server: LocalAws) -> Iterator[httpx.Client]:
    """A browser that was not given the token, and follows no redirect by itself."""
    with httpx.Client(base_url=address(server), timeout=60) as client:
        yield client


@contextmanager
def insider(server: LocalAws) -> Iterator[httpx.Client]:
    """A browser that was let in."""
    with outsider(server) as client:
        client.get(token_url(server))
        yield client


def csrf(page: str) -> str:
    """The token of a page's form."""
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
    assert found, page
    return found[1]


class Records:
    """A record of each kind, made by boto3 as any client makes it."""

    def __init__(self, server: LocalAws) -> None:
        self.server = server
        self.jobs = Jobs(server.home)
        self.hosting = Hosting(server)
        # Each waits for the server most of the time.
        with ThreadPoolExecutor() as pool:
            makers = (self._start_jobs, self._put_objects, self._query, self._review, self._pipeline, self._serve)
            for made in [pool.submit(maker) for maker in makers]:
                made.result()
        put_quiet_alarm(self.hosting.cloudwatch, f"alarm {HOSTILE}")
        self.hosting.cloudwatch.set_alarm_state(AlarmName=f"alarm {HOSTILE}", StateValue="ALARM", StateReason=HOSTILE)
        self.jobs.trained("train-1")
        self.jobs.processed("process-1")
        sagemaker = self.jobs.sagemaker
        until(
            lambda: sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune-1"),
            lambda job: job["HyperParameterTuningJobStatus"] == "Completed",
        )
        until(
            lambda: sagemaker.describe_auto_ml_job(AutoMLJobName="automl-1"),
            lambda job: job["AutoMLJobStatus"] == "Failed",
        )

    def _start_jobs(self) -> None:
        metrics = [{"Name": "loss", "Regex": "loss=([0-9.]+);"}]
        self.jobs.training("train-1", _SCRIPT, algorithm={"MetricDefinitions": metrics}, parameters={"note": HOSTILE})
        code = json.dumps(self.jobs.archive("tune/sourcedir.tar.gz", {"train.py": _TRIAL}))
        self.jobs.sagemaker.create_hyper_parameter_tuning_job(**_tuning("tune-1", code))
        auto_ml = AutoMl()
        # Too few reviews to learn from: it is refused by the job, which is what there is to see.
        auto_ml.sagemaker.create_auto_ml_job(**auto_ml.request("automl-1", table(rows(6))))
        self.jobs.processing("process-1", f"import sys; print({HOSTILE!r}); sys.exit({HOSTILE!r})")

    def _put_objects(self) -> None:
        s3 = self.jobs.s3
        s3.create_bucket(Bucket="objects")
        for number in range(110):
            s3.put_object(Bucket="objects", Key=f"many/{number:03d}.txt", Body=b"x")
        self.key = f"odd/{HOSTILE.replace('/', '')} ü #?.txt"
        s3.put_object(Bucket="objects", Key=self.key, Body=HOSTILE.encode())
        s3.put_object(Bucket="objects", Key="zip/rows.csv.gz", Body=gzip.compress(b"a,b\n1,2\n" * 100_000))
        s3.put_object(Bucket="objects", Key="zip/large.txt", Body=b"line\n" * 1_000_000)
        s3.put_object(Bucket="objects", Key="zip/binary", Body=bytes(range(256)))

    def _query(self) -> None:
        self.athena = Athena("shop")
        self.athena.s3.put_object(Bucket=self.athena.bucket, Key="items/1.csv", Body=b"1,one\n2,two\n")
        place = f"s3://{self.athena.bucket}/items/"
        self.athena.run(
            f"CREATE EXTERNAL TABLE items (id int, name string) PARTITIONED BY (day string)"
            f" ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION '{place}'"
        )
        self.athena.run(f"ALTER TABLE items ADD PARTITION (day = '2026-11-30') LOCATION '{place}'")
        quoted = HOSTILE.replace("'", "''")
        self.query = self.athena.run(f"SELECT name, '{quoted}' AS hostile FROM items ORDER BY id")["QueryExecutionId"]
        self.rows = self.athena.run("SELECT n FROM UNNEST(sequence(1, 250)) AS t(n) ORDER BY n")["QueryExecutionId"]
        self.failed = self.athena.wait(self.athena.start("SELECT nothing FROM items"))["QueryExecutionId"]

    def _review(self) -> None:
        self.humans = Humans(self.server)
        self.humans.start("loop-1", self.humans.flow("flow-1", TaskTitle=HOSTILE), json.dumps({"taskObject": HOSTILE}))

    def _pipeline(self) -> None:
        pipelines = Pipelines()
        self.pipeline = pipelines.create(definition(processing("Say", "echo said")))
        self.execution = pipelines.start(self.pipeline)
        pipelines.end(self.execution)

    def _serve(self) -> None:
        hosting = self.hosting
        self.endpoint = hosting.serve(hosting.model(2), hosting.model(3), weights=(3.0, 1.0))
        scaling = self.server.client("application-autoscaling")
        self.variant = f"endpoint/{self.endpoint}/variant/A"
        scaling.register_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId=self.variant,
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
            MinCapacity=2,
            MaxCapacity=3,
        )
        until(lambda: scaling.describe_scaling_activities(ServiceNamespace="sagemaker")["ScalingActivities"])
        hosting.settled(self.endpoint)
