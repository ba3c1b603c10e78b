"""Built-in algorithms: a training job without code, through the ordinary training operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from operator_kit import ROLE, Airflow, FakeTask
from test_job_requests import check

from amazon_ml.exceptions import JobFailed, RequestRefused
from amazon_ml.naming import job_name
from amazon_ml.operators.training import TrainingJobOperator
from amazon_ml.specs.algorithm import AlgorithmJobSpec

IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/blazingtext:1"
BUCKET = "algorithm-operator"
SPEC = AlgorithmJobSpec(image_uri=IMAGE, role_arn=ROLE, bucket=BUCKET, instance_type="ml.c5.xlarge")
PARAMETERS = {"mode": "supervised", "epochs": 5, "min_count": 1, "vector_dim": 8, "buckets": 100, "learning_rate": 0.5}


@pytest.fixture
def channel(aws: Any) -> str:
    aws("s3").create_bucket(Bucket=BUCKET)
    lines = "".join(
        f"__label__{label} {word} dress\n" for label, word in ((1, "great"), (0, "poor")) for _ in range(50)
    )
    aws("s3").put_object(Bucket=BUCKET, Key="train/train.txt", Body=lines)
    return f"s3://{BUCKET}/train/"


def blazingtext(ti: FakeTask, channel: str, **changes: Any) -> Callable[[], TrainingJobOperator]:
    settings = {
        "task_id": ti.task_id,
        "job": SPEC,
        "channels": {"train": channel, "validation": channel},
        "hyperparameters": PARAMETERS,
        "checkpoints": False,
        **changes,
    }
    return lambda: TrainingJobOperator(**settings)


def test_the_request_has_hyperparameters_and_channels_and_no_trace_of_a_script() -> None:
    request = SPEC.to_request(
        name="a-job",
        dag_id="a_dag",
        code_uri=SPEC.code_uri(SPEC.source()),
        region="us-east-1",
        channels={"train": "s3://data/train/"},
        hyperparameters={"mode": "supervised", "epochs": 5, "early_stopping": "True"},
        metric_regexes={},
    )
    check("CreateTrainingJob", request)
    assert request["HyperParameters"] == {"mode": "supervised", "epochs": "5", "early_stopping": "True"}
    assert request["AlgorithmSpecification"] == {"TrainingImage": IMAGE, "TrainingInputMode": "File"}
    assert SPEC.uploads(SPEC.source()) == {}


def test_a_job_trains_hands_on_its_model_and_aws_s_metrics_and_runs_once(
    aws: Any, airflow: Airflow, ti: FakeTask, channel: str
) -> None:
    xcom = airflow.run(blazingtext(ti, channel), ti)
    assert set(xcom["metrics"]) == {"train:accuracy", "validation:accuracy"}
    assert xcom["metrics"]["train:accuracy"] > 0.9
    assert xcom["model_data"] == f"s3://{BUCKET}/jobs/{ti.dag_id}/{xcom['name']}/output/model.tar.gz"
    assert ti.pushed == {"model_data": xcom["model_data"]}
    assert airflow.run(blazingtext(ti, channel), ti.next_try()) == xcom
    other = airflow.run(blazingtext(ti, channel, hyperparameters={**PARAMETERS, "epochs": 6}), ti.next_try())
    assert other["name"] == f"{xcom['name']}-2"


def test_a_hyperparameter_out_of_range_is_the_job_s_failure(
    aws: Any, airflow: Airflow, ti: FakeTask, channel: str
) -> None:
    with pytest.raises(JobFailed, match="epochs is '0': it must be a positive integer"):
        airflow.run(blazingtext(ti, channel, hyperparameters={**PARAMETERS, "epochs": 0}), ti)


def test_a_metric_of_one_s_own_is_refused_before_anything_starts(
    aws: Any, airflow: Airflow, ti: FakeTask, channel: str
) -> None:
    with pytest.raises(RequestRefused, match="a built-in algorithm has its own metrics: acc"):
        airflow.run(blazingtext(ti, channel, metric_regexes={"acc": "(.*)"}), ti)
    name = job_name(ti.dag_id, ti.task_id, ti.map_index, ti.run_id)
    assert aws("sagemaker").list_training_jobs(NameContains=name)["TrainingJobSummaries"] == []
