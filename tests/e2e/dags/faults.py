"""
### One job, for tests of what breaks

The same training job twice: waited for by the triggerer, and by the task's own process. It ends when the file `go`
is there.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, Param

from amazon_ml.operators.training import TrainingJobOperator
from amazon_ml.specs.job import TrainingJobSpec

JOB = TrainingJobSpec(
    image_uri="763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.6.0-cpu-py312-ubuntu22.04-sagemaker",
    role_arn="arn:aws:iam::123456789012:role/jobs",
    bucket="faults",
    source_dir=str(Path(__file__).resolve().parent / "faults_job"),
    entry_point="main.py",
    instance_type="ml.m5.large",
    max_runtime=600,
)

for dag_id, deferrable in {"faults_deferred": True, "faults_polling": False}.items():
    with DAG(
        dag_id=dag_id,
        schedule=None,
        doc_md=__doc__,
        params={"go": Param("", type="string", title="The job ends when this file is there")},
        default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
    ):
        TrainingJobOperator(
            task_id="train",
            job=JOB,
            hyperparameters={"go": "{{ params.go }}"},
            checkpoints=False,
            deferrable=deferrable,
        )
