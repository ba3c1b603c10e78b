"""SageMaker processing jobs."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.jobs.resource import JobResource

processing = Service("sagemaker", resource="processing-job")

KIND = "processing-job"
_ROOT = "/opt/ml/processing"


def _members(status: dict[str, Any]) -> dict[str, Any]:
    members = {
        "ProcessingJobStatus": status["Status"],
        "LastModifiedTime": status["LastModifiedTime"],
        "ProcessingStartTime": status["StartTime"],
        "ProcessingEndTime": status.get("EndTime"),
        "FailureReason": status.get("FailureReason"),
        "ExitMessage": status.get("ExitMessage") or _why_stopped(status),
    }
    return {key: value for key, value in members.items() if value is not None}


def _why_stopped(status: dict[str, Any]) -> str | None:
    """Return the exit message of a job that took too long; Describe has no secondary status that would tell."""
    if status["SecondaryStatus"] != "MaxRuntimeExceeded":
        return None
    return "Processing job runtime exceeded MaxRuntimeInSeconds provided"


#: what there is to do with any job, whatever its kind.
JOBS = JobResource(KIND, "ProcessingJob", _members)


@processing.operation
def create_processing_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Create a processing job and start its supervisor; a later failure is in FailureReason."""
    return {"ProcessingJobArn": begin(request, ctx)["ProcessingJobArn"]}


def begin(request: dict[str, Any], ctx: Context, **members: Any) -> dict[str, Any]:
    """
    Start a processing job for another service; the record.

    :param members: further members of the Describe answer, such as ``AutoMLJobArn``.
    :raises ResourceInUse: the name is taken.
    :raises ValidationException: the request cannot be done by any container.
    """
    _check(request)
    name = request["ProcessingJobName"]
    arn = ctx.arn("sagemaker", f"processing-job/{name}")
    now = ctx.now()
    record = {
        **{key: value for key, value in request.items() if key != "Tags"},
        **members,
        "ProcessingJobArn": arn,
        "ProcessingJobStatus": "InProgress",
        "CreationTime": now,
        "LastModifiedTime": now,
    }
    taken = f"Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})"
    JOBS.begin(record, request.get("Tags", []), ctx, taken)
    return record


@processing.operation
def describe_processing_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Describe a processing job."""
    return JOBS.shown(_find(request, ctx), ctx)


@processing.operation
def list_processing_jobs(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List processing jobs."""
    found, more = JOBS.page(request, ctx, order="Ascending")
    return {"ProcessingJobSummaries": found, **more}


@processing.operation
def stop_processing_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Stop a processing job."""
    JOBS.stop(_find(request, ctx), ctx)
    return {}


@processing.operation
def delete_processing_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete a processing job that has ended. Its name can be used again, and its outputs stay in S3."""
    JOBS.delete(_find(request, ctx), ctx)
    return {}


def _find(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """
    Return the record of the job that a request names.

    :raises ValidationException: there is none, in AWS's words.
    """
    record = ctx.store.find(KIND, request["ProcessingJobName"])
    if record is None:
        # AWS answers ValidationException, not ResourceNotFound, here; Airflow's hook depends on it.
        raise ValidationException(f"Could not find requested job with name: {request['ProcessingJobName']}")
    return record


def _check(request: dict[str, Any]) -> None:
    """Check what the operation's model cannot express."""
    inputs = request.get("ProcessingInputs", [])
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for entries, name in ((inputs, "InputName"), (outputs, "OutputName")):
        names = [entry[name] for entry in entries]
        if len(set(names)) < len(names):
            raise ValidationException(f"{name} must be unique: {', '.join(names)}")
    for entry in inputs:
        _check_input(entry)
    for entry in outputs:
        if "FeatureStoreOutput" in entry:
            raise NotImplementedByLocalAws("FeatureStoreOutput is not implemented by localaws.")
        if "S3Output" not in entry:
            raise ValidationException(f"The output {entry['OutputName']} has no S3Output.")
        _check_path(entry["S3Output"].get("LocalPath"), entry)


def _check_input(entry: dict[str, Any]) -> None:
    name, data = entry["InputName"], entry.get("S3Input")
    if data is None:
        raise NotImplementedByLocalAws(f"The input {name} has no S3Input: localaws has no other source.")
    if data.get("S3InputMode", "File") != "File":
        raise NotImplementedByLocalAws(f"S3InputMode {data['S3InputMode']} of the input {name} is not implemented.")
    if data.get("S3CompressionType", "None") != "None":
        raise ValidationException(f"S3CompressionType {data['S3CompressionType']} of {name} is for Pipe mode only.")
    if not entry.get("AppManaged"):
        _check_path(data.get("LocalPath"), entry)


def _check_path(path: str | None, entry: dict[str, Any]) -> None:
    name = entry.get("InputName") or entry.get("OutputName")
    if not path or not f"{path}/".startswith(f"{_ROOT}/") or ".." in path.split("/"):
        raise ValidationException(f"LocalPath of {name} must be a folder under {_ROOT}: {path}")
