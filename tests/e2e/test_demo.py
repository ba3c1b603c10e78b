"""The demo by a real scheduler on 600 reviews, people's labels and all, watched by itself: what a newcomer sees."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from runs_kit import ALL, LONG

from stack import processes
from stack.airflow_api import AirflowApi
from stack.demo import demo
from stack.layout import Stack

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def outcome(stack: Stack, samples: Any) -> tuple[dict[str, Any], str]:
    screen = io.StringIO()
    # As `python -m stack demo` runs it: what it writes is its user's alone.
    with processes.private():
        summary = demo(stack, Console(file=screen, width=140), with_people=ALL, timeout=900)
    return summary, screen.getvalue()


SUMMARY = {
    "reviews",
    "synthetic",
    "test_accuracy",
    "macro_f1",
    "confusion_matrix",
    "natural_mix",
    "endpoint",
    "predictions",
    "makespan_s",
    "seconds_in_jobs",
    "charts",
    "people",
}


def test_the_demo_goes_from_raw_reviews_to_predictions(outcome: tuple[dict[str, Any], str]) -> None:
    summary, _ = outcome
    assert summary.keys() >= SUMMARY
    assert summary["reviews"].keys() >= {"rows", "by_sentiment", "by_category"}
    assert 400 < summary["reviews"]["rows"] <= 600
    assert sum(summary["reviews"]["by_sentiment"].values()) == summary["reviews"]["rows"]
    assert sum(summary["reviews"]["by_category"].values()) == summary["reviews"]["rows"]
    assert 0 < summary["test_accuracy"] <= 1
    assert 0 < summary["macro_f1"] <= 1
    assert sum(map(sum, summary["confusion_matrix"])) > 0
    assert 0 < summary["natural_mix"]["accuracy"] <= 1
    assert summary["endpoint"] == "sentiment"
    assert [prediction["predicted_label"] in (-1, 0, 1) for prediction in summary["predictions"]] == [True] * 3
    assert summary["makespan_s"] >= summary["seconds_in_jobs"] > 0


@LONG
def test_the_demo_ends_with_people_s_labels_learnt(outcome: tuple[dict[str, Any], str], api: AirflowApi) -> None:
    people, screen = outcome[0]["people"], outcome[1]
    assert 0 < people["labelled"] == people["asked"] <= 40
    assert people["learnt"]["in_training"] == people["labelled"]
    assert people["verdict"] and people["low_confidence"]["reviews"] >= 0
    answers = api.xcom("human_review", people["run"], "labels", "result")
    assert len(answers["workers"]) == 1 and answers["answers"] == people["asked"]
    assert f"{people['labelled']} of {people['asked']} reviews labelled" in screen
    assert f"Retrained   {people['verdict'][:30]}" in screen


@LONG
def test_a_password_that_was_chosen_is_its_user_s_alone(outcome: tuple[dict[str, Any], str], stack: Stack) -> None:
    kept = stack.home / "demo" / "worker.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert json.loads(kept.read_text())["password"] not in outcome[1]


def test_the_summary_is_written_and_its_charts_are_pictures(outcome: tuple[dict[str, Any], str], stack: Stack) -> None:
    summary, _ = outcome
    assert json.loads((stack.home / "demo" / "summary.json").read_text()) == summary
    assert len(summary["charts"]) == 6
    for chart in summary["charts"]:
        assert Path(chart).read_bytes().startswith(b"\x89PNG"), chart


def test_the_terminal_shows_every_task_and_the_result(outcome: tuple[dict[str, Any], str], api: AirflowApi) -> None:
    summary, screen = outcome
    for dag_id in ("ingest_reviews", "train_sentiment"):
        for task_id in api.order(dag_id):
            assert f"{dag_id}.{task_id}" in screen, task_id
    assert f"accuracy {summary['test_accuracy']:.4f}" in screen
    assert "user admin" in screen


def test_one_run_starts_each_job_once(outcome: tuple[dict[str, Any], str], stack: Stack, api: AirflowApi) -> None:
    names = [job.name for job in (stack.home / "localaws" / "jobs").glob("*/*")]
    runs = outcome[0]["runs"]
    started = {"ingest_reviews": ["transform", "charts"], "train_sentiment": ["features", "train", "evaluate"]}
    for dag_id, tasks in started.items():
        for task in tasks:
            name = api.xcom(dag_id, runs[dag_id], task)["name"]
            assert [other for other in names if other.startswith(name)] == [name]
