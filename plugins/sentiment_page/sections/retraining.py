"""The last retrainings: versions of the model, training jobs, and executions of the pipeline."""

from __future__ import annotations

from itertools import islice
from typing import Any

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.base import error_code
from amazon_ml.parallel import mapped
from include.settings import settings
from include.tasks.registry import evaluation_uri, learnt_from_synthetic
from sentiment_page.aws import THREADS, Aws, NothingYet
from sentiment_page.charts import Axis, Dots, dots

#: versions, jobs and executions that are shown.
MOST = 8
#: DAG ids of the project, and so the names of their training jobs, have this in them.
PART = "sentiment"
#: what the DAG sagemaker_pipeline names its pipeline.
PIPELINE = f"{settings.endpoint_name}-pipeline"
STATUSES = {"Approved": "approved", "Rejected": "rejected", "PendingManualApproval": "undecided"}


def read(aws: Aws) -> dict[str, Any]:
    """Return the newest versions of the group with their verdicts, and the newest training jobs and executions."""
    packages = islice(aws.sagemaker.model_packages(settings.model_group), MOST)
    versions = list(mapped(lambda package: _version(aws, package), packages, THREADS))
    names = [job["TrainingJobName"] for job in islice(aws.sagemaker.training_jobs(PART), MOST)]
    if not versions and not names:
        raise NothingYet("Nothing was trained yet: run train_sentiment.")
    judged = [version for version in versions if version["accuracy"] is not None]
    return {
        "group": settings.model_group,
        "versions": versions,
        "jobs": list(mapped(lambda name: _job(aws.sagemaker.require("TrainingJob", name)), names, THREADS)),
        "executions": _executions(aws),
        "chart": _chart(judged) if judged else "",
    }


def _version(aws: Aws, package: dict[str, Any]) -> dict[str, Any]:
    properties = package.get("CustomerMetadataProperties", {})
    return {
        "version": package["ModelPackageVersion"],
        "created": package["CreationTime"],
        "status": STATUSES.get(package["ModelApprovalStatus"], package["ModelApprovalStatus"]),
        "why": package.get("ModelPackageDescription", ""),
        "accuracy": float(properties["accuracy"]) if "accuracy" in properties else _evaluated(aws, package),
        "tuned": properties.get("tuning-job", ""),
        "synthetic": learnt_from_synthetic(package),
    }


def _evaluated(aws: Aws, package: dict[str, Any]) -> float | None:
    """Return the accuracy in the evaluation that a version came with; None where it came with none."""
    uri = evaluation_uri(package)
    evaluation = aws.json(uri) if uri else None
    return float(evaluation["metrics"]["accuracy"]["value"]) if evaluation else None


def _job(job: dict[str, Any]) -> dict[str, Any]:
    metrics = {metric["MetricName"]: metric["Value"] for metric in job.get("FinalMetricDataList", [])}
    return {
        "name": job["TrainingJobName"],
        "status": job["TrainingJobStatus"],
        "created": job["CreationTime"],
        "seconds": job.get("TrainingTimeInSeconds"),
        "billable": job.get("BillableTimeInSeconds"),
        # The training script gives it in per cent.
        "accuracy": metrics["validation:accuracy"] / 100 if "validation:accuracy" in metrics else None,
        "reason": job.get("FailureReason", ""),
    }


def _executions(aws: Aws) -> list[dict[str, Any]]:
    """Return the newest executions of the pipeline; none where there is no pipeline."""
    try:
        return list(islice(aws.sagemaker.pipeline_executions(PIPELINE), MOST))
    except RequestRefused as error:
        if error_code(error.__cause__) == "ResourceNotFound":
            return []
        raise


def _chart(versions: list[dict[str, Any]]) -> Any:
    rows = [
        Dots(
            f"version {each['version']}, {each['status']}",
            f"{each['accuracy']:.1%}",
            [(each["status"], each["accuracy"])],
        )
        for each in versions
    ]
    ticks = [(step / 4, f"{step / 4:.0%}") for step in range(5)]
    said = "; ".join(f"{row.label} {row.text}" for row in rows)
    return dots("Accuracy of the versions on the test split of their time", said, rows, Axis(0, 1, ticks))
