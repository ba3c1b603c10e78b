"""`human_review` by a real scheduler with Airflow's own forms: who answers is kept, who does not is not counted."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest
from runs_kit import BUCKET, LONG, ended, objects, until, until_known

from stack.airflow_api import AirflowApi
from stack.layout import Stack

pytestmark = [pytest.mark.e2e, LONG]

DAG, RUN = "human_review", "forms"
#: four reviews, two of them at random; three are answered, and the fourth is let go.
CONF = {"review_backend": "airflow", "budget": 4, "control_share": 0.5, "candidates": 60, "minutes": 0.75}
ANSWERED = {0: "Negative", 1: "Positive", 2: "Negative"}


def forms(api: AirflowApi) -> dict[int, dict[str, Any]]:
    """The forms that wait, by their number."""
    tasks = [task for task in api.tasks(DAG, RUN) if task["task_id"] == "round_1.airflow.ask"]
    return {task["map_index"]: task for task in tasks if task["state"] == "awaiting_input"}


@pytest.fixture(scope="module")
def states(api: AirflowApi, champion: dict[str, Any]) -> dict[str, str]:
    """The end of a run in which a person has filled in three of four forms."""
    until_known(api, DAG)
    api.trigger(DAG, RUN, CONF)
    until(lambda: len(forms(api)) == CONF["budget"], what="all forms wait", timeout=600)
    # As a person does: not in the second in which the task asks.
    time.sleep(3)
    for number, label in ANSWERED.items():
        path = f"/dags/{DAG}/dagRuns/{RUN}/taskInstances/round_1.airflow.ask/{number}/hitlDetails"
        api.call("PATCH", path, json={"chosen_options": [label], "params_input": {"comment": ""}})
    return ended(api, DAG, RUN)


def test_only_the_tasks_of_the_chosen_back_end_run(states: dict[str, str]) -> None:
    assert states["run"] == "success", states
    assert {state for name, state in states.items() if ".a2i." in name or ".label_studio." in name} == {"skipped"}
    assert {states[name] for name in ("select", "round_1.airflow.collect", "labels", "announce")} == {"success"}


def test_answers_become_labels_with_who_gave_them_and_the_default_is_none(
    api: AirflowApi, states: dict[str, str], client: Callable[[str], Any]
) -> None:
    found = client("s3").get_object(Bucket=BUCKET, Key=f"data/human_labels/{RUN}.parquet")["Body"].read()
    rows = pq.read_table(io.BytesIO(found)).to_pylist()
    assert sorted(row["label"] for row in rows) == [-1, -1, 1]
    assert {worker for row in rows for worker in row["workers"]} == {"airflow:admin"}
    report = api.xcom(DAG, RUN, "labels", "result")
    assert (report["asked"], report["labelled"]) == (4, 3)
    assert report["unlabelled"] == {"nobody has answered in time": 1}


def test_no_review_of_a_held_out_split_was_asked_about(
    api: AirflowApi, states: dict[str, str], client: Callable[[str], Any], stack: Stack
) -> None:
    outputs = api.xcom(DAG, RUN, "features")["outputs"]
    held_out: set[str] = set()
    for split in ("test", "validation"):
        for content in objects(stack, outputs[split].partition(f"{BUCKET}/")[2]).values():
            held_out |= set(pq.read_table(io.BytesIO(content))["review_id"].to_pylist())
    lines = objects(stack, f"human_review/{RUN}/items/")["items.jsonl"].decode().splitlines()
    asked = {json.loads(line)["id"] for line in lines}
    assert len(asked) == 4 and held_out and not asked & held_out


def test_the_table_and_the_feature_store_have_the_labels(
    states: dict[str, str], client: Callable[[str], Any], api: AirflowApi
) -> None:
    athena = client("athena")
    query = athena.start_query_execution(
        QueryString=f"SELECT label, count(*) FROM human_labels WHERE batch = '{RUN}' GROUP BY label ORDER BY label",
        QueryExecutionContext={"Database": "reviews"},
        ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/athena/test/"},
    )["QueryExecutionId"]

    def state() -> str:
        return str(athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]["State"])

    until(lambda: state() not in ("QUEUED", "RUNNING"), what="Athena answers", timeout=60)
    assert state() == "SUCCEEDED"
    rows = athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"][1:]
    assert [[each["VarCharValue"] for each in row["Data"]] for row in rows] == [["-1", "2"], ["1", "1"]]
    put = api.xcom(DAG, RUN, "ingest")
    assert (put["feature_group"], put["records"]) == ("reviews-human-labels", 3)


def test_the_labels_set_off_a_training_that_learns_them(api: AirflowApi, states: dict[str, str]) -> None:
    runs: list[tuple[str, str]] = []

    def set_off() -> bool:
        runs[:] = api.triggered_by(DAG, RUN)
        return bool(runs)

    until(set_off, what="the Asset sets off a training", timeout=180)
    ((dag_id, run_id),) = runs
    assert dag_id == "train_sentiment"
    ended(api, dag_id, run_id)
    assert "labels" in api.xcom(dag_id, run_id, "look")["changed"]
    learnt = api.xcom(dag_id, run_id, "features", "result")["human_labels"]
    assert learnt["in_training"] == learnt["given"] >= 3
    assert api.xcom(dag_id, run_id, "judge")["low_confidence"]["threshold"] == 0.9
