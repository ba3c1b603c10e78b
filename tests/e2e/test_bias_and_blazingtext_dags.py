"""`detect_bias` and `blazingtext_sentiment` by a real scheduler, on the 600 reviews of the session's stack."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from stack.airflow_api import AirflowApi
from stack.layout import Stack, StackError
from stack.summary import s3_client

pytestmark = pytest.mark.e2e

BUCKET = "sentiment-reviews"


@pytest.fixture(scope="module")
def ingested(api: AirflowApi, stack: Stack) -> str:
    """The ingest that these DAGs begin from: the session's, or one of this module's own; its run id."""
    until_known(api, "ingest_reviews")
    runs = api.call("GET", "/dags/ingest_reviews/dagRuns", params={"state": "success", "order_by": "start_date"})
    if runs["dag_runs"]:
        return str(runs["dag_runs"][-1]["dag_run_id"])
    api.trigger("ingest_reviews", "for_bias")
    assert ended(api, "ingest_reviews", "for_bias")["run"] == "success"
    return "for_bias"


def until_known(api: AirflowApi, dag_id: str, seconds: float = 60) -> None:
    """Wait for the DAG processor: Airflow is healthy before it has read the DAGs."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            api.call("GET", f"/dags/{dag_id}")
        except StackError as error:
            assert "answered 404" in str(error) and time.monotonic() < deadline, error
            time.sleep(0.3)
        else:
            return


def ended(api: AirflowApi, dag_id: str, run_id: str, seconds: float = 420) -> dict[str, str]:
    """The end state of a run and of its tasks."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = api.run(dag_id, run_id)["state"]
        if state in ("success", "failed"):
            return {"run": state, **{task["task_id"]: task["state"] for task in api.tasks(dag_id, run_id)}}
        time.sleep(0.5)
    raise AssertionError(f"{dag_id} {run_id} did not end: {api.tasks(dag_id, run_id)}")


def set_off(api: AirflowApi, run_id: str, dag_id: str, seconds: float = 60) -> str:
    """The run of ``dag_id`` that an ingest has set off."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = dict(api.triggered_by("ingest_reviews", run_id))
        except StackError as error:
            # Airflow 3.3.2 cannot show a run that an event has made as long as it is queued.
            assert "answered 500" in str(error)
            found = {}
        if dag_id in found:
            return found[dag_id]
        time.sleep(0.3)
    raise AssertionError(f"{run_id} did not set off {dag_id}")


def objects(stack: Stack, prefix: str) -> dict[str, bytes]:
    s3 = s3_client(stack)
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {
        item["Key"].removeprefix(prefix): s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read() for item in found
    }


def test_new_reviews_are_looked_at_balanced_and_looked_at_again(api: AirflowApi, stack: Stack, ingested: str) -> None:
    run_id = set_off(api, ingested, "detect_bias")
    states = ended(api, "detect_bias", run_id)
    assert set(states.values()) == {"success"}, states
    comparison: dict[str, Any] = api.xcom("detect_bias", run_id, "compare", "result")
    assert comparison["balanced"] is True
    count = len(comparison["categories"])
    for row in comparison["categories"]:
        assert row["ci_after"] == pytest.approx((count - 2) / count)
        assert row["dpl_after"] == pytest.approx(0, abs=1e-9)
    # In a sample of reviews as they are, something is out of balance.
    assert any(abs(row["dpl_before"]) > 1e-3 for row in comparison["categories"])
    metrics = api.xcom("detect_bias", run_id, "bias_before", "metrics")["product_category"]
    assert metrics.keys() >= {row["category"] for row in comparison["categories"]}
    written = objects(stack, "reports/bias/")
    for when in ("before", "after"):
        assert {f"{when}/{name}" for name in ("analysis.json", "report.html", "report.ipynb", "report.pdf")} <= set(
            written
        )
    assert written["comparison/comparison.png"].startswith(b"\x89PNG")
    assert "**balanced**" in written["comparison/comparison.md"].decode()
    events = api.call("GET", "/assets/events", params={"source_dag_id": "detect_bias", "source_run_id": run_id})
    (event,) = events["asset_events"]
    balanced = api.xcom("detect_bias", run_id, "balance", "result")
    assert event["extra"]["rows"] == balanced["rows"] == 3 * count * balanced["per_group"]
    assert objects(stack, "data/balanced/")["reviews/reviews.csv"].decode().count("\n") == balanced["rows"] + 1


def test_blazingtext_is_trained_asked_judged_and_taken_down(api: AirflowApi, stack: Stack, ingested: str) -> None:
    api.trigger("blazingtext_sentiment", "sample", {"epochs": 8, "min_count": 1, "buckets": 5000, "vector_dim": 20})
    states = ended(api, "blazingtext_sentiment", "sample")
    assert set(states.values()) == {"success"}, states
    trained = api.xcom("blazingtext_sentiment", "sample", "train")
    assert set(trained["metrics"]) == {"train:accuracy", "validation:accuracy"}
    smoke = api.xcom("blazingtext_sentiment", "sample", "smoke")
    assert [len(prediction["label"]) for prediction in smoke["predictions"]] == [1, 1, 1]
    evaluation = api.xcom("blazingtext_sentiment", "sample", "evaluate", "result")
    assert 0 < evaluation["metrics"]["accuracy"]["value"] <= 1
    split = api.xcom("blazingtext_sentiment", "sample", "features", "result")["splits"]["test"]
    assert evaluation["reviews"] == sum(split.values())
    assert evaluation["latency_ms"]["p50"] > 0
    prepared = api.xcom("blazingtext_sentiment", "sample", "prepare", "result")
    # Those of the test split that are also in a category large enough for the transformed reviews.
    assert prepared["held_out"] > 0
    assert prepared["rows_in"] == prepared["held_out"] + sum(prepared["by_sentiment"].values())
    written = objects(stack, "reports/models/blazingtext/")
    assert json.loads(written["evaluation.json"])["metrics"] == evaluation["metrics"]
    deleted = api.xcom("blazingtext_sentiment", "sample", "delete_endpoint")["deleted"]
    assert deleted["endpoint"] is True
    assert len(deleted["models"]) == 1
