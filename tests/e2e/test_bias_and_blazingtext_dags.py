"""`detect_bias` and `blazingtext_sentiment` by a real scheduler, on the 600 reviews of the session's stack."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from runs_kit import Started, ended, objects, set_off

from stack.airflow_api import AirflowApi
from stack.layout import Stack

pytestmark = pytest.mark.e2e


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


def test_blazingtext_is_trained_asked_judged_and_taken_down(
    api: AirflowApi, stack: Stack, started: Started, left: Callable[[str], list[str]]
) -> None:
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
    # Beside the test split those that have the same text as one of it.
    assert prepared["held_out"] >= sum(split.values())
    assert prepared["rows_in"] == prepared["held_out"] + sum(prepared["by_sentiment"].values())
    written = objects(stack, "reports/models/blazingtext/")
    assert json.loads(written["evaluation.json"])["metrics"] == evaluation["metrics"]
    model = api.xcom("blazingtext_sentiment", "sample", "model", "model_name")
    assert left("sentiment-blazingtext") == left(model) == []


def test_a_run_tells_what_it_is_expected_to_cost_and_what_it_has(api: AirflowApi, started: Started) -> None:
    ended(api, "blazingtext_sentiment", "sample")
    bill = api.xcom("blazingtext_sentiment", "sample", "report_costs")
    assert {line["task"] for line in bill["lines"]} == {"features", "prepare", "train", "deploy", "evaluate"}
    assert bill["usd"] == pytest.approx(sum(line["usd"] for line in bill["lines"]), abs=1e-4)
    assert 0 < bill["usd"] < 0.1
    (first,) = [each for each in api.tasks("blazingtext_sentiment", "sample") if each["task_id"] == "find_reviews"]
    assert "This run is expected to cost on AWS: $0.0" in api.log("blazingtext_sentiment", "sample", first)
