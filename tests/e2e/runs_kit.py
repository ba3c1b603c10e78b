"""Runs of a real Airflow, waited for, and what they leave in S3."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import waiting_kit

from stack.airflow_api import AirflowApi
from stack.layout import Stack, StackError
from stack.summary import s3_client

#: whether the long ones run too: CI runs them, and whoever asks.
ALL = os.environ.get("ALL", "0") not in ("", "0")
LONG = pytest.mark.skipif(not ALL, reason="takes minutes: make test ALL=1 runs it")
BUCKET = "sentiment-reviews"
#: how many candidates Autopilot tries: its cheapest one.
CANDIDATES = 1
#: settings of the pipeline that are not the defaults of its definition: an override has to take effect.
TINY = {"max_epoch_rows": 128, "learning_rate": 2e-4, "min_accuracy": 0.1}
#: a base model whose tokenizer is there, so that features can be made and the training fails.
WITHOUT_WEIGHTS = f"s3://{BUCKET}/base_models/without_weights/"
#: seconds that a person takes to answer.
THINKING = 3.0
#: another setting than the demo's: there is something to learn.
STORED = {"features_from": "feature_store"}
#: three intervals at the same time, each with a model that does not reach the gate.
BACKFILL = {
    "dag_id": "train_sentiment",
    "from_date": "2024-01-01T00:00:00Z",
    "to_date": "2026-01-02T00:00:00Z",
    "max_active_runs": 3,
    "dag_run_conf": {"min_accuracy": 1.0, "force": True, **STORED},
}
#: the runs that several modules look at, begun together: a scheduler's pauses are another run's time.
SAMPLES = {
    "autopilot_sentiment": ("sample", {"max_candidates": CANDIDATES}),
    "blazingtext_sentiment": ("sample", {"epochs": 8, "min_count": 1, "buckets": 5000, "vector_dim": 20}),
    "ingest_reviews": ("no_source", {"source": "/no/such/reviews.csv"}),
    "sagemaker_pipeline": ("first", TINY),
}


#: what goes on in Airflow takes its time, and takes longer where its API is asked more often.
until = partial(waiting_kit.until, timeout=120, every=0.3)


@dataclass(frozen=True)
class Started:
    """What goes on beside each other: the runs of ``SAMPLES``, a run to fail, and a backfill of three intervals."""

    backfill: list[str]
    #: as it was before them.
    endpoint: dict[str, Any]


def mark_failed(api: AirflowApi, dag_id: str, run_id: str, task_id: str) -> None:
    """What a user does in the UI to a task that is to go no further."""
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
    api.call("PATCH", path, json={"new_state": "failed"})


def answer(api: AirflowApi, dag_id: str, run_id: str, option: str, seconds: float = 300) -> None:
    """
    Answer the run's task ``ask``, as a person does: not in the second in which it asks.

    Who does makes Airflow 3.3.2 under load take the end of the task's first leg for its end, and try it again.
    """
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/ask/-1/hitlDetails"
    deadline, asked = time.monotonic() + seconds, None
    while (state := {task["task_id"]: task["state"] for task in api.tasks(dag_id, run_id)}.get("ask")) != "success":
        assert time.monotonic() < deadline and state != "failed", api.tasks(dag_id, run_id)
        asked = (asked or time.monotonic()) if state == "awaiting_input" else None
        if asked and time.monotonic() - asked > THINKING and not api.call("GET", path)["response_received"]:
            api.call("PATCH", path, json={"chosen_options": [option], "params_input": {}})
        time.sleep(0.5)


def until_known(api: AirflowApi, dag_id: str, seconds: float = 180) -> None:
    """Wait for the DAG processor: Airflow is healthy before it has read the DAGs."""

    def known() -> bool:
        try:
            api.call("GET", f"/dags/{dag_id}")
        except StackError as error:
            assert "answered 404" in str(error), error
            return False
        return True

    until(known, timeout=seconds, what=f"{dag_id} is known")


def ended(api: AirflowApi, dag_id: str, run_id: str, seconds: float = 1200) -> dict[str, str]:
    """The end state of a run and of its tasks."""

    def run_state() -> str:
        return str(api.run(dag_id, run_id)["state"])

    state = until(
        run_state, lambda seen: seen in ("success", "failed"), timeout=seconds, what=f"{dag_id} {run_id} ends"
    )
    return {"run": state, **{task["task_id"]: task["state"] for task in api.tasks(dag_id, run_id)}}


def set_off(api: AirflowApi, run_id: str, dag_id: str, seconds: float = 180) -> str:
    """The run of ``dag_id`` that an ingest has set off."""

    def found() -> dict[str, str]:
        try:
            return dict(api.triggered_by("ingest_reviews", run_id))
        except StackError as error:
            # Airflow 3.3.2 cannot show a run that an event has made as long as it is queued.
            assert "answered 500" in str(error)
            return {}

    return until(found, lambda seen: dag_id in seen, timeout=seconds, what=f"{run_id} sets off {dag_id}")[dag_id]


def objects(stack: Stack, prefix: str) -> dict[str, bytes]:
    s3 = s3_client(stack)
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {
        item["Key"].removeprefix(prefix): s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read() for item in found
    }
