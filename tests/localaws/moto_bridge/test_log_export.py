"""CreateExportTask of CloudWatch Logs: events in S3, in AWS's layout, for good."""

from __future__ import annotations

import gzip
import time
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from localaws_kit import LocalAws

GROUP, BUCKET = "/aws/sagemaker/TrainingJobs", "exported"


@pytest.fixture
def logs(own_localaws: LocalAws) -> Any:
    client = boto3.client("logs")
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    client.create_log_group(logGroupName=GROUP)
    for stream in ("job-1/algo-1", "job-2/algo-1"):
        client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    return client


def write(logs: Any, stream: str, start: int, count: int) -> None:
    for first in range(0, count, 4000):
        events = [
            {"timestamp": start + each, "message": f"line {each}"} for each in range(first, min(count, first + 4000))
        ]
        logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def exported(prefix: str) -> dict[str, list[str]]:
    s3 = boto3.client("s3")
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {
        each["Key"]: gzip.decompress(s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()).decode().splitlines()
        for each in found
    }


def test_all_events_of_the_time_and_the_streams_are_in_s3_and_stay_there(own_localaws: LocalAws, logs: Any) -> None:
    start = int(time.time()) * 1000 + 7
    write(logs, "job-1/algo-1", start, 12_000)
    write(logs, "job-2/algo-1", start, 1)
    request = {"logGroupName": GROUP, "to": start + 20_000, "destination": BUCKET}
    task = logs.create_export_task(
        **{**request, "from": start + 1}, destinationPrefix="logs", logStreamNamePrefix="job-1"
    )["taskId"]
    everything = logs.create_export_task(**{**request, "from": start})["taskId"]
    own_localaws.kill()
    own_localaws.restart()
    ((key, lines),) = exported("logs/").items()
    assert key == f"logs/{task}/job-1-algo-1/000000.gz"
    assert len(lines) == 11_999
    first = datetime.fromtimestamp(start // 1000, UTC)
    assert lines[0] == f"{first:%Y-%m-%dT%H:%M:%S}.008Z line 1"
    by_default = exported("exportedlogs/")
    assert {key.split("/")[2]: len(lines) for key, lines in by_default.items()} == {
        "job-1-algo-1": 12_000,
        "job-2-algo-1": 1,
    }
    told = boto3.client("logs").describe_export_tasks(taskId=everything)["exportTasks"]
    assert [each["status"]["code"] for each in told] == ["COMPLETED"]
    assert {key.split("/")[1] for key in by_default} == {everything}


def test_what_cannot_be_exported_is_refused_and_leaves_nothing(logs: Any) -> None:
    good = {"logGroupName": GROUP, "from": 1, "to": 2, "destination": BUCKET}
    for change, words in (
        ({"destination": "no-such-bucket"}, r"InvalidParameterException.*The bucket no-such-bucket does not exist"),
        ({"logGroupName": "unknown"}, r"ResourceNotFoundException.*log group does not exist"),
        ({"from": 3}, r"InvalidParameterException.*from, 3, must not be after to, 2"),
    ):
        with pytest.raises(ClientError, match=words):
            logs.create_export_task(**{**good, **change})
    assert logs.describe_export_tasks()["exportTasks"] == []
    assert exported("") == {}
