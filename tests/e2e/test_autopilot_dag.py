"""`autopilot_sentiment` and `leader_board` by a real scheduler, on the 600 reviews of the session's stack."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from runs_kit import CANDIDATES, Started, ended, objects
from waiting_kit import until

from stack.airflow_api import AirflowApi
from stack.layout import Stack
from stack.summary import s3_client

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def judged(api: AirflowApi, started: Started) -> str:
    """A run of Autopilot with its cheapest candidates; its run id."""
    states = ended(api, "autopilot_sentiment", "sample")
    assert set(states.values()) == {"success"}, states
    return "sample"


def mapped(api: AirflowApi, run_id: str, task_id: str) -> list[dict[str, Any]]:
    found = [task for task in api.tasks("autopilot_sentiment", run_id) if task["task_id"] == task_id]
    return sorted(found, key=lambda task: task["map_index"])


def test_candidates_are_found_judged_one_at_a_time_and_taken_down(api: AirflowApi, stack: Stack, judged: str) -> None:
    found = api.xcom("autopilot_sentiment", judged, "autopilot")
    assert found["status"] == "Completed"
    assert len(found["name"]) <= 32
    values = [candidate["value"] for candidate in found["candidates"]]
    assert len(values) == CANDIDATES and values == sorted(values, reverse=True)
    assert found["best"]["name"] == found["candidates"][0]["name"]

    balanced = api.xcom("autopilot_sentiment", judged, "balance", "result")
    assert set(balanced["by_sentiment"].values()) == {balanced["per_group"]}
    assert balanced["held_out"] > 0

    evaluations = mapped(api, judged, "judge.evaluate")
    assert [task["state"] for task in evaluations] == ["success"] * CANDIDATES
    for earlier in evaluations:
        for later in evaluations:
            apart = earlier["end_date"] <= later["start_date"] or later["end_date"] <= earlier["start_date"]
            assert apart or earlier is later
    split = api.xcom("autopilot_sentiment", judged, "features", "result")["splits"]["test"]
    written = objects(stack, "reports/models/")
    for rank, candidate in enumerate(found["candidates"], start=1):
        evaluation = json.loads(written[f"autopilot-{rank}/evaluation.json"])
        assert evaluation["reviews"] == evaluation["test_split"]["reviews"] == sum(split.values())
        assert evaluation["training_seconds"] == candidate["training_seconds"]
        assert evaluation["model_bytes"] > 1_000_000
        assert 0 < evaluation["latency_ms"]["p50"] <= evaluation["latency_ms"]["p95"]
        assert written[f"autopilot-{rank}/confusion_matrix.png"].startswith(b"\x89PNG")

    table = objects(stack, "reports/autopilot/")
    assert table["candidates.png"].startswith(b"\x89PNG")
    (shown,) = mapped(api, judged, "show_candidates")
    for line in table["candidates.md"].decode().splitlines():
        assert line in api.log("autopilot_sentiment", judged, shown)


def test_the_best_answers_in_csv_and_no_endpoint_is_left(
    api: AirflowApi, judged: str, left: Callable[[str], list[str]]
) -> None:
    smoke = api.xcom("autopilot_sentiment", judged, "smoke")
    assert smoke["endpoint"] == "sentiment-autopilot"
    assert len(smoke["predictions"]) == 3
    for prediction in smoke["predictions"]:
        assert prediction["predicted_label"] in {"-1", "0", "1"}
        assert 1 / 3 <= float(prediction["probability"]) <= 1
    deleted = [task["state"] for task in mapped(api, judged, "judge.delete_endpoint")]
    assert deleted == ["success"] * CANDIDATES
    model = api.xcom("autopilot_sentiment", judged, "model", "model_name")
    assert left("sentiment-autopilot") == left(model) == []


def test_the_judgements_set_off_the_leader_board(api: AirflowApi, stack: Stack, judged: str) -> None:

    def latest() -> tuple[str, dict[str, Any]]:
        runs = api.call("GET", "/dags/leader_board/dagRuns", params={"state": "success", "order_by": "-start_date"})
        if not runs["dag_runs"]:
            return "", {"models": []}
        run_id = runs["dag_runs"][0]["dag_run_id"]
        return run_id, api.xcom("leader_board", run_id, "leader_board", "result")

    def complete(seen: tuple[str, dict[str, Any]]) -> bool:
        return sum(row["model"].startswith("autopilot-") for row in seen[1]["models"]) >= CANDIDATES

    run_id, board = until(latest, complete, 300, every=0.5)
    written = objects(stack, "reports/leader_board/")
    assert written["leader_board.png"].startswith(b"\x89PNG")
    assert b"data:image/png;base64," in written["leader_board.html"]
    shown = next(task for task in api.tasks("leader_board", run_id) if task["task_id"] == "show")
    log = api.log("leader_board", run_id, shown)
    for row in board["models"]:
        assert row["model"] in log
        assert 0 <= row["accuracy_95"][0] <= row["accuracy"] <= row["accuracy_95"][1] <= 1
    assert [row["accuracy"] for row in board["models"]] == sorted(
        (row["accuracy"] for row in board["models"]), reverse=True
    )
    s3_client(stack).head_object(Bucket="sentiment-reviews", Key="reports/leader_board/leader_board.json")
