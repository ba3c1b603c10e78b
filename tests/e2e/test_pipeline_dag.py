"""`sagemaker_pipeline` by a real scheduler, on the 600 reviews of the session's stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from runs_kit import LONG, TINY, Started, answer, ended, objects

from stack.airflow_api import AirflowApi
from stack.layout import Stack

pytestmark = pytest.mark.e2e

DAG = "sagemaker_pipeline"
NAME = "sentiment-pipeline"


@pytest.fixture(scope="module")
def ran(api: AirflowApi, started: Started) -> dict[str, Any]:
    """The first run, whose model is approved by nobody and deployed; what `execute` found."""
    states = ended(api, DAG, "first")
    assert {states.pop(task) for task in ("ask", "reject")} == {"skipped"}
    assert set(states.values()) == {"success"}, states
    return dict(api.xcom(DAG, "first", "execute"))


def test_sagemaker_runs_the_steps_with_the_parameters_of_the_run(ran: dict[str, Any], sagemaker: Any) -> None:
    assert {name: step["status"] for name, step in ran["steps"].items()} == dict.fromkeys(
        ["Processing", "Train", "EvaluateModel", "AccuracyCondition", "RegisterModel", "CreateModel"], "Succeeded"
    )
    job = sagemaker.describe_training_job(TrainingJobName=ran["steps"]["Train"]["arn"].rpartition("/")[2])
    given = job["HyperParameters"]
    assert (given["max_epoch_rows"], float(given["learning_rate"]), given["epochs"]) == ("128", 2e-4, "1")


def test_the_approved_version_is_deployed_and_its_endpoint_goes(
    ran: dict[str, Any], api: AirflowApi, sagemaker: Any, stack: Stack, left: Callable[[str], list[str]]
) -> None:
    approved = api.xcom(DAG, "first", "approve")
    assert (approved["group"], approved["status"]) == (NAME, "Approved")
    assert approved["arn"] == ran["steps"]["RegisterModel"]["arn"]
    package = sagemaker.describe_model_package(ModelPackageName=approved["arn"])
    assert package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].endswith("/report/evaluation.json")
    origin = api.xcom(DAG, "first", "find_reviews")
    assert package["CustomerMetadataProperties"]["synthetic"] == str(origin["synthetic"])
    smoke = api.xcom(DAG, "first", "smoke")
    assert [prediction["predicted_label"] in (-1, 0, 1) for prediction in smoke["predictions"]] == [True] * 3
    model = api.xcom(DAG, "first", "model", "model_name")
    assert left(NAME) == left(model) == []
    drawn = objects(stack, f"reports/lineage/{NAME}/")
    assert drawn[f"{model}/lineage.png"].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("option", "status", "then"),
    [pytest.param("Reject", "Rejected", "skipped", marks=LONG), ("Approve", "Approved", "success")],
)
def test_the_version_of_a_run_that_asks_is_deployed_only_if_a_person_approves_it(
    ran: dict[str, Any], api: AirflowApi, sagemaker: Any, option: str, status: str, then: str
) -> None:
    run_id = f"asked-{option}"
    api.trigger(DAG, run_id, {**TINY, "require_approval": True})
    answer(api, DAG, run_id, option)
    states = ended(api, DAG, run_id)
    assert states["run"] == "success"
    assert {states[task] for task in ("approve", "latest_approved", "deploy", "smoke")} == {then}
    assert states["reject"] == {"success": "skipped", "skipped": "success"}[then]
    steps = api.xcom(DAG, run_id, "execute")["steps"]
    cached = [step for step, entry in steps.items() if entry["cached"]]
    assert cached == ["Processing", "Train", "EvaluateModel"], "nothing had changed"
    package = sagemaker.describe_model_package(ModelPackageName=steps["RegisterModel"]["arn"])
    assert package["ModelApprovalStatus"] == status


def test_below_the_gate_the_run_fails_at_once_and_says_why(ran: dict[str, Any], api: AirflowApi) -> None:
    api.trigger(DAG, "below", {**TINY, "min_accuracy": 1.0})
    states = ended(api, DAG, "below")
    assert (states["run"], states["execute"]) == ("failed", "failed")
    (execute,) = [task for task in api.tasks(DAG, "below") if task["task_id"] == "execute"]
    assert execute["try_number"] == 1
    log = api.log(DAG, "below", execute)
    assert "step BelowAccuracy: NOT REGISTERED: the test accuracy is below 1.0" in log
    assert "step EvaluateModel: Succeeded, from the cache" in log
