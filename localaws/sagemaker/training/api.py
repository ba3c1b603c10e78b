"""SageMaker training jobs."""

from __future__ import annotations

import re
from typing import Any

from localaws import images
from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.jobs.resource import JobResource
from localaws.sagemaker.jobs.spot import Spot
from localaws.sagemaker.training import profiling

training = Service("sagemaker", resource="training-job")

KIND = "training-job"


def _members(status: dict[str, Any]) -> dict[str, Any]:
    members = {
        "TrainingJobStatus": status["Status"],
        "SecondaryStatus": status["SecondaryStatus"],
        "SecondaryStatusTransitions": status["Transitions"],
        "TrainingStartTime": status["StartTime"],
        "LastModifiedTime": status["LastModifiedTime"],
    }
    if "EndTime" in status:
        seconds = max(1, round((status["EndTime"] - status["StartTime"]).total_seconds()))
        members |= {"TrainingEndTime": status["EndTime"], "TrainingTimeInSeconds": seconds}
        billable = status.get("BillableSeconds", seconds)
        members |= {"BillableTimeInSeconds": billable, "FinalMetricDataList": status.get("Metrics") or None}
    if "FailureReason" in status:
        members["FailureReason"] = status["FailureReason"]
    if "ModelArtifacts" in status:
        members["ModelArtifacts"] = {"S3ModelArtifacts": status["ModelArtifacts"]}
    if "ProfilerRules" in status:
        members["ProfilerRuleEvaluationStatuses"] = status["ProfilerRules"]
    return members


#: what there is to do with any job, whatever its kind.
JOBS = JobResource(KIND, "TrainingJob", _members)


@training.operation
def create_training_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Create a training job and start its supervisor; a later failure is in FailureReason."""
    return {"TrainingJobArn": begin(request, ctx)["TrainingJobArn"]}


def begin(request: dict[str, Any], ctx: Context, **members: Any) -> dict[str, Any]:
    """
    Start a training job for another service (tuning, pipelines); the record.

    :param members: further members of the Describe answer, such as ``TuningJobArn``.
    :raises ResourceInUse: the name is taken.
    :raises ValidationException: the request cannot be done by any container.
    """
    check(request)
    request = _with_metrics(request)
    name = request["TrainingJobName"]
    arn = ctx.arn("sagemaker", f"training-job/{name}")
    now = ctx.now()
    record = {
        **{key: value for key, value in request.items() if key != "Tags"},
        **members,
        "TrainingJobArn": arn,
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting",
        "SecondaryStatusTransitions": [
            {"Status": "Starting", "StartTime": now, "StatusMessage": "Starting the training job"}
        ],
        "CreationTime": now,
        "LastModifiedTime": now,
        **profiling.begun(request, now),
    }
    taken = (
        "Training job names must be unique within an AWS account and region, and a training job with this name "
        f"already exists ({arn})"
    )
    JOBS.begin(record, request.get("Tags", []), ctx, taken)
    return record


@training.operation
def describe_training_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Describe a training job."""
    return profiling.settled(JOBS.shown(_find(request, ctx), ctx))


@training.operation
def list_training_jobs(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List training jobs."""
    if request.get("WarmPoolStatusEquals") or request.get("TrainingPlanArnEquals"):
        # There are neither warm pools nor training plans here, and so no job has one.
        return {"TrainingJobSummaries": []}
    found, more = JOBS.page(request, ctx, order="Ascending")
    return {"TrainingJobSummaries": found, **more}


@training.operation
def stop_training_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Stop a training job: SIGTERM, two minutes of grace, then what was saved is uploaded."""
    JOBS.stop(_find(request, ctx), ctx)
    return {}


@training.operation
def delete_training_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete a training job that has ended. Its name can be used again, and its artefacts stay in S3."""
    JOBS.delete(_find(request, ctx), ctx)
    return {}


def _find(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """
    Return the record of the job that a request names.

    :raises ValidationException: there is none, in AWS's words.
    """
    record = ctx.store.find(KIND, request["TrainingJobName"])
    if record is None:
        # AWS answers ValidationException, not ResourceNotFound, here; Airflow's hook depends on it.
        raise ValidationException("Requested resource not found.")
    return record


def check(request: dict[str, Any]) -> None:
    """
    Check what the operation's model cannot express.

    :raises ValidationException: no container can do what the request asks for.
    """
    algorithm = _algorithm(request)
    resources = request.get("ResourceConfig", {})
    if "InstanceGroups" in resources or "InstanceCount" not in resources or "InstanceType" not in resources:
        raise NotImplementedByLocalAws("localaws runs InstanceCount hosts of one InstanceType, which are to be given.")
    _check_spot(request)
    names = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    if len(set(names)) < len(names):
        raise ValidationException(f"Channel names must be unique: {', '.join(names)}")
    image = images.find(algorithm["TrainingImage"])
    for channel in request.get("InputDataConfig", []):
        _check_channel(channel, algorithm["TrainingInputMode"], image)
    if not request.get("InputDataConfig"):
        _check_input_mode(algorithm["TrainingInputMode"], "AlgorithmSpecification.TrainingInputMode")
    if image is not None and image.metrics and algorithm.get("MetricDefinitions"):
        raise ValidationException(
            "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry your request "
            "without specifying metric definitions."
        )
    for definition in algorithm.get("MetricDefinitions", []):
        _check_regex(definition)
    profiling.check(request)
    for config, default in (("CheckpointConfig", "/opt/ml/checkpoints"), ("TensorBoardOutputConfig", "/opt/ml/output")):
        path = request.get(config, {}).get("LocalPath", default)
        if not path.startswith("/opt/ml/") or ".." in path.split("/"):
            raise ValidationException(f"{config}.LocalPath must be under /opt/ml: {path}")


def _check_spot(request: dict[str, Any]) -> None:
    condition = request.get("StoppingCondition", {})
    wait, runtime = condition.get("MaxWaitTimeInSeconds"), condition.get("MaxRuntimeInSeconds", 86400)
    if not request.get("EnableManagedSpotTraining"):
        if wait is not None:
            raise ValidationException(
                "Invalid MaxWaitTimeInSeconds. It is supported only when EnableManagedSpotTraining is set to true"
            )
        return
    if wait is None or wait < runtime:
        raise ValidationException(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )
    try:
        Spot.of(request)
    except ValueError as error:
        raise ValidationException(str(error)) from error


def _algorithm(request: dict[str, Any]) -> dict[str, Any]:
    """Return its AlgorithmSpecification, which only jobs without a container can do without."""
    if "AlgorithmSpecification" not in request:
        raise ValidationException(
            "1 validation error detected: Value null at 'algorithmSpecification' failed to satisfy constraint: "
            "Member must not be null"
        )
    algorithm: dict[str, Any] = request["AlgorithmSpecification"]
    if "TrainingImage" not in algorithm:
        raise NotImplementedByLocalAws("AlgorithmName is not implemented by localaws: give a TrainingImage.")
    return algorithm


def _with_metrics(request: dict[str, Any]) -> dict[str, Any]:
    """Add the metrics of a built-in algorithm to a request; Describe shows them although nobody gave them."""
    algorithm = request["AlgorithmSpecification"]
    image = images.find(algorithm["TrainingImage"])
    if image is None or not image.metrics:
        return request
    definitions = [{"Name": name, "Regex": regex} for name, regex in image.metrics]
    return {**request, "AlgorithmSpecification": {**algorithm, "MetricDefinitions": definitions}}


def _check_channel(channel: dict[str, Any], mode: str, image: images.Image | None) -> None:
    name = channel["ChannelName"]
    data = channel["DataSource"].get("S3DataSource")
    if data is None:
        raise NotImplementedByLocalAws(f"The channel {name} has no S3DataSource: localaws has no other source.")
    mode = channel.get("InputMode", mode)
    if data["S3DataType"] == "AugmentedManifestFile":
        _check_augmented_manifest(name, data, mode, image)
    elif data["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise NotImplementedByLocalAws(f"S3DataType {data['S3DataType']} of the channel {name} is not implemented.")
    else:
        _check_input_mode(mode, f"the channel {name}")
    if channel.get("CompressionType", "None") != "None":
        raise ValidationException(
            f"CompressionType {channel['CompressionType']} of the channel {name} is for Pipe mode only."
        )


def _check_augmented_manifest(name: str, data: dict[str, Any], mode: str, image: images.Image | None) -> None:
    if image is None or not image.augmented_manifest:
        raise NotImplementedByLocalAws(f"S3DataType AugmentedManifestFile of the channel {name} is not implemented.")
    if mode != "Pipe":
        raise ValidationException(
            f"AugmentedManifestFile of the channel {name} is for the input mode Pipe, not {mode}."
        )
    attributes = data.get("AttributeNames")
    if not attributes:
        raise ValidationException(f"The channel {name} has an AugmentedManifestFile and no AttributeNames.")
    if any(attribute.endswith("-ref") for attribute in attributes):
        raise NotImplementedByLocalAws(f"Attributes that refer to S3 objects (channel {name}) are not implemented.")


def _check_input_mode(mode: str, where: str) -> None:
    if mode == "Pipe":
        raise NotImplementedByLocalAws(f"Pipe mode of {where} is not implemented by localaws: use File or FastFile.")


def _check_regex(definition: dict[str, str]) -> None:
    try:
        groups = re.compile(definition["Regex"]).groups
    except re.error as error:
        raise ValidationException(f"The Regex of the metric {definition['Name']} is invalid: {error}") from error
    if groups < 1:
        raise ValidationException(f"The Regex of the metric {definition['Name']} has no group that is the value.")
