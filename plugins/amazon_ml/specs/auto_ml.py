"""SageMaker Autopilot: what an AutoML job is to learn, in either version of its API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from amazon_ml.specs.job import JobSpec, WithoutCode

#: a channel's content type; Autopilot takes CSV with a header, and Parquet.
CSV, PARQUET = "text/csv;header=present", "x-application/vnd.amazon+parquet"


@dataclass(frozen=True, kw_only=True)
class AutoMLJobSpec(WithoutCode, JobSpec):
    """
    An AutoML job. It has no code, no image and no instances: Autopilot chooses. Any text may be a Jinja template.

    Version 1 (CreateAutoMLJob) learns a table's target column from all others. Version 2 (CreateAutoMLJobV2) classifies
    text where ``content`` names its column, and else is what version 1 is.

    :param version: of the API, 1 or 2.
    :param target: column to predict.
    :param content: column of the text; version 2 only.
    :param max_candidates: models to try at most.
    :param max_runtime: seconds for the whole job.
    :param max_runtime_per_training_job: seconds for one candidate's training.
    :param objective: metric to go by ("Accuracy", "F1macro", ...); without one Autopilot chooses.
    :param problem_type: "BinaryClassification", "MulticlassClassification" or "Regression"; without one Autopilot finds
        out. Version 1 takes it together with ``objective`` only.
    :param content_type: of the input files.
    """

    image_uri: str = ""
    source_dir: str = ""
    entry_point: str = ""
    instance_type: str = ""
    version: int = 2
    target: str
    content: str | None = None
    max_candidates: int | str = 3
    max_runtime: int | str = 7200
    max_runtime_per_training_job: int | str = 1200
    objective: str | None = None
    problem_type: str | None = None
    content_type: str = CSV

    #: members of both versions' requests and Describe answers; those of the other version are null.
    identity: ClassVar[tuple[str, ...]] = (
        "(InputDataConfig || AutoMLJobInputDataConfig)[].[ContentType, DataSource.S3DataSource.S3Uri]",
        "InputDataConfig[].TargetAttributeName",
        "ProblemType",
        "AutoMLJobObjective.MetricName",
        "AutoMLJobConfig.CompletionCriteria",
        "AutoMLProblemTypeConfig.TextClassificationJobConfig.[ContentColumn, TargetLabelColumn, CompletionCriteria]",
        "AutoMLProblemTypeConfig.TabularJobConfig.[TargetAttributeName, ProblemType, CompletionCriteria]",
    )

    def __post_init__(self) -> None:
        if self.version not in (1, 2):
            raise ValueError(f"there are versions 1 and 2 of AutoML jobs, not {self.version}")
        if self.version == 1 and self.content:
            raise ValueError("content is for version 2: version 1 learns from all columns but the target")

    def to_request(
        self, *, name: str, dag_id: str, training: str, validation: str | None, output: str | None
    ) -> dict[str, Any]:
        """
        Return the CreateAutoMLJob or CreateAutoMLJobV2 request, without tags.

        :param training: S3 URI of the rows to learn from.
        :param validation: S3 URI of rows to compare candidates by; without it Autopilot sets some apart.
        :param output: S3 prefix for models and notebooks, or None for the job's own folder.
        :raises ValueError: version 1 with one of objective and problem type, which it takes together.
        """
        request: dict[str, Any] = {
            "AutoMLJobName": name,
            "RoleArn": self.role_arn,
            "OutputDataConfig": {"S3OutputPath": output or f"{self.output_uri(dag_id, name)}/"},
        }
        if self.objective:
            request["AutoMLJobObjective"] = {"MetricName": self.objective}
        channels = [self._channel("training", training)]
        if validation:
            channels.append(self._channel("validation", validation))
        own = self._members_v1(channels) if self.version == 1 else self._members_v2(channels)
        return {**request, **own, **self.extra}

    def _members_v1(self, channels: Sequence[dict[str, Any]]) -> dict[str, Any]:
        if bool(self.problem_type) != bool(self.objective):
            raise ValueError("version 1 takes objective and problem_type together, or neither")
        return {
            "InputDataConfig": [{**channel, "TargetAttributeName": self.target} for channel in channels],
            "AutoMLJobConfig": {"CompletionCriteria": self._criteria()},
            **({"ProblemType": self.problem_type} if self.problem_type else {}),
        }

    def _members_v2(self, channels: Sequence[dict[str, Any]]) -> dict[str, Any]:
        problem: dict[str, Any]
        if self.content:
            columns = {"ContentColumn": self.content, "TargetLabelColumn": self.target}
            problem = {"TextClassificationJobConfig": {**columns, "CompletionCriteria": self._criteria()}}
        else:
            table = {"TargetAttributeName": self.target, "CompletionCriteria": self._criteria()}
            kind = {"ProblemType": self.problem_type} if self.problem_type else {}
            problem = {"TabularJobConfig": {**table, **kind}}
        return {"AutoMLJobInputDataConfig": list(channels), "AutoMLProblemTypeConfig": problem}

    def _criteria(self) -> dict[str, int]:
        return {
            "MaxCandidates": int(self.max_candidates),
            "MaxRuntimePerTrainingJobInSeconds": int(self.max_runtime_per_training_job),
            "MaxAutoMLJobRuntimeInSeconds": int(self.max_runtime),
        }

    def _channel(self, kind: str, uri: str) -> dict[str, Any]:
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}
        return {"ChannelType": kind, "ContentType": self.content_type, "DataSource": source}


def candidate_entry(candidate: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return one candidate of an AutoML job for XCom: see :class:`amazon_ml.operators.auto_ml.AutoMLJobOperator`.

    Metric and value are None where it was given up before it had one.
    """
    metric = candidate.get("FinalAutoMLJobObjectiveMetric", {})
    began, ended = candidate.get("CreationTime"), candidate.get("EndTime")
    containers = [
        {
            "image": container["Image"],
            "model_data": container["ModelDataUrl"],
            "environment": container.get("Environment", {}),
        }
        for container in candidate.get("InferenceContainers", [])
    ]
    return {
        "name": candidate["CandidateName"],
        "status": candidate["CandidateStatus"],
        "metric": metric.get("MetricName"),
        "value": metric.get("Value"),
        "training_seconds": round((ended - began).total_seconds(), 1) if began and ended else None,
        "containers": containers,
        **({"failure_reason": candidate["FailureReason"]} if candidate.get("FailureReason") else {}),
    }


def best_first(candidates: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Sort by the objective, largest or smallest first by its kind, without a value last."""

    def place(candidate: Mapping[str, Any]) -> tuple[bool, float, str]:
        metric = candidate.get("FinalAutoMLJobObjectiveMetric", {})
        value = metric.get("Value")
        sign = 1 if metric.get("Type") == "Minimize" else -1
        return value is None, sign * (value or 0.0), candidate["CandidateName"]

    return sorted(candidates, key=place)


def answering(containers: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    """
    Tell a candidate's containers which columns to answer with: "predicted_label", "probability", ...

    As the SageMaker SDK does it: each container is asked for those that it supports, and told what the one before it
    hands on.

    :raises ValueError: the last container does not support one of them.
    """
    made: list[dict[str, Any]] = []
    handed_on: list[str] = []
    for container in containers:
        environment = dict(container["environment"])
        supported = environment.get("SAGEMAKER_INFERENCE_SUPPORTED", "").replace(" ", "").split(",")
        found = [column for column in columns if column in supported]
        if handed_on:
            environment["SAGEMAKER_INFERENCE_INPUT"] = ",".join(handed_on)
        if found:
            environment["SAGEMAKER_INFERENCE_OUTPUT"] = ",".join(found)
        handed_on = found
        made.append({**container, "environment": environment})
    if missing := [column for column in columns if column not in handed_on]:
        raise ValueError(f"the candidate's last container does not answer with {', '.join(missing)}")
    return made
