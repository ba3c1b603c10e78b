"""`train_sentiment` after its first model, by a real scheduler: backfills, champions, people, and what goes wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from runs_kit import STORED, Started, ended, objects

from stack.airflow_api import AirflowApi
from stack.layout import Stack

pytestmark = pytest.mark.e2e

DAG = "train_sentiment"


@pytest.fixture(scope="module")
def failed(api: AirflowApi, started: Started) -> dict[str, str]:
    """How the run has ended whose base model has no weights."""
    return ended(api, DAG, "failing")


@pytest.fixture(scope="module")
def rejected(api: AirflowApi, started: Started, failed: Any) -> list[dict[str, str]]:
    """How the runs of the backfill have ended."""
    return [ended(api, DAG, run_id) for run_id in started.backfill]


@pytest.fixture(scope="module")
def untouched(rejected: Any, sagemaker: Any) -> Any:
    """The endpoint after all that, and before anything is approved."""
    return sagemaker.describe_endpoint(EndpointName="sentiment")


def test_three_intervals_at_once_train_and_are_rejected_below_the_gate(
    api: AirflowApi, started: Started, rejected: list[dict[str, str]], sagemaker: Any
) -> None:
    arns, jobs = set(), set()
    for run_id, states in zip(started.backfill, rejected, strict=True):
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


def test_the_champion_is_judged_again_and_does_as_well_as_when_it_was_the_challenger(
    api: AirflowApi, champion: dict[str, Any], started: Started, rejected: Any, sagemaker: Any
) -> None:
    package = sagemaker.describe_model_package(ModelPackageName=champion["arn"])
    for run_id in started.backfill:
        verdict = api.xcom(DAG, run_id, "judge")
        assert verdict["champion_accuracy"] == float(package["CustomerMetadataProperties"]["accuracy"])
        assert verdict["synthetic"] == verdict["champion_synthetic"]
        assert str(verdict["synthetic"]) == package["CustomerMetadataProperties"]["synthetic"]


def test_a_training_that_fails_ends_the_run_and_leaves_no_version(
    failed: dict[str, str], rejected: Any, sagemaker: Any, api: AirflowApi
) -> None:
    assert failed["run"] == failed["train"] == "failed"
    assert {failed[task] for task in ("features", "check_store")} == {"success"}
    assert {failed[task] for task in ("register", "deploy")} == {"upstream_failed"}
    found = sagemaker.list_model_packages(ModelPackageGroupName="sentiment")["ModelPackageSummaryList"]
    # The champion, one for each interval, and what the demo's people have set off.
    registered = [api.xcom(DAG, run_id, "register") for run_id in api.successful_runs(DAG)]
    known = sorted(version["arn"] for version in registered if version)
    assert len(known) >= 4
    assert sorted(package["ModelPackageArn"] for package in found) == known


def test_what_is_rejected_or_failed_does_not_touch_the_endpoint(started: Started, failed: Any, untouched: Any) -> None:
    for member in ("EndpointConfigName", "LastModifiedTime"):
        assert untouched[member] == started.endpoint[member]


def served(sagemaker: Any) -> str:
    """The version behind the endpoint."""
    config = sagemaker.describe_endpoint(EndpointName="sentiment")["EndpointConfigName"]
    (variant,) = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    return str(sagemaker.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"]["ModelPackageName"])


@pytest.fixture(scope="module")
def redeployed(api: AirflowApi, untouched: Any, sagemaker: Any) -> dict[str, str]:
    """How a run has ended that finds nothing changed, and the endpoint gone."""
    sagemaker.delete_endpoint(EndpointName="sentiment")
    sagemaker.get_waiter("endpoint_deleted").wait(
        EndpointName="sentiment", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    api.trigger(DAG, "again", STORED)
    return ended(api, DAG, "again")


def test_an_endpoint_that_is_gone_gets_the_approved_version_again_without_a_training(
    champion: dict[str, Any], redeployed: dict[str, str], sagemaker: Any
) -> None:
    deployed = ("run", "redeploy", "latest_approved", "model", "deploy", "smoke", "lineage", "lineage_graph")
    assert {redeployed[task] for task in deployed} == {"success"}
    assert {redeployed[task] for task in ("features", "train", "judge", "register", "approve")} == {"skipped"}
    assert served(sagemaker) == champion["arn"]


def test_the_lineage_is_drawn_for_each_deployed_model(
    api: AirflowApi, champion: dict[str, Any], redeployed: Any, stack: Stack
) -> None:
    (model,) = api.xcom(DAG, "again", "lineage")["models"]
    assert model["package"]["arn"] == champion["arn"] and model["training_job"] and model["data"]
    drawn = objects(stack, "reports/lineage/sentiment/")
    pictures = {key.partition("/")[0] for key in drawn if key.endswith("/lineage.png")}
    assert len(pictures) == 2 and model["model"] in pictures


def test_where_nothing_has_changed_nothing_is_trained(api: AirflowApi, redeployed: Any) -> None:
    api.trigger(DAG, "unchanged", STORED)
    states = ended(api, DAG, "unchanged")
    assert {states.pop(task) for task in ("run", "find_reviews", "look", "next_step")} == {"success"}
    assert set(states.values()) == {"skipped"}, states
    step = next(task for task in api.tasks(DAG, "unchanged") if task["task_id"] == "next_step")
    assert "NOTHING CHANGED" in api.log(DAG, "unchanged", step)


def test_a_run_that_asks_for_it_serves_the_champions_twin(
    api: AirflowApi, champion: dict[str, Any], redeployed: Any, sagemaker: Any
) -> None:
    api.trigger(DAG, "twin", {**STORED, "serve": "onnx-int8"})
    states = ended(api, DAG, "twin")
    deployed = ("run", "redeploy", "serve", "compile", "register_twin", "served", "deploy", "smoke", "lineage_graph")
    assert {states[task] for task in deployed} == {"success"}, states
    twin = sagemaker.describe_model_package(ModelPackageName=served(sagemaker))
    assert twin["ModelPackageGroupName"] == "sentiment-int8"
    assert twin["CustomerMetadataProperties"]["twin_of"] == champion["arn"]
    report = api.xcom(DAG, "twin", "compile")["result"]
    assert report["original"]["accuracy"] - report["compiled"]["accuracy"] <= 0.006
    (traced,) = api.xcom(DAG, "twin", "lineage")["models"]
    assert traced["training_job"] and traced["data"]


def test_openlineage_tells_what_each_task_has_read_and_written(redeployed: Any, stack: Stack) -> None:
    lines = (stack.home / "openlineage.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    done = {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}

    def names(task: str, side: str) -> list[str]:
        return [f"{each['namespace']}/{each['name']}" for each in done[f"{DAG}.{task}"][side]]

    reviews = "s3://sentiment-reviews/data/reviews"
    assert reviews in names("features", "inputs") and reviews not in names("features", "outputs")
    assert any(name.endswith("/output/model.tar.gz") for name in names("train", "outputs"))
    account = "arn:aws:sagemaker:us-east-1:123456789012"
    assert any(name.startswith(f"{account}/model-package/sentiment/") for name in names("register", "outputs"))
    assert names("model", "outputs") == names("deploy", "inputs")
    assert names("deploy", "outputs") == names("smoke", "inputs") == [f"{account}/endpoint/sentiment"]
    assert {event["job"]["name"].partition(".")[0] for event in events} >= {"ingest_reviews", DAG}
