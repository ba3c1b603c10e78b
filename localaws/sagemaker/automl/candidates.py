"""The candidates of an AutoML job, as AWS shows them, from their training jobs."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.statuses import TERMINAL
from localaws.images.autopilot import output
from localaws.images.autopilot.objectives import LOGGED
from localaws.sagemaker.automl import children

Record = dict[str, Any]

_TRAINING = "AWS::SageMaker::TrainingJob"
_PROCESSING = "AWS::SageMaker::ProcessingJob"


def of(record: Record, ctx: Context) -> list[Record]:
    """Return all candidates whose training was started, in that order: those that ended as they were then."""
    found = []
    for kind in children.kinds(record):
        ended = record["_Candidates"].get(kind.name)
        job = None if ended else children.training_job(record, kind, ctx)
        if ended or job:
            found.append(ended or candidate(record, job or {}, ctx))
    return found


def candidate(record: Record, job: Record, ctx: Context) -> Record:
    """
    Describe a candidate.

    :param job: its training job as Describe returns it.
    """
    status = job["TrainingJobStatus"]
    found: Record = {
        "CandidateName": job["TrainingJobName"],
        "CandidateStatus": status,
        "ObjectiveStatus": "Pending" if status not in TERMINAL else "Failed",
        "CandidateSteps": _steps(record, job, ctx),
        "CreationTime": job["CreationTime"],
        "LastModifiedTime": job["LastModifiedTime"],
        "EndTime": job.get("TrainingEndTime"),
        "FailureReason": _reason(job),
    }
    if status == "Completed":
        found |= _result(record, job, ctx)
    return {key: value for key, value in found.items() if value is not None}


def value(found: Record) -> float | None:
    """Return a candidate's objective, or ``None`` if it has none."""
    metric = found.get("FinalAutoMLJobObjectiveMetric")
    return None if metric is None else float(metric["Value"])


def best(found: list[Record]) -> Record | None:
    """Return the best candidate; of equal ones, the cheaper."""
    scored = [entry for entry in found if value(entry) is not None]
    return max(scored, key=lambda entry: value(entry) or 0.0) if scored else None


def failures(found: list[Record]) -> list[Record]:
    """PartialFailureReasons: of the candidates that came to nothing."""
    return [
        {"PartialFailureMessage": f"{entry['CandidateName']}: {entry['FailureReason']}"[:1024]}
        for entry in found
        if "FailureReason" in entry
    ]


def _result(record: Record, job: Record, ctx: Context) -> Record:
    """Return the members that only a trained candidate has."""
    metrics = {metric["MetricName"]: metric["Value"] for metric in job.get("FinalMetricDataList") or []}
    objective = record["_Analysis"]["objective"]
    if LOGGED[objective] not in metrics:
        return {"FailureReason": f"The training job ended without the metric {LOGGED[objective]}."}
    container = {
        "Image": children.image(ctx),
        "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"],
        "Environment": output.environment(),
    }
    found = {
        "ObjectiveStatus": "Succeeded",
        "FinalAutoMLJobObjectiveMetric": {
            "Type": "Maximize",
            "MetricName": objective,
            "Value": metrics[LOGGED[objective]],
            "StandardMetricName": objective,
        },
        "InferenceContainers": [container],
        "CandidateProperties": {
            "CandidateMetrics": [_metric(name, metrics[key]) for name, key in LOGGED.items() if key in metrics]
        },
    }
    if record["_Version"] == 2:
        # AWS fills it for text classification by the second version of the operation alone.
        found["InferenceContainerDefinitions"] = {"CPU": [container]}
    return found


def _metric(name: str, number: float) -> Record:
    # LogLoss is one of the standard names only.
    named = {} if name == "LogLoss" else {"MetricName": name}
    return {**named, "StandardMetricName": name, "Value": number, "Set": "Validation"}


def _steps(record: Record, job: Record, ctx: Context) -> list[Record]:
    names = [children.name(record, part) for part in (children.ANALYSIS, children.FEATURES)]
    steps = [(_PROCESSING, ctx.arn("sagemaker", f"processing-job/{name}"), name) for name in names]
    steps.append((_TRAINING, job["TrainingJobArn"], job["TrainingJobName"]))
    return [
        {"CandidateStepType": kind, "CandidateStepArn": arn, "CandidateStepName": name} for kind, arn, name in steps
    ]


def _reason(job: Record) -> str | None:
    if job["SecondaryStatus"] == "MaxRuntimeExceeded":
        return "The training job was stopped: it exceeded the runtime that was left for it."
    if job["TrainingJobStatus"] == "Stopped":
        return "The training job was stopped."
    reason: str | None = job.get("FailureReason")
    return reason
