"""`train_sentiment` after its first model, by a real scheduler: backfills, champions, people, and what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from runs_kit import answer, ended, insist, mark_failed, objects, set_off, until

from stack.airflow_api import AirflowApi
from stack.layout import Stack

pytestmark = pytest.mark.e2e

DAG = "train_sentiment"
#: another setting than the demo's: there is something to learn.
STORED = {"features_from": "feature_store"}
#: no model reaches it.
REJECTED = {"min_accuracy": 1.0, "force": True, **STORED}
THREE_YEARS = {"from_date": "2024-01-01T00:00:00Z", "to_date": "2026-01-02T00:00:00Z"}


@pytest.fixture(scope="module")
def sagemaker(client: Callable[[str], Any]) -> Any:
    return client("sagemaker")


@pytest.fixture(scope="module")
def champion(api: AirflowApi, ingested: str) -> dict[str, Any]:
    """The version that the first training was approved as."""
    run_id = set_off(api, ingested, DAG)
    assert ended(api, DAG, run_id)["run"] == "success"
    return dict(api.xcom(DAG, run_id, "approve"))


@pytest.fixture(scope="module")
def backfill(api: AirflowApi, champion: dict[str, Any], sagemaker: Any) -> tuple[list[str], dict[str, Any]]:
    """Three intervals at the same time, whose models are all rejected: run ids, and the endpoint before them."""
    before = sagemaker.describe_endpoint(EndpointName="sentiment")
    asked = {"dag_id": DAG, "max_active_runs": 3, "dag_run_conf": REJECTED, **THREE_YEARS}
    insist(api, "POST", "/backfills", asked)
    runs = api.call("GET", f"/dags/{DAG}/dagRuns", params={"run_type": "backfill"})["dag_runs"]
    assert len(runs) == 3
    return [run["dag_run_id"] for run in runs], before


@pytest.fixture(scope="module")
def rejected(api: AirflowApi, backfill: tuple[list[str], Any]) -> list[dict[str, str]]:
    """How the runs of the backfill have ended."""
    return [ended(api, DAG, run_id) for run_id in backfill[0]]


def test_three_intervals_at_once_train_and_are_rejected_below_the_gate(
    api: AirflowApi, backfill: tuple[list[str], Any], rejected: list[dict[str, str]], sagemaker: Any
) -> None:
    arns, jobs = set(), set()
    for run_id, states in zip(backfill[0], rejected, strict=True):
        assert {states[task] for task in ("run", "unload_train", "evaluate_champion", "register")} == {"success"}
        assert {states[task] for task in ("approve", "model", "deploy", "smoke", "delete_endpoint")} == {"skipped"}
        verdict = api.xcom(DAG, run_id, "judge")
        judged = next(task for task in api.tasks(DAG, run_id) if task["task_id"] == "judge")
        assert f"NOT DEPLOYED: {verdict['reason']}" in api.log(DAG, run_id, judged)
        arns.add(api.xcom(DAG, run_id, "register")["arn"])
        package = sagemaker.describe_model_package(ModelPackageName=api.xcom(DAG, run_id, "register")["arn"])
        assert package["ModelApprovalStatus"] == "Rejected" and package["ModelPackageDescription"] == verdict["reason"]
        jobs.add(api.xcom(DAG, run_id, "train")["name"])
    assert (len(arns), len(jobs)) == (3, 3)


def test_the_champion_is_judged_anew_and_does_as_well_as_when_it_was_the_challenger(
    api: AirflowApi, champion: dict[str, Any], backfill: tuple[list[str], Any], rejected: Any, sagemaker: Any
) -> None:
    package = sagemaker.describe_model_package(ModelPackageName=champion["arn"])
    for run_id in backfill[0]:
        verdict = api.xcom(DAG, run_id, "judge")
        assert verdict["champion_accuracy"] == float(package["CustomerMetadataProperties"]["accuracy"])


def test_what_is_rejected_does_not_touch_the_endpoint(
    backfill: tuple[list[str], Any], rejected: Any, sagemaker: Any
) -> None:
    after = sagemaker.describe_endpoint(EndpointName="sentiment")
    for member in ("EndpointConfigName", "LastModifiedTime"):
        assert after[member] == backfill[1][member]


def test_a_training_that_fails_does_not_touch_the_endpoint_and_leaves_no_version(
    api: AirflowApi, rejected: Any, sagemaker: Any
) -> None:
    before = sagemaker.describe_endpoint(EndpointName="sentiment")
    versions = len(sagemaker.list_model_packages(ModelPackageGroupName="sentiment")["ModelPackageSummaryList"])
    api.trigger(DAG, "failing", {**STORED, "force": True})
    until(lambda: state_of(api, "failing", "train") in {"running", "deferred"}, "it trains")
    mark_failed(api, DAG, "failing", "train")
    states = ended(api, DAG, "failing")
    assert states["run"] == "failed" and states["deploy"] == "upstream_failed"
    assert sagemaker.describe_endpoint(EndpointName="sentiment")["LastModifiedTime"] == before["LastModifiedTime"]
    after = len(sagemaker.list_model_packages(ModelPackageGroupName="sentiment")["ModelPackageSummaryList"])
    assert after == versions


@pytest.fixture(scope="module")
def approved(api: AirflowApi, rejected: Any) -> dict[str, Any]:
    """The version that a person has approved, though it need not be better."""
    api.trigger(DAG, "asked", {**STORED, "force": True, "require_approval": True})
    answer(api, DAG, "asked", "Approve")
    states = ended(api, DAG, "asked")
    assert (states["run"], states["approve"], states["reject"]) == ("success", "success", "skipped")
    return dict(api.xcom(DAG, "asked", "approve"))


def served(sagemaker: Any) -> str:
    """The version behind the endpoint."""
    config = sagemaker.describe_endpoint(EndpointName="sentiment")["EndpointConfigName"]
    (variant,) = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    return str(sagemaker.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"]["ModelPackageName"])


def test_what_a_person_approves_is_deployed_and_its_lineage_drawn(
    api: AirflowApi, approved: dict[str, Any], sagemaker: Any, stack: Stack
) -> None:
    assert served(sagemaker) == approved["arn"]
    traced = api.xcom(DAG, "asked", "lineage")
    (model,) = traced["models"]
    assert model["package"]["arn"] == approved["arn"]
    drawn = objects(stack, "reports/lineage/sentiment/")
    pictures = sorted(key.partition("/")[0] for key in drawn if key.endswith("/lineage.png"))
    assert len(pictures) == 2 and model["model"] in pictures, "one for each deployed model"


def test_an_endpoint_that_is_gone_gets_the_approved_version_again_without_a_training(
    api: AirflowApi, approved: dict[str, Any], sagemaker: Any
) -> None:
    sagemaker.delete_endpoint(EndpointName="sentiment")
    sagemaker.get_waiter("endpoint_deleted").wait(
        EndpointName="sentiment", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    api.trigger(DAG, "again", STORED)
    states = ended(api, DAG, "again")
    assert {states[task] for task in ("run", "redeploy", "model", "deploy", "smoke", "lineage")} == {"success"}
    assert {states[task] for task in ("features", "train", "judge", "register", "approve")} == {"skipped"}
    assert served(sagemaker) == approved["arn"]


def test_where_nothing_has_changed_nothing_is_trained(api: AirflowApi, approved: dict[str, Any]) -> None:
    api.trigger(DAG, "unchanged", STORED)
    states = ended(api, DAG, "unchanged")
    assert {states.pop(task) for task in ("run", "find_reviews", "look", "next_step")} == {"success"}
    assert set(states.values()) == {"skipped"}, states
    step = next(task for task in api.tasks(DAG, "unchanged") if task["task_id"] == "next_step")
    assert "NOTHING CHANGED" in api.log(DAG, "unchanged", step)


def test_openlineage_tells_what_each_task_has_read_and_written(approved: dict[str, Any], stack: Stack) -> None:
    lines = (stack.home / "openlineage.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    done = {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}

    def names(task: str, side: str) -> list[str]:
        return [f"{each['namespace']}/{each['name']}" for each in done[f"{DAG}.{task}"][side]]

    raw = "s3://sentiment-reviews/data/raw"
    assert raw in names("features", "inputs") and raw not in names("features", "outputs")
    assert any(name.endswith("/output/model.tar.gz") for name in names("train", "outputs"))
    account = "arn:aws:sagemaker:us-east-1:123456789012"
    assert any(name.startswith(f"{account}/model-package/sentiment/") for name in names("register", "outputs"))
    assert names("model", "outputs") == names("deploy", "inputs")
    assert names("deploy", "outputs") == names("smoke", "inputs") == [f"{account}/endpoint/sentiment"]
    assert {event["job"]["name"].partition(".")[0] for event in events} >= {"ingest_reviews", DAG}


def state_of(api: AirflowApi, run_id: str, task_id: str) -> str | None:
    return {task["task_id"]: task["state"] for task in api.tasks(DAG, run_id)}.get(task_id)
