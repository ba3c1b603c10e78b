"""A task that was deferred by the version before continues with this one: trigger, event, method."""

from __future__ import annotations

import importlib
import inspect
import json
from typing import Any

import pytest
from airflow.models.trigger import Trigger
from airflow.providers.common.compat.sdk import AirflowException
from airflow.serialization.decoders import smart_decode_trigger_kwargs
from operator_kit import BUCKET, IMAGE, ROLE, FakeTask

from amazon_ml.exceptions import DeadlineExceeded, JobFailed
from amazon_ml.hooks.sagemaker import SageMakerJobHook
from amazon_ml.operators.endpoint import DeleteEndpointOperator, EndpointOperator
from amazon_ml.operators.endpoint_weights import EndpointWeightsOperator
from amazon_ml.operators.feature_group import FeatureGroupOperator
from amazon_ml.operators.flow_definition import FlowDefinitionOperator
from amazon_ml.operators.human_loops import HumanLoopsOperator
from amazon_ml.operators.pipeline_execution import PipelineExecutionOperator
from amazon_ml.operators.training import TrainingJobOperator
from amazon_ml.operators.workforce import WorkforceOperator
from amazon_ml.specs.job import TrainingJobSpec

#: as that version has stored them: class path and arguments.
TRIGGERS: list[tuple[str, dict[str, Any]]] = [
    (
        "amazon_ml.triggers.sagemaker_job.SageMakerJobTrigger",
        {
            "waiter": "training_job_finished",
            "name": "reviews-train-0123456789ab",
            "deadline": 1796000000.5,
            "aws_conn_id": "aws_default",
            "region_name": None,
            "verify": None,
            "botocore_config": None,
        },
    ),
    (
        "amazon_ml.triggers.sagemaker_job.SageMakerJobTrigger",
        {
            "waiter": "endpoint_settled",
            "name": "sentiment",
            "deadline": 1796000000.5,
            "aws_conn_id": "aws_other",
            "region_name": "eu-west-1",
            "verify": False,
            "botocore_config": {"read_timeout": 10},
        },
    ),
    (
        "amazon_ml.triggers.human_loops.HumanLoopsTrigger",
        {
            "waiter": "human_loop_ended",
            "name": "s3://bucket/loops.jsonl",
            "deadline": 1796000000.5,
            "aws_conn_id": "aws_default",
            "region_name": None,
            "verify": None,
            "botocore_config": None,
        },
    ),
]
#: with which method, and which arguments beside context and event, that version resumes.
RESUMED: list[tuple[type, str, dict[str, Any]]] = [
    (TrainingJobOperator, "execute_complete", {}),
    (TrainingJobOperator, "execute_again", {}),
    (TrainingJobOperator, "execute_with_capacity", {}),
    (PipelineExecutionOperator, "execute_complete", {}),
    (PipelineExecutionOperator, "execute_again", {}),
    (EndpointOperator, "execute_complete", {"acted": True}),
    (DeleteEndpointOperator, "execute_again", {}),
    (DeleteEndpointOperator, "execute_complete", {"config": "c"}),
    (EndpointWeightsOperator, "execute_again", {}),
    (EndpointWeightsOperator, "execute_complete", {"before": {"a": 1.0}}),
    (FeatureGroupOperator, "execute_again", {}),
    (FeatureGroupOperator, "execute_complete", {}),
    (FlowDefinitionOperator, "execute_complete", {"acted": False}),
    (WorkforceOperator, "execute_complete", {}),
    (HumanLoopsOperator, "execute_complete", {}),
]


def old_event(outcome: str, status: str = "InProgress", message: str = "") -> dict[str, str]:
    return {"outcome": outcome, "name": "job-1", "status": status, "message": message}


def train() -> TrainingJobOperator:
    spec = TrainingJobSpec(
        image_uri=IMAGE,
        role_arn=ROLE,
        bucket=BUCKET,
        source_dir="/nowhere",
        entry_point="main.py",
        instance_type="ml.m5.large",
    )
    return TrainingJobOperator(task_id="train", job=spec)


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the jobs that were stopped; the job of every name has completed."""
    names: list[str] = []
    completed = {
        "TrainingJobName": "job-1",
        "TrainingJobArn": "arn",
        "TrainingJobStatus": "Completed",
        "ModelArtifacts": {"S3ModelArtifacts": "s3://b/model.tar.gz"},
    }
    monkeypatch.setattr(SageMakerJobHook, "describe", lambda *_: completed)
    monkeypatch.setattr(SageMakerJobHook, "stop", lambda _, kind, name: names.append(name))
    monkeypatch.setattr(TrainingJobOperator, "note_console", lambda *_: None)
    return names


@pytest.mark.parametrize(("path", "arguments"), TRIGGERS)
def test_a_trigger_of_the_version_before_is_loaded_as_it_was(path: str, arguments: dict[str, Any]) -> None:
    row = Trigger(classpath=path, kwargs=json.loads(json.dumps(arguments)))
    module, _, name = row.classpath.rpartition(".")
    decoded = {key: smart_decode_trigger_kwargs(value) for key, value in row.kwargs.items()}
    trigger = getattr(importlib.import_module(module), name)(**decoded)
    assert trigger.serialize() == (path, arguments)


@pytest.mark.parametrize(("operator", "method", "arguments"), RESUMED)
def test_a_task_resumes_with_the_method_of_the_version_before(
    operator: type, method: str, arguments: dict[str, Any]
) -> None:
    inspect.signature(getattr(operator, method)).bind(None, context={}, event={}, **arguments)


def test_the_old_event_of_a_job_that_completed_gives_its_result(stopped: list[str]) -> None:
    result = train().execute_complete({"ti": FakeTask()}, old_event("success", "Completed"))
    assert (result["status"], result["model_data"]) == ("Completed", "s3://b/model.tar.gz")
    assert stopped == []


def test_the_old_event_of_a_deadline_stops_the_job(stopped: list[str]) -> None:
    with pytest.raises(DeadlineExceeded, match="TrainingJob job-1 was still InProgress"):
        train().execute_complete({"ti": FakeTask()}, old_event("deadline"))
    assert stopped == ["job-1"]


def test_the_old_event_of_an_error_says_what_aws_said(stopped: list[str]) -> None:
    with pytest.raises(JobFailed, match="TrainingJob job-1: its status could not be read: not for you"):
        train().execute_complete({"ti": FakeTask()}, old_event("error", message="not for you"))


def test_the_old_event_of_a_failed_delete_names_the_endpoints_status() -> None:
    delete = DeleteEndpointOperator(task_id="delete", endpoint_name="e")
    with pytest.raises(JobFailed, match="could not be deleted and is InService"):
        delete.execute_complete({"ti": FakeTask()}, old_event("failure", "InService"), config="c")


def test_a_task_that_is_resumed_without_an_event_fails(stopped: list[str]) -> None:
    with pytest.raises(AirflowException, match="event is None"):
        train().execute_complete({"ti": FakeTask()}, None)
