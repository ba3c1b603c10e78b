"""Both DAGs by a real scheduler on 600 reviews, watched by the demo itself: what a newcomer sees."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from runs_kit import ended

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


def test_a_backfill_of_three_intervals_finds_nothing_changed_and_trains_nothing(
    outcome: tuple[dict, str], api: AirflowApi
) -> None:
    three_years = {"from_date": "2024-01-01T00:00:00Z", "to_date": "2026-01-02T00:00:00Z"}
    api.call("POST", "/backfills", json={"dag_id": "train_sentiment", "max_active_runs": 3, **three_years})
    runs = api.call("GET", "/dags/train_sentiment/dagRuns", params={"run_type": "backfill"})["dag_runs"]
    assert len(runs) == 3
    for run_id in (run["dag_run_id"] for run in runs):
        states = ended(api, "train_sentiment", run_id)
        assert {states[task] for task in ("run", "look", "worth_training")} == {"success"}
        assert {states[task] for task in ("features", "train", "register", "deploy")} == {"skipped"}
        asked = next(t for t in api.tasks("train_sentiment", run_id) if t["task_id"] == "worth_training")
        assert "NOTHING CHANGED" in api.log("train_sentiment", run_id, asked)


def test_a_challenger_below_the_gate_from_the_feature_store_is_compared_registered_as_rejected_and_not_deployed(
    outcome: tuple[dict, str], api: AirflowApi, client: Callable[[str], Any]
) -> None:
    sagemaker = client("sagemaker")
    before = sagemaker.describe_endpoint(EndpointName="sentiment")
    # The next test's run fails meanwhile, with its retries.
    api.trigger("ingest_reviews", "no_source", {"source": "/no/such/reviews.csv"})
    conf = {"min_accuracy": 1.0, "force": True, "features_from": "feature_store"}
    api.trigger("train_sentiment", "below_the_gate", conf)
    states = ended(api, "train_sentiment", "below_the_gate")
    assert {states[task] for task in ("run", "unload_train", "evaluate_champion", "register")} == {"success"}
    assert {states[task] for task in ("approve", "model", "deploy", "smoke", "delete_endpoint")} == {"skipped"}
    verdict = api.xcom("train_sentiment", "below_the_gate", "judge")
    # The champion is judged anew on the same reviews, and does as well as when it was the challenger.
    assert verdict["champion_accuracy"] == outcome[0]["test_accuracy"]
    judged = next(t for t in api.tasks("train_sentiment", "below_the_gate") if t["task_id"] == "judge")
    assert f"NOT DEPLOYED: {verdict['reason']}" in api.log("train_sentiment", "below_the_gate", judged)
    version = api.xcom("train_sentiment", "below_the_gate", "register")
    package = sagemaker.describe_model_package(ModelPackageName=version["arn"])
    assert package["ModelApprovalStatus"] == "Rejected" and package["ModelPackageDescription"] == verdict["reason"]
    after = sagemaker.describe_endpoint(EndpointName="sentiment")
    assert after["EndpointConfigName"] == before["EndpointConfigName"]
    assert after["LastModifiedTime"] == before["LastModifiedTime"]


def test_a_source_that_does_not_exist_fails_with_its_name(stack: Stack, api: AirflowApi) -> None:
    states = ended(api, "ingest_reviews", "no_source")
    assert states["run"] == "failed"
    task = next(t for t in api.tasks("ingest_reviews", "no_source") if t["task_id"] == "upload_raw")
    assert "/no/such/reviews.csv" in api.log("ingest_reviews", "no_source", task)


def test_a_failed_task_is_named_with_its_log(stack: Stack, api: AirflowApi) -> None:
    from stack.demo import _failure

    tasks = api.tasks("ingest_reviews", "no_source")
    text = str(RunFailed(_failure(api, "ingest_reviews", "no_source", tasks)))
    assert "ingest_reviews.upload_raw failed" in text
    assert "/no/such/reviews.csv" in text
    assert stack.airflow_url in text
