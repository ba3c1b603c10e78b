"""Many records into a feature group at once: its offline store by a job, its online store for what is asked."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG
from operator_kit import BUCKET, ROLE, Airflow, FakeTask
from waiting_kit import until

from amazon_ml.operators.feature_group import FeatureGroupOperator, FeatureIngestOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from include.tasks import feature_store

MOMENT = datetime(2026, 11, 30, 5, 10, tzinfo=UTC)
ROWS = 90


@pytest.fixture
def source(aws: Any) -> str:
    """Where the records of a features job are."""
    splits = ["train", "validation", "test"]
    columns = {
        "review_id": [f"r{row}" for row in range(ROWS)],
        "sentiment": pa.array([row % 3 - 1 for row in range(ROWS)], pa.int8()),
        "label_id": pa.array([row % 3 for row in range(ROWS)], pa.int8()),
        "input_ids": pa.array([[101, row, 102] for row in range(ROWS)], pa.list_(pa.int32())),
        "review_body": [f"review {row}" for row in range(ROWS)],
        "date": ["2026-11-30T05:10:00Z"] * ROWS,
        "split_type": [splits[row // 30] for row in range(ROWS)],
    }
    target = io.BytesIO()
    pq.write_table(pa.table(columns), target)
    aws("s3").put_object(Bucket=BUCKET, Key="offline-in/part-algo-1.parquet", Body=target.getvalue())
    return f"s3://{BUCKET}/offline-in/"


@pytest.fixture
def group(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A group with both stores."""
    settings = replace(feature_store.settings, bucket=BUCKET, feature_ingest="offline", online_split="test")
    monkeypatch.setattr(feature_store, "settings", settings)
    return dict(
        airflow.run(
            lambda: FeatureGroupOperator(
                task_id="feature_group",
                name="in-bulk",
                features=feature_store.SCHEMA,
                identifier="review_id",
                event_time="date",
                role_arn=ROLE,
                offline_s3_uri=f"s3://{BUCKET}/bulk-store",
            ),
            FakeTask(task_id="feature_group"),
        )
    )


def rendered(template: str, group: dict[str, Any]) -> str:
    from jinja2 import Environment

    told = {"ti": SimpleNamespace(xcom_pull=lambda task_ids: group), "run_id": "r"}
    return Environment(autoescape=False).from_string(template).render(**told, dag_run=SimpleNamespace(
        logical_date=None, run_after=MOMENT
    ))  # fmt: skip


def answer(aws: Any, group: dict[str, Any], query: str) -> list[list[str]]:
    """What Athena answers, without the header."""
    athena = aws("athena")
    execution = athena.start_query_execution(
        QueryString=query,
        QueryExecutionContext={"Database": group["database"]},
        ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/bulk-answers/"},
    )["QueryExecutionId"]
    told = until(
        lambda: athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]["Status"],
        lambda status: status["State"] in ("SUCCEEDED", "FAILED"),
    )
    assert told["State"] == "SUCCEEDED", told
    _, *rows = athena.get_query_results(QueryExecutionId=execution)["ResultSet"]["Rows"] or [None]
    return [[value.get("VarCharValue", "") for value in row["Data"]] for row in rows]


def test_records_are_in_the_offline_store_and_those_that_are_asked_for_online(
    aws: Any, airflow: Airflow, ti: FakeTask, source: str, group: dict[str, Any]
) -> None:
    splits = SimpleNamespace(outputs={"feature_store": source})

    def job() -> ProcessingJobOperator:
        operator = feature_store.ingest_offline(splits)  # type: ignore[arg-type]
        operator.output_uris = {
            name: rendered(str(uri), group).replace("sentiment-reviews", BUCKET)
            for name, uri in operator.output_uris.items()
        }
        return operator

    ti.task_id = "ingest"
    done = airflow.run(job, ti)
    assert done["outputs"]["offline"] == f"{group['s3_uri']}/"
    answer(aws, group, rendered(feature_store.add_partition().query, group))
    count = (
        f'SELECT sentiment, count(*), min(input_ids) FROM "{group["table"]}" WHERE NOT is_deleted GROUP BY 1 ORDER BY 1'
    )
    assert answer(aws, group, count) == [["-1", "30", "101 0 102"], ["0", "30", "101 1 102"], ["1", "30", "101 11 102"]]
    # The query by which train_sentiment reads its splits.
    latest = rendered(feature_store.LATEST.format(table=group["table"], date="2026-11-30T05:10:00Z"), group)
    assert answer(aws, group, f"SELECT count(*) FROM ({latest}) WHERE place = 1") == [["90"]]

    online = FeatureIngestOperator(
        task_id="online", feature_group="in-bulk", source=source, only={"split_type": "test"}, stores=["OnlineStore"]
    )
    run: Any = {"ti": ti, "params": {}, "dag_run": SimpleNamespace(logical_date=None, run_after=MOMENT)}
    assert online.execute(run)["records"] == 30
    runtime = aws("sagemaker-featurestore-runtime")
    assert runtime.get_record(FeatureGroupName="in-bulk", RecordIdentifierValueAsString="r89")["Record"]
    assert "Record" not in runtime.get_record(FeatureGroupName="in-bulk", RecordIdentifierValueAsString="r1")


def test_the_dag_ingests_in_bulk_where_the_setting_says_so(group: dict[str, Any]) -> None:
    with DAG("bulk", schedule=None):
        splits = ProcessingJobOperator(
            task_id="features", job=feature_store.settings.processing_job("features"), outputs=["feature_store"]
        )
        first, following = feature_store.ingest(splits)
    assert isinstance(first, ProcessingJobOperator)
    assert [task.task_id for task in following] == ["add_partition", "ingest_online"]
