"""The operators as a DAG file and Airflow's serialisation see them."""

from __future__ import annotations

import importlib
import pkgutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.sdk import DAG, BaseOperator, task
from airflow.serialization.serialized_objects import DagSerialization
from operator_kit import BUCKET, IMAGE, ROLE

from amazon_ml.hooks.sagemaker import SageMakerJobHook
from amazon_ml.operators.endpoint import DeleteEndpointOperator, EndpointOperator, InvokeEndpointOperator
from amazon_ml.operators.model import ModelOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from amazon_ml.operators.training import TrainingJobOperator
from amazon_ml.specs.job import ProcessingJobSpec, TrainingJobSpec

COMMON: dict[str, Any] = {
    "image_uri": IMAGE,
    "role_arn": ROLE,
    "bucket": BUCKET,
    "source_dir": "/nowhere",
    "entry_point": "main.py",
    "instance_type": "ml.m5.large",
}


@pytest.fixture
def dag() -> DAG:
    with DAG(dag_id="chain", schedule=None) as made:
        features = ProcessingJobOperator(
            task_id="features",
            job=ProcessingJobSpec(**COMMON),
            inputs={"raw": "s3://b/raw/"},
            outputs=["train", "report"],
            result="report/report.json",
        )
        train = TrainingJobOperator(
            task_id="train",
            job=TrainingJobSpec(**COMMON),
            channels={"train": features.outputs["train"], "sub": f"{features.outputs['train']}part/"},  # type: ignore[dict-item]
            hyperparameters={"epochs": "{{ params.epochs }}"},
            execution_timeout=timedelta(hours=1),
        )
        model = ModelOperator(task_id="model", image_uri=IMAGE, role_arn=ROLE, model_data=train.model_data)
        deploy = EndpointOperator(
            task_id="deploy", endpoint_name="e", model_name=model.model_name, instance_type="ml.m5.large"
        )
        InvokeEndpointOperator(task_id="smoke", endpoint_name="e", records=["a"])
        DeleteEndpointOperator(task_id="delete", endpoint_name="e")

        @task
        def gate(report: dict[str, Any]) -> None:
            """Takes the result of a job as an argument."""

        gate(features.result)  # type: ignore[arg-type]
        assert deploy.deferrable
    return made


def test_outputs_carry_the_dependency(dag: DAG) -> None:
    upstream = {name: made.upstream_task_ids for name, made in dag.task_dict.items()}
    assert upstream["train"] == {"features"}
    assert upstream["model"] == {"train"}
    assert upstream["deploy"] == {"model"}
    assert upstream["gate"] == {"features"}


def test_an_output_can_be_part_of_a_longer_text(dag: DAG) -> None:
    channel = dag.task_dict["train"].channels["sub"]  # type: ignore[union-attr]
    assert channel.startswith("{{ task_instance.xcom_pull(task_ids='features'")
    assert channel.endswith("key='output_train') }}part/")


def test_the_dag_survives_airflows_serialisation(dag: DAG) -> None:
    restored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert set(restored.task_dict) == set(dag.task_dict)
    for name in ("features", "train", "deploy"):
        (link,) = restored.task_dict[name].operator_extra_links
        assert (link.name, link.xcom_key) == ("SageMaker console", "_link_SageMakerConsoleLink")


def test_every_template_field_is_an_attribute(dag: DAG) -> None:
    for made in dag.tasks:
        for name in made.template_fields:
            assert hasattr(made, name), f"{made.task_type}.{name}"


def test_every_operator_is_one_of_the_amazon_providers() -> None:
    package = importlib.import_module("amazon_ml.operators")
    modules = [
        importlib.import_module(f"amazon_ml.operators.{each.name}") for each in pkgutil.iter_modules(package.__path__)
    ]
    found = {
        made
        for module in modules
        for name, made in vars(module).items()
        if name.endswith("Operator") and issubclass(made, BaseOperator) and made.__module__ == module.__name__
    }
    assert len(found) > 25
    for made in found:
        assert issubclass(made, AwsBaseOperator), made
        assert issubclass(made.aws_hook_class, AwsGenericHook), made
        assert set(aws_template_fields()) <= set(made.template_fields), made


def test_the_hook_has_the_operators_connection() -> None:
    made = DeleteEndpointOperator(
        task_id="delete",
        endpoint_name="e",
        aws_conn_id="aws_other",
        region_name="eu-west-1",
        verify="/ca.pem",
        botocore_config={"read_timeout": 7},
    )
    hook = made.hook
    assert isinstance(hook, SageMakerJobHook)
    assert (hook.aws_conn_id, hook._region_name, hook._verify) == ("aws_other", "eu-west-1", "/ca.pem")
    config: Any = hook._config
    assert config.read_timeout == 7


def test_a_job_can_be_mapped() -> None:
    with DAG(dag_id="mapped", schedule=None) as made:
        TrainingJobOperator.partial(task_id="train", job=TrainingJobSpec(**COMMON)).expand(
            hyperparameters=[{"seed": 1}, {"seed": 2}]
        )
    restored = DagSerialization.from_dict(DagSerialization.to_dict(made))
    assert restored.task_dict["train"].is_mapped


def test_asking_for_an_output_or_result_that_is_not_declared_is_an_error_of_the_dag_file(dag: DAG) -> None:
    features = dag.task_dict["features"]
    with pytest.raises(KeyError):
        features.outputs["test"]  # type: ignore[union-attr]
    bare = ProcessingJobOperator(task_id="bare", job=ProcessingJobSpec(**COMMON))
    with pytest.raises(ValueError, match="has no result"):
        _ = bare.result


def test_airflow_loads_the_plugins_and_only_the_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from airflow._shared.plugins_manager.plugins_manager import _load_plugins_from_plugin_directory

    monkeypatch.delitem(sys.modules, "jobs", raising=False)
    folder = Path(__file__).parents[2] / "plugins"
    plugins, errors = _load_plugins_from_plugin_directory(str(folder))
    assert errors == {}
    assert sorted(str(plugin.name) for plugin in plugins) == ["amazon_ml", "sentiment_page"]
    # Not imported a second time, by its bare name.
    assert "jobs" not in sys.modules
