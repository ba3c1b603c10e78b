"""The judgement of a model through its endpoint, the same for every DAG that has one: one task of the kind."""

from __future__ import annotations

from typing import Any

from amazon_ml.operators.processing import ProcessingJobOperator
from include import paths
from include.settings import settings
from include.tasks.find_reviews import SYNTHETIC

#: what a deployed model is asked first: one of each sentiment.
SMOKE_REVIEWS = ["I love this product!", "OK, but not great.", "This is not the right product."]


def evaluate(task_id: str, model_data: Any, test: Any) -> ProcessingJobOperator:
    """
    Return the task that judges a model archive by the test split, as an endpoint would serve it.

    :param model_data: S3 URI of ``model.tar.gz``.
    :param test: S3 URI of the features job's test split.
    """
    return ProcessingJobOperator(
        task_id=task_id,
        job=settings.processing_job("evaluate"),
        inputs={"model": model_data, "test": test},
        outputs=["report"],
        arguments={"synthetic": SYNTHETIC},
        result="report/evaluation.json",
    )


def evaluate_endpoint(
    *,
    task_id: str,
    endpoint: Any,
    protocol: str,
    model: Any,
    kind: Any,
    test: Any,
    model_name: Any,
    model_data: Any,
    synthetic: str,
    training_seconds: Any = "{{ ti.xcom_pull(task_ids='train')['billable_seconds'] }}",
    report: Any = None,
    **kwargs: Any,
) -> ProcessingJobOperator:
    """
    Return the task that asks an endpoint about the whole test split and writes what its model is worth.

    Any of these may be a template or an XComArg.

    :param protocol: "blazingtext", "csv" or "jsonlines".
    :param model: its name on the leader board, and that of its folder.
    :param kind: what it is, in a few words.
    :param test: S3 URI of the features job's test split.
    :param model_name: SageMaker's model behind the endpoint: another model is another computation.
    :param model_data: S3 URI or URIs of its archives, for its size.
    :param synthetic: whether the reviews are made up.
    :param training_seconds: how long the training took; default that of the DAG's task ``train``.
    :param report: S3 prefix of the report; default the model's folder in ``paths.EVALUATIONS``.
    """
    return ProcessingJobOperator(
        task_id=task_id,
        job=settings.processing_job("evaluate_endpoint"),
        inputs={"test": test},
        outputs={"report": report or f"{paths.EVALUATIONS}/{model}/"},
        arguments={
            "endpoint-name": endpoint,
            "protocol": protocol,
            "model": model,
            "kind": kind,
            "model-name": model_name,
            "model-data": model_data,
            "training-seconds": training_seconds,
            "region": settings.region,
            "synthetic": synthetic,
        },
        result="report/evaluation.json",
        **kwargs,
    )
