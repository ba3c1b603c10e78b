"""Feature Store operators against localaws: make a group, put files into it, and do both again."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from operator_kit import BUCKET, ROLE, Airflow, FakeTask

from amazon_ml.exceptions import JobFailed, RequestRefused, TaskKilled
from amazon_ml.hooks.feature_store import BadRecords, as_text
from amazon_ml.operators.feature_group import FeatureGroupOperator, FeatureIngestOperator

FEATURES = {"review_id": "String", "date": "String", "label_id": "Integral", "body": "String", "split": "String"}
CSV = 'review_id,label_id,body\n1,0,bad\n2,2,"good, really"\n3,,\n'


def group(ti: FakeTask, name: str, **changes: Any) -> Callable[[], FeatureGroupOperator]:
    given = {
        "task_id": ti.task_id,
        "name": name,
        "features": FEATURES,
        "identifier": "review_id",
        "event_time": "date",
        "role_arn": ROLE,
        "offline_s3_uri": f"s3://{BUCKET}/feature-store",
    }
    return lambda: FeatureGroupOperator(**{**given, **changes})


def ingest(name: str, source: str, **changes: Any) -> FeatureIngestOperator:
    return FeatureIngestOperator(task_id="ingest", feature_group=name, source=f"s3://{BUCKET}/{source}", **changes)


def context(ti: FakeTask) -> Any:
    moment = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
    return {"ti": ti, "params": {}, "dag_run": SimpleNamespace(logical_date=None, run_after=moment)}


def put(aws: Any, key: str, body: bytes) -> None:
    aws("s3").put_object(Bucket=BUCKET, Key=key, Body=body)


def read(aws: Any, name: str, identifier: str) -> dict[str, str]:
    answer = aws("sagemaker-featurestore-runtime").get_record(
        FeatureGroupName=name, RecordIdentifierValueAsString=identifier
    )
    return {value["FeatureName"]: value["ValueAsString"] for value in answer["Record"]}


def test_a_group_is_made_once_and_found_by_the_next_try(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    made = airflow.run(group(ti, "made-once", tags={"project": "reviews"}), ti)
    assert len(airflow.deferrals) == 1
    assert made["name"] == "made-once"
    assert made["arn"].endswith(":feature-group/made-once")
    assert made["database"] == "sagemaker_featurestore"
    assert made["s3_uri"].startswith(f"s3://{BUCKET}/feature-store/123456789012/sagemaker/us-east-1/offline-store/")
    assert aws("glue").get_table(DatabaseName=made["database"], Name=made["table"])
    assert airflow.run(group(ti, "made-once"), ti.next_try()) == made
    assert len(airflow.deferrals) == 1
    tags = {tag["Key"] for tag in aws("sagemaker").list_tags(ResourceArn=made["arn"])["Tags"]}
    assert {"project", "airflow:run_id"} < tags


def test_a_group_with_another_definition_is_refused_and_left_alone(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    airflow.run(group(ti, "defined", deferrable=False), ti)
    other = {**FEATURES, "label_id": "String"}
    with pytest.raises(RequestRefused, match=r"another definition: features .*'label_id': 'Integral'"):
        airflow.run(group(ti, "defined", features=other), ti.next_try())
    found = aws("sagemaker").describe_feature_group(FeatureGroupName="defined")
    assert {each["FeatureName"]: each["FeatureType"] for each in found["FeatureDefinitions"]} == FEATURES


def test_a_group_whose_creation_failed_is_recreated_by_the_next_try(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    make = group(ti, "second-go", offline_s3_uri="s3://made-too-late/x")
    with pytest.raises(JobFailed, match=r"second-go is CreateFailed: .*made-too-late"):
        airflow.run(make, ti)
    aws("s3").create_bucket(Bucket="made-too-late")
    assert airflow.run(make, ti.next_try())["name"] == "second-go"


def test_rows_of_files_are_put_with_the_runs_time_and_a_retry_doubles_none(
    aws: Any, airflow: Airflow, ti: FakeTask, capsys: pytest.CaptureFixture[str]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    airflow.run(group(ti, "ingested", offline_s3_uri=""), ti)
    target = io.BytesIO()
    pq.write_table(pa.table({"review_id": ["4"], "label_id": [None], "body": ["x"], "split": ["own"]}), target)
    put(aws, "ingest/one.csv", CSV.encode())
    put(aws, "ingest/two.parquet", target.getvalue())
    put(aws, "ingest/notes.txt", b"not data")
    put(aws, "ingest-other/three.csv", b"review_id\n99\n")
    operator = ingest("ingested", "ingest", constants={"split": "train"}, threads=3)
    result = operator.execute(context(ti))
    assert (result["feature_group"], result["records"]) == ("ingested", 4)
    first = read(aws, "ingested", "2")
    assert first == {
        "review_id": "2",
        "date": "2026-11-24T10:30:00.000Z",
        "label_id": "2",
        "body": "good, really",
        "split": "train",
    }
    assert read(aws, "ingested", "4")["split"] == "own"
    assert "label_id" not in read(aws, "ingested", "3")
    ingest("ingested", "ingest", constants={"split": "train"}).execute(context(ti.next_try()))
    assert read(aws, "ingested", "2") == first


BAD_DATA = {
    "a column that is no feature": (b"review_id,colour\n1,red\n", r"Row 1: feature group bad-data has no \['colour'\]"),
    "a row without identifier": (b"review_id,body\n1,x\n,y\n", "Row 2 has no review_id"),
    "a line that is too short": (b"review_id,body\n1\n", "another number of fields"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_data_that_does_not_fit_fails_at_once(aws: Any, airflow: Airflow, ti: FakeTask, case: str) -> None:
    airflow.run(group(ti, "bad-data", offline_s3_uri=""), ti)
    content, said = BAD_DATA[case]
    put(aws, "bad/data.csv", content)
    with pytest.raises(BadRecords, match=said):
        ingest("bad-data", "bad/data.csv").execute(context(ti))


def test_a_value_that_aws_does_not_take_fails_with_its_words(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    airflow.run(group(ti, "bad-value", offline_s3_uri=""), ti)
    put(aws, "bad-value/data.csv", b"review_id,label_id\n1,two\n")
    with pytest.raises(RequestRefused, match="label_id: 'two' is not an Integral value"):
        ingest("bad-value", "bad-value/").execute(context(ti))
    with pytest.raises(BadRecords, match="There is no"):
        ingest("bad-value", "empty/").execute(context(ti))


def test_a_killed_ingestion_ends(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    airflow.run(group(ti, "killed", offline_s3_uri=""), ti)
    put(aws, "killed/data.csv", b"review_id\n" + b"".join(b"%d\n" % n for n in range(500)))
    operator = ingest("killed", "killed/data.csv")
    operator.on_kill()
    with pytest.raises(TaskKilled):
        operator.execute(context(ti))


def test_values_become_text_as_feature_store_takes_it() -> None:
    given = [None, float("nan"), True, 1.5, 7, [1, 2], datetime(2026, 1, 2, 3, tzinfo=UTC), "x"]
    assert [as_text(value) for value in given] == [
        None,
        None,
        "1",
        "1.5",
        "7",
        "1 2",
        "2026-01-02T03:00:00.000Z",
        "x",
    ]
