"""Runs of a real Airflow, waited for, and what they leave in S3."""

from __future__ import annotations

import time

from stack.airflow_api import AirflowApi
from stack.layout import Stack, StackError
from stack.summary import s3_client

BUCKET = "sentiment-reviews"
#: how many candidates Autopilot tries: its cheapest one.
CANDIDATES = 1
#: settings of the pipeline that are not the defaults of its definition: an override has to take effect.
TINY = {"max_epoch_rows": 128, "learning_rate": 2e-4, "min_accuracy": 0.1}
#: the runs that several modules look at, begun together: a scheduler's pauses are another run's time.
SAMPLES = {
    "autopilot_sentiment": ("sample", {"max_candidates": CANDIDATES}),
    "blazingtext_sentiment": ("sample", {"epochs": 8, "min_count": 1, "buckets": 5000, "vector_dim": 20}),
    "sagemaker_pipeline": ("first", TINY),
}


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
