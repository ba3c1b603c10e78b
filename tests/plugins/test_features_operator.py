"""The features job on several instances, each with parts of its own: started, checked and told as one."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from operator_kit import BUCKET, Airflow, FakeTask

from include.tasks import features
from include.tasks.shards import NotCovered

PARTS = 3


def part(number: int) -> bytes:
    """A part of a reviews table: 150 reviews of three sentiments."""
    rows = range(150 * number, 150 * (number + 1))
    columns = {
        "review_id": pa.array([f"r{row}" for row in rows]),
        "title": pa.array([""] * len(rows)),
        "body": pa.array([f"review number {row} of this shop" for row in rows]),
        "rating": pa.array([2 * (row % 3) + 1 for row in rows], pa.int8()),
        "sentiment": pa.array([row % 3 - 1 for row in rows], pa.int8()),
        "category": pa.array(["Dresses"] * len(rows)),
    }
    target = io.BytesIO()
    pq.write_table(pa.table(columns), target)
    return target.getvalue()


@pytest.fixture
def digest(aws: Any) -> str:
    """The digest of a table of ``PARTS`` parts, which is in S3."""
    contents = [part(number) for number in range(PARTS)]
    for number, content in enumerate(contents):
        aws("s3").put_object(Bucket=BUCKET, Key=f"sharded/reviews-{number}.parquet", Body=content)
    lines = "".join(f"{hashlib.sha256(content).hexdigest()}\n" for content in contents)
    return hashlib.sha256(lines.encode()).hexdigest()


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Callable[[], features.FeaturesOperator]]:
    monkeypatch.setattr(features, "settings", replace(features.settings, bucket=BUCKET, features_instances=2))

    def operator(sha256: str, rows: int) -> features.FeaturesOperator:
        made = features.features()
        made.inputs = {"reviews": f"s3://{BUCKET}/sharded/"}
        made.arguments = {**made.arguments, "date": "2026-01-01T00:00:00Z", "reviews-sha256": sha256}
        made.arguments["reviews-rows"] = rows
        return made

    return lambda sha256, rows: lambda: operator(sha256, rows)


def test_two_instances_share_out_the_parts_and_report_as_one(
    aws: Any, airflow: Airflow, ti: FakeTask, digest: str, make: Any
) -> None:
    ti.task_id = "features"
    done = airflow.run(make(digest, 150 * PARTS), ti)
    result = done["result"]
    assert result["rows"] == 150 * PARTS
    bucket, _, prefix = done["outputs"]["train"].removeprefix("s3://").partition("/")
    parts = [each["Key"] for each in aws("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]]
    assert [key.rpartition("/")[2] for key in parts] == ["part-algo-1.parquet", "part-algo-2.parquet"]
    tables = [pq.read_table(io.BytesIO(aws("s3").get_object(Bucket=bucket, Key=key)["Body"].read())) for key in parts]
    assert sum(map(len, tables)) == sum(result["splits"]["train"].values())
    assert ti.pushed["result"] == result
    manifests = [
        json.loads(aws("s3").get_object(Bucket=bucket, Key=each["Key"])["Body"].read())
        for each in aws("s3").list_objects_v2(Bucket=bucket, Prefix=prefix.replace("/train/", "/manifest/"))["Contents"]
    ]
    assert [len(manifest["inputs"]) for manifest in manifests] == [2, 1]

    # Had the table more rows than the parts that they read, nothing would be handed on.
    told = aws("sagemaker").describe_processing_job(ProcessingJobName=done["name"])
    with pytest.raises(NotCovered, match=r"read 450 reviews in 3 parts .* which has 600"):
        make(digest, 600)().summarise(told, {"ti": ti})
