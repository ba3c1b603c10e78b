"""`tune_sentiment` by a real scheduler, on the 600 reviews of the session's stack."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from runs_kit import LONG, ended, objects

from stack.airflow_api import AirflowApi
from stack.layout import Stack

pytestmark = pytest.mark.e2e

DAG = "tune_sentiment"
#: approved whatever the champion is worth: on so few reviews better by chance is all that there is.
TINY = {"max_jobs": 2, "max_epoch_rows": 128, "min_accuracy": 0.1, "force": True}


@pytest.fixture(scope="module")
def tuned(api: AirflowApi, champion: dict[str, Any]) -> dict[str, Any]:
    """What the first run's task `tune` has found."""
    api.trigger(DAG, "cold", TINY)
    states = ended(api, DAG, "cold")
    assert {states.pop(task) for task in ("ask", "reject")} == {"skipped"}
    assert set(states.values()) == {"success"}, states
    return dict(api.xcom(DAG, "cold", "tune"))


def test_the_trials_are_a_table_and_a_chart(api: AirflowApi, tuned: dict[str, Any], stack: Stack) -> None:
    assert len(tuned["training_jobs"]) == 2
    for trial in tuned["training_jobs"]:
        assert trial["hyperparameters"].keys() == {"learning_rate", "train_batch_size"}
        assert 5e-5 <= float(trial["hyperparameters"]["learning_rate"]) <= 3e-4
        assert trial["hyperparameters"]["train_batch_size"] in ("16", "32", "64")
    written = objects(stack, f"reports/tuning/{tuned['name']}/")
    assert written.keys() == {"trials.csv", "trials.json", "trials.md", "trials.png"}
    rows = json.loads(written["trials.json"])["trials"]
    assert [(row["name"], row["value"]) for row in rows] == [
        (trial["name"], trial["value"]) for trial in tuned["training_jobs"]
    ]
    assert len(list(csv.DictReader(io.StringIO(written["trials.csv"].decode())))) == 2
    assert written["trials.png"].startswith(b"\x89PNG")
    show = next(task for task in api.tasks(DAG, "cold") if task["task_id"] == "show_trials")
    assert tuned["best"]["name"] in api.log(DAG, "cold", show)


def test_the_best_is_judged_against_the_champion_and_becomes_the_approved_version(
    api: AirflowApi, tuned: dict[str, Any], champion: dict[str, Any], sagemaker: Any
) -> None:
    verdict = api.xcom(DAG, "cold", "judge")
    package = sagemaker.describe_model_package(ModelPackageName=champion["arn"])
    assert verdict["champion_accuracy"] == float(package["CustomerMetadataProperties"]["accuracy"])
    assert verdict["replace"] and verdict["reason"].startswith("forced; test accuracy")
    package = sagemaker.describe_model_package(ModelPackageName=api.xcom(DAG, "cold", "approve")["arn"])
    assert package["ModelApprovalStatus"] == "Approved"
    properties = package["CustomerMetadataProperties"]
    assert properties["tuning-job"] == tuned["name"]
    assert {name: properties[name] for name in ("learning_rate", "train_batch_size")} == tuned["best"][
        "hyperparameters"
    ]
    assert package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == tuned["model_data"]


@LONG
def test_the_next_run_starts_from_it_and_a_rejected_best_leaves_the_version_approved(
    api: AirflowApi, tuned: dict[str, Any], sagemaker: Any
) -> None:
    warm = {"warm_start": "IdenticalDataAndAlgorithm", "max_jobs": 1, "max_epoch_rows": 128, "min_accuracy": 1.0}
    api.trigger(DAG, "warm", warm)
    states = ended(api, DAG, "warm")
    assert states["run"] == "success" and states["approve"] == "skipped"
    name = api.xcom(DAG, "warm", "tune")["name"]
    job = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    assert job["WarmStartConfig"] == {
        "WarmStartType": "IdenticalDataAndAlgorithm",
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": tuned["name"]}],
    }
    assert job["OverallBestTrainingJob"]["TuningJobName"] in (tuned["name"], name)
    version = sagemaker.describe_model_package(ModelPackageName=api.xcom(DAG, "warm", "register")["arn"])
    assert version["ModelApprovalStatus"] == "Rejected"
    assert "below min_accuracy" in version["ModelPackageDescription"]
