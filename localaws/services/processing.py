"""SageMaker processing jobs."""

from __future__ import annotations

from typing import Any

from localaws import listing
from localaws.context import Context
from localaws.errors import NotImplementedByLocalAws, ResourceInUse, ValidationException
from localaws.jobs import control
from localaws.jobs.folder import TERMINAL
from localaws.services import tags
from localaws.services.registry import Service

processing = Service("sagemaker", noun="processing-job")

KIND = "processing-job"
_ROOT = "/opt/ml/processing"


@processing.operation
def create_processing_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """CreateProcessingJob: records the job and starts its supervisor; what goes wrong later is in FailureReason."""
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
    with ctx.store.transaction():
        if not ctx.store.insert(KIND, name, record):
            raise ResourceInUse(
                "Job name must be unique within an AWS account and region, and a job with this name already exists "
                f"({arn})"
            )
        tags.put(ctx, arn, request.get("Tags", []))
    control.start(ctx, _job(record))
    return record


@processing.operation
def describe_processing_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """DescribeProcessingJob."""
    record = ctx.store.get(KIND, request["ProcessingJobName"])
    if record is None:
        # AWS answers ValidationException, not ResourceNotFound, here; Airflow's hook depends on it.
        raise ValidationException(f"Could not find requested job with name: {request['ProcessingJobName']}")
    return _refresh(record, ctx)


@processing.operation
def list_processing_jobs(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """ListProcessingJobs."""
    records = [_refresh(record, ctx) for record in ctx.store.all(KIND)]
    chosen = listing.select(records, request, name="ProcessingJobName", status="ProcessingJobStatus")
    found, more = listing.page(chosen, request)
    return {"ProcessingJobSummaries": found, **more}


@processing.operation
def stop_processing_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """StopProcessingJob."""
    record = describe_processing_job(request, ctx)
    status = record["ProcessingJobStatus"]
    if status in TERMINAL:
        raise ValidationException(f"The request was rejected because the processing job is in status {status}.")
    control.stop(ctx, KIND, record["ProcessingJobName"])
    return {}


@processing.operation
def delete_processing_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """DeleteProcessingJob: of one that has ended; its name can be used again, and its outputs stay in S3."""
    record = describe_processing_job(request, ctx)
    if record["ProcessingJobStatus"] not in TERMINAL:
        raise ResourceInUse(
            f"The request was rejected because the processing job is in status {record['ProcessingJobStatus']}."
        )
    tags.forget(ctx, record["ProcessingJobArn"])
    control.forget(ctx, KIND, record["ProcessingJobName"])
    ctx.store.delete(KIND, record["ProcessingJobName"])
    return {}


@processing.on_start
def resume(ctx: Context) -> None:
    """Take up the jobs that ran on, or ended, while the server was away."""
    for record in ctx.store.all(KIND):
        _refresh(record, ctx)


def _job(record: dict[str, Any]) -> control.Job:
    return control.Job(KIND, record["ProcessingJobName"], record["ProcessingJobArn"], record["CreationTime"], record)


def _refresh(record: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """The record with what the job's folder says; kept in the store once it is the last word."""
    if record["ProcessingJobStatus"] in TERMINAL:
        return record
    status = control.look(ctx, _job(record))
    if status is None:
        return record
    record = {**record, **_members(status)}
    if status["Status"] in TERMINAL:
        ctx.store.update(KIND, record["ProcessingJobName"], lambda stored: stored.update(_members(status)))
    return record


def _members(status: dict[str, Any]) -> dict[str, Any]:
    members = {
        "ProcessingJobStatus": status["Status"],
        "LastModifiedTime": status["LastModifiedTime"],
        "ProcessingStartTime": status["StartTime"],
        "ProcessingEndTime": status.get("EndTime"),
        "FailureReason": status.get("FailureReason"),
        "ExitMessage": status.get("ExitMessage"),
    }
    return {key: value for key, value in members.items() if value is not None}


def _check(request: dict[str, Any]) -> None:
    """What the operation's model cannot say."""
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
