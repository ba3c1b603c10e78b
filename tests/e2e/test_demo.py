"""Both DAGs by a real scheduler on 600 reviews, watched by the demo itself: what a newcomer sees."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from stack.airflow_api import AirflowApi
from stack.demo import RunFailed, demo
from stack.layout import Stack

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def outcome(stack: Stack) -> tuple[dict, str]:
    screen = io.StringIO()
    summary = demo(stack, Console(file=screen, width=140), timeout=600)
    return summary, screen.getvalue()


def test_the_demo_goes_from_raw_reviews_to_predictions(outcome: tuple[dict, str]) -> None:
    summary, _ = outcome
    assert 400 < summary["reviews"]["rows"] <= 600
    assert sum(summary["reviews"]["by_sentiment"].values()) == summary["reviews"]["rows"]
    assert sum(summary["reviews"]["by_category"].values()) == summary["reviews"]["rows"]
    assert 0 < summary["test_accuracy"] <= 1
    assert sum(map(sum, summary["confusion_matrix"])) > 0
    assert summary["endpoint"] == "sentiment"
    assert [prediction["predicted_label"] in (-1, 0, 1) for prediction in summary["predictions"]] == [True] * 3
    assert summary["makespan_s"] >= summary["seconds_in_jobs"] > 0


def test_the_summary_is_written_and_its_charts_are_pictures(outcome: tuple[dict, str], stack: Stack) -> None:
    summary, _ = outcome
    assert json.loads((stack.home / "demo" / "summary.json").read_text()) == summary
    assert len(summary["charts"]) == 6
    for chart in summary["charts"]:
        assert Path(chart).read_bytes().startswith(b"\x89PNG"), chart


def test_the_terminal_shows_every_task_and_the_result(outcome: tuple[dict, str], api: AirflowApi) -> None:
    summary, screen = outcome
    for dag_id in ("ingest_reviews", "train_sentiment"):
        for task_id in api.order(dag_id):
            assert f"{dag_id}.{task_id}" in screen, task_id
    assert f"accuracy {summary['test_accuracy']:.4f}" in screen
    assert "user admin" in screen


def test_one_run_starts_each_job_once(outcome: tuple[dict, str], stack: Stack, api: AirflowApi) -> None:
    names = [job.name for job in (stack.home / "localaws" / "jobs").glob("*/*")]
    runs = outcome[0]["runs"]
    started = {"ingest_reviews": ["transform", "charts"], "train_sentiment": ["features", "train", "evaluate"]}
    for dag_id, tasks in started.items():
        for task in tasks:
            name = api.xcom(dag_id, runs[dag_id], task)["name"]
            assert [other for other in names if other.startswith(name)] == [name]


def test_below_the_gate_nothing_is_deployed_and_the_run_says_why(
    outcome: tuple[dict, str], api: AirflowApi, stack: Stack
) -> None:
    before = api.xcom("train_sentiment", outcome[0]["runs"]["train_sentiment"], "deploy")
    api.trigger("train_sentiment", "below_the_gate", {"min_accuracy": 1.0})
    states = wait(api, "train_sentiment", "below_the_gate")
    assert states["run"] == "success"
    assert states["accurate_enough"] == "success"
    assert {states[task] for task in ("model", "deploy", "smoke", "delete_endpoint")} == {"skipped"}
    gate = next(t for t in api.tasks("train_sentiment", "below_the_gate") if t["task_id"] == "accurate_enough")
    assert "NOT DEPLOYED" in api.log("train_sentiment", "below_the_gate", gate)
    assert before["name"] == "sentiment"


def test_a_source_that_does_not_exist_fails_with_its_name(stack: Stack, api: AirflowApi) -> None:
    api.trigger("ingest_reviews", "no_source", {"source": "/no/such/reviews.csv"})
    states = wait(api, "ingest_reviews", "no_source")
    assert states["run"] == "failed"
    task = next(t for t in api.tasks("ingest_reviews", "no_source") if t["task_id"] == "upload_raw")
    assert "/no/such/reviews.csv" in api.log("ingest_reviews", "no_source", task)


def wait(api: AirflowApi, dag_id: str, run_id: str, seconds: float = 300) -> dict[str, str]:
    """The end state of a run and of its tasks."""
    import time

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = api.run(dag_id, run_id)["state"]
        if state in ("success", "failed"):
            return {"run": state, **{task["task_id"]: task["state"] for task in api.tasks(dag_id, run_id)}}
        time.sleep(0.5)
    raise AssertionError(f"{dag_id} {run_id} did not end: {api.tasks(dag_id, run_id)}")


def test_a_failed_task_is_named_with_its_log(stack: Stack, api: AirflowApi) -> None:
    from stack.demo import _failure

    tasks = api.tasks("ingest_reviews", "no_source")
    text = str(RunFailed(_failure(api, "ingest_reviews", "no_source", tasks)))
    assert "ingest_reviews.upload_raw failed" in text
    assert "/no/such/reviews.csv" in text
    assert stack.airflow_url in text
