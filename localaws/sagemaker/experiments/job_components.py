"""What SageMaker makes by itself of a job: its trial component, the artifacts of its data, and their associations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localaws.core.context import Context
from localaws.core.statuses import TERMINAL
from localaws.sagemaker.experiments import trials
from localaws.sagemaker.jobs.resource import ENDED, STARTED
from localaws.sagemaker.lineage import associations
from localaws.sagemaker.lineage.entities import COMPONENT, Record, artifact

#: a parameter's longest text on AWS.
_LONGEST = 2500


@dataclass(frozen=True)
class Facts:
    """
    What a record says of a job.

    :param inputs: name -> URI and type of the artifact.
    :param outputs: likewise, of what it has produced; empty until it has.
    """

    source_type: str
    prefix: str
    parameters: Mapping[str, Any]
    image: str | None
    inputs: Mapping[str, tuple[str, str]]
    outputs: Mapping[str, tuple[str, str]]
    start: str
    end: str
    metrics: list[Record] = field(default_factory=list)


@STARTED.listen
def begun(kind: str, record: Record, ctx: Context) -> None:
    """
    Make the entities of a job that begins; nothing for a kind that has none. Inside the job's own transaction.

    :raises ResourceNotFound: its ExperimentConfig names what is not there.
    """
    if kind not in _FACTS:
        return
    facts = _FACTS[kind](record)
    name = _component_name(kind, facts, record)
    members = {
        "TrialComponentName": name,
        "DisplayName": name,
        "Source": {"SourceArn": record[f"{facts.prefix}Arn"], "SourceType": facts.source_type},
        "Status": _status(facts, record),
        "Parameters": _parameters(facts.parameters),
        "InputArtifacts": _values(facts.inputs, facts.image),
    }
    component = COMPONENT.ensure(ctx, name, members, record["CreationTime"])
    # There is one already where a job was deleted and its name is used again.
    COMPONENT.update(name, ctx, lambda known: known.update(members))
    if facts.image:
        associations.derive(ctx, artifact(ctx, facts.image, "Image"), component, "ContributedTo")
    for uri, sort in facts.inputs.values():
        associations.derive(ctx, artifact(ctx, uri, sort), component, "ContributedTo")
    trials.enter_parent(ctx, name, record)
    if "ExperimentConfig" in record:
        trials.enter(ctx, name, record["ExperimentConfig"])


@ENDED.listen
def ended(kind: str, record: Record, ctx: Context) -> None:
    """Bring the entities of a job that has ended up to date, unless somebody has deleted its component."""
    if kind not in _FACTS:
        return
    facts = _FACTS[kind](record)
    component = COMPONENT.get(ctx, _component_name(kind, facts, record))
    if component is None:
        return

    def change(known: Record) -> None:
        known["Status"] = _status(facts, record)
        known |= {
            member: record[key]
            for member, key in (("StartTime", facts.start), ("EndTime", facts.end))
            if record.get(key)
        }
        known["OutputArtifacts"] = {**known.get("OutputArtifacts", {}), **_values(facts.outputs)}
        known["Metrics"] = [_metric(metric, record[f"{facts.prefix}Arn"]) for metric in facts.metrics]

    arn = COMPONENT.update(component["TrialComponentName"], ctx, change)
    for uri, sort in facts.outputs.values():
        associations.derive(ctx, arn, artifact(ctx, uri, sort), "Produced")


def _component_name(kind: str, facts: Facts, record: Record) -> str:
    return f"{record[f'{facts.prefix}Name']}-aws-{kind}"


def _training(record: Record) -> Facts:
    inputs = {
        channel["ChannelName"]: (channel["DataSource"]["S3DataSource"]["S3Uri"], "DataSet")
        for channel in record.get("InputDataConfig", [])
    }
    outputs = {}
    if record["TrainingJobStatus"] == "Completed" and "ModelArtifacts" in record:
        outputs["SageMaker.ModelArtifact"] = (record["ModelArtifacts"]["S3ModelArtifacts"], "Model")
        if "CheckpointConfig" in record:
            outputs["SageMaker.Checkpoint"] = (record["CheckpointConfig"]["S3Uri"], "Checkpoint")
    resources = record.get("ResourceConfig", {})
    return Facts(
        "SageMakerTrainingJob",
        "TrainingJob",
        {**record.get("HyperParameters", {}), **_resources(resources)},
        record["AlgorithmSpecification"].get("TrainingImage"),
        inputs,
        outputs,
        "TrainingStartTime",
        "TrainingEndTime",
        record.get("FinalMetricDataList") or [],
    )


def _processing(record: Record) -> Facts:
    inputs = {
        given["InputName"]: (given["S3Input"]["S3Uri"], "DataSet")
        for given in record.get("ProcessingInputs", [])
        if "S3Input" in given
    }
    done = record["ProcessingJobStatus"] == "Completed"
    outputs = {
        wanted["OutputName"]: (wanted["S3Output"]["S3Uri"], "DataSet")
        for wanted in record.get("ProcessingOutputConfig", {}).get("Outputs", [])
        if done and "S3Output" in wanted
    }
    return Facts(
        "SageMakerProcessingJob",
        "ProcessingJob",
        _resources(record["ProcessingResources"]["ClusterConfig"]),
        record["AppSpecification"]["ImageUri"],
        inputs,
        outputs,
        "ProcessingStartTime",
        "ProcessingEndTime",
    )


def _transform(record: Record) -> Facts:
    given = record["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    done = record["TransformJobStatus"] == "Completed"
    resources = record["TransformResources"]
    return Facts(
        "SageMakerTransformJob",
        "TransformJob",
        {"SageMaker.ModelName": record["ModelName"], **_resources(resources)},
        None,
        {"SageMaker.TransformInput": (given, "DataSet")},
        {"SageMaker.TransformOutput": (record["TransformOutput"]["S3OutputPath"], "DataSet")} if done else {},
        "TransformStartTime",
        "TransformEndTime",
    )


_FACTS: dict[str, Callable[[Record], Facts]] = {
    "training-job": _training,
    "processing-job": _processing,
    "transform-job": _transform,
}


def _resources(config: Record) -> Record:
    members = ("InstanceType", "InstanceCount", "VolumeSizeInGB")
    return {f"SageMaker.{member}": config[member] for member in members if member in config}


def _status(facts: Facts, record: Record) -> Record:
    status = record[f"{facts.prefix}Status"]
    shown = {"PrimaryStatus": status if status in {*TERMINAL, "Stopping"} else "InProgress"}
    return {**shown, "Message": record["FailureReason"][:1024]} if record.get("FailureReason") else shown


def _parameters(given: Mapping[str, Any]) -> Record:
    """Return the parameters: numbers as numbers, all else as text."""
    shown: Record = {}
    for name, value in given.items():
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        shown[name] = {"NumberValue": number} if math.isfinite(number) else {"StringValue": str(value)[:_LONGEST]}
    return shown


def _values(given: Mapping[str, tuple[str, str]], image: str | None = None) -> Record:
    uris = {name: uri for name, (uri, _) in given.items()}
    if image:
        uris["SageMaker.ImageUri"] = image
    return {name: {"Value": uri} for name, uri in uris.items()}


def _metric(metric: Record, source: str) -> Record:
    """Of a metric the job keeps its last value, and so nothing is said of least, most and mean."""
    return {
        "MetricName": metric["MetricName"],
        "SourceArn": source,
        "TimeStamp": metric["Timestamp"],
        "Last": metric["Value"],
    }
