"""What was answered survives ``kill -9``, at whatever moment it comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from localaws_kit import LocalAws
from waiting_kit import until

CLIENTS = 8
BUCKET = "bucket"


def client(service: str) -> Any:
    """A client that reads the environment now, and does not retry."""
    settings = Config(retries={"total_max_attempts": 1}, max_pool_connections=CLIENTS)
    return boto3.Session().client(service, config=settings)


def killed_while(server: LocalAws, write: Callable[[int, int], object], least: int = 80) -> list[tuple[int, int]]:
    """Let clients write, and kill the server in the midst of it; (client, number) of all that was answered."""
    answered: list[tuple[int, int]] = []
    ended = threading.Event()

    def writer(number: int) -> None:
        count = 0
        while not ended.is_set():
            try:
                write(number, count)
            except (BotoCoreError, ClientError):
                return
            answered.append((number, count))
            count += 1

    with ThreadPoolExecutor(CLIENTS) as pool:
        writers = [pool.submit(writer, number) for number in range(CLIENTS)]
        until(lambda: len(answered) >= least)
        server.kill()
        ended.set()
        for each in writers:
            each.result()
    server.restart()
    assert len(answered) >= least
    return answered


def test_no_object_that_was_answered_is_lost(own_localaws: LocalAws) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)

    def put(number: int, count: int) -> None:
        size = 10_000 if count % 3 else 10
        s3.put_object(Bucket=BUCKET, Key=f"{number}/{count}", Body=f"{number} {count} ".encode() * size)

    answered = killed_while(own_localaws, put)
    for number, count in answered:
        body = s3.get_object(Bucket=BUCKET, Key=f"{number}/{count}")["Body"].read()
        assert body.startswith(f"{number} {count} ".encode())


def test_no_version_delete_or_copy_that_was_answered_is_lost(own_localaws: LocalAws) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.create_bucket(Bucket="plain")

    def write(number: int, count: int) -> None:
        key = f"{number}/{count}"
        s3.put_object(Bucket=BUCKET, Key=f"{number}", Body=str(count).encode())
        s3.copy_object(Bucket="plain", Key=key, CopySource={"Bucket": BUCKET, "Key": str(number)})
        s3.put_object_tagging(Bucket="plain", Key=key, Tagging={"TagSet": [{"Key": "count", "Value": str(count)}]})
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"hidden")
        s3.delete_object(Bucket=BUCKET, Key=key)
        if count % 2:
            s3.delete_objects(Bucket="plain", Delete={"Objects": [{"Key": f"{number}/{count - 1}"}]})

    answered = killed_while(own_localaws, write, 30)
    versions = [
        (version["Key"], version["VersionId"])
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET)
        for version in page["Versions"]
    ]
    contents = {
        (key, s3.get_object(Bucket=BUCKET, Key=key, VersionId=version)["Body"].read().decode())
        for key, version in versions
        if "/" not in key
    }
    last = dict(sorted(answered))
    for number, count in answered:
        key = f"{number}/{count}"
        assert (str(number), str(count)) in contents
        with pytest.raises(ClientError, match="NoSuchKey"):
            s3.get_object(Bucket=BUCKET, Key=key)
        if count % 2 == 0 and count < last[number]:
            with pytest.raises(ClientError, match="NoSuchKey"):
                s3.get_object(Bucket="plain", Key=key)
        elif count % 2:
            assert s3.get_object(Bucket="plain", Key=key)["Body"].read() == str(count).encode()
            tags = s3.get_object_tagging(Bucket="plain", Key=key)["TagSet"]
            assert tags == [{"Key": "count", "Value": str(count)}]


def test_no_upload_in_parts_that_was_answered_is_lost(own_localaws: LocalAws) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    part = b"x" * (5 << 20)

    def write(number: int, count: int) -> None:
        where = {"Bucket": BUCKET, "Key": f"{number}/{count}"}
        upload = s3.create_multipart_upload(**where)["UploadId"]
        tags = [
            s3.upload_part(**where, UploadId=upload, PartNumber=each, Body=body)["ETag"]
            for each, body in ((1, part), (2, f"{number} {count}".encode()))
        ]
        parts = [{"ETag": tag, "PartNumber": each} for each, tag in enumerate(tags, 1)]
        s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})

    for number, count in killed_while(own_localaws, write, 12):
        end = s3.get_object(Bucket=BUCKET, Key=f"{number}/{count}", Range=f"bytes={len(part) - 2}-")["Body"].read()
        assert end == f"xx{number} {count}".encode()


def test_what_a_killed_server_had_not_answered_leaves_no_files(own_localaws: LocalAws) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    killed_while(own_localaws, lambda number, _: s3.put_object(Bucket=BUCKET, Key=str(number), Body=b"x" * 200_000))
    folder = own_localaws.home / "localaws" / "moto" / "s3"
    until(lambda: len(list(folder.iterdir())), lambda count: count == CLIENTS)


def test_log_events_and_metric_data_that_were_answered_are_there(own_localaws: LocalAws) -> None:
    logs, cloudwatch = client("logs"), client("cloudwatch")
    logs.create_log_group(logGroupName="/g")
    for number in range(CLIENTS):
        logs.create_log_stream(logGroupName="/g", logStreamName=str(number))

    def write(number: int, count: int) -> None:
        event = {"timestamp": int(time.time() * 1000), "message": str(count)}
        logs.put_log_events(logGroupName="/g", logStreamName=str(number), logEvents=[event])
        cloudwatch.put_metric_data(Namespace="n", MetricData=[{"MetricName": f"m{number}-{count}", "Value": 1.0}])

    answered = killed_while(own_localaws, write)
    metrics = {
        metric["MetricName"]
        for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace="n")
        for metric in page["Metrics"]
    }
    for number in range(CLIENTS):
        events = logs.get_log_events(logGroupName="/g", logStreamName=str(number), startFromHead=True)["events"]
        messages = {event["message"] for event in events}
        counts = [count for who, count in answered if who == number]
        assert {str(count) for count in counts} <= messages
        assert {f"m{number}-{count}" for count in counts} <= metrics


def test_partitions_of_one_table_by_many_clients_are_kept(own_localaws: LocalAws) -> None:
    glue = client("glue")
    glue.create_database(DatabaseInput={"Name": "db"})
    keys = [{"Name": "p", "Type": "string"}]
    glue.create_table(DatabaseName="db", TableInput={"Name": "t", "PartitionKeys": keys})

    def write(number: int, count: int) -> None:
        glue.create_partition(DatabaseName="db", TableName="t", PartitionInput={"Values": [f"{number}-{count}"]})

    answered = killed_while(own_localaws, write)
    found = {
        partition["Values"][0]
        for page in glue.get_paginator("get_partitions").paginate(DatabaseName="db", TableName="t")
        for partition in page["Partitions"]
    }
    assert {f"{number}-{count}" for number, count in answered} <= found
