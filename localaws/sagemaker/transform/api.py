"""SageMaker batch transform jobs."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.jobs.resource import JobResource
from localaws.sagemaker.models import api as model
from localaws.sagemaker.models.containers import model_data
from localaws.sagemaker.transform.jsonpath import JsonPath, PathError

transform_job = Service("sagemaker", resource="transform-job")

KIND = "transform-job"

#: megabytes of requests that an instance may have under way at once, and those of one request where nobody says.
_MOST_MB, _DEFAULT_MB = 100, 6
#: DataProcessing as Describe has it where the request says nothing.
_UNPROCESSED = {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}
#: what DataProcessing reads.
_FILTERED = ("application/json", "application/jsonlines", "text/csv")


def _members(status: dict[str, Any]) -> dict[str, Any]:
    members = {
        "TransformJobStatus": status["Status"],
        "LastModifiedTime": status["LastModifiedTime"],
        "TransformStartTime": status["StartTime"],
        "TransformEndTime": status.get("EndTime"),
        "FailureReason": status.get("FailureReason"),
    }
    return {key: value for key, value in members.items() if value is not None}


#: what there is to do with any job, whatever its kind.
JOBS = JobResource(KIND, "TransformJob", _members)


@transform_job.operation
def create_transform_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Create a transform job and start its supervisor; a later failure is in FailureReason."""
    return {"TransformJobArn": begin(request, ctx)["TransformJobArn"]}


def begin(request: dict[str, Any], ctx: Context, **members: Any) -> dict[str, Any]:
    """
    Start a transform job for another service; the record.

    :param members: further members of the Describe answer, such as ``AutoMLJobArn``.
    :raises ResourceInUse: the name is taken.
    :raises ValidationException: there is no such model, or the request cannot be done by any container.
    """
    _check(request)
    found = model.find(ctx, request["ModelName"])
    container = found["PrimaryContainer"] if "PrimaryContainer" in found else found["Containers"][0]
    name = request["TransformJobName"]
    arn = ctx.arn("sagemaker", f"transform-job/{name}")
    now = ctx.now()
    record = {
        **{key: value for key, value in request.items() if key != "Tags"},
        **members,
        "TransformJobArn": arn,
        "TransformJobStatus": "InProgress",
        "CreationTime": now,
        "LastModifiedTime": now,
        # The model may be deleted while the job runs, and recreated with other data.
        "_Model": {
            "Image": container["Image"],
            "Data": model_data(container),
            "Environment": container.get("Environment", {}),
        },
    }
    record["DataProcessing"] = {**_UNPROCESSED, **request.get("DataProcessing", {})}
    taken = f"Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})"
    JOBS.begin(record, request.get("Tags", []), ctx, taken)
    return record


@transform_job.operation
def describe_transform_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Describe a transform job."""
    return JOBS.shown(_find(request, ctx), ctx)


@transform_job.operation
def list_transform_jobs(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List transform jobs."""
    found, more = JOBS.page(request, ctx)
    return {"TransformJobSummaries": found, **more}


@transform_job.operation
def stop_transform_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Stop a transform job, of which nothing is stored then."""
    JOBS.stop(_find(request, ctx), ctx)
    return {}


def _find(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """
    Return the record of the job that a request names.

    :raises ValidationException: there is none, in AWS's words.
    """
    record = ctx.store.find(KIND, request["TransformJobName"])
    if record is None:
        # AWS answers ValidationException, not ResourceNotFound, here, as for its other jobs.
        raise ValidationException(f"Could not find requested job with name: {request['TransformJobName']}")
    return record


def _check(request: dict[str, Any]) -> None:
    """Check what the operation's model cannot express."""
    data = request["TransformInput"]
    source = data["DataSource"]["S3DataSource"]
    if source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise NotImplementedByLocalAws(f"S3DataType {source['S3DataType']} is not implemented by localaws.")
    if data.get("SplitType", "None") not in ("None", "Line"):
        raise NotImplementedByLocalAws(f"SplitType {data['SplitType']} is not implemented by localaws.")
    if "DataCaptureConfig" in request:
        raise NotImplementedByLocalAws("DataCaptureConfig of a transform job is not implemented by localaws.")
    for where, uri in (("S3Uri", source["S3Uri"]), ("S3OutputPath", request["TransformOutput"]["S3OutputPath"])):
        if not uri.startswith("s3://"):
            raise NotImplementedByLocalAws(f"{where} {uri}: localaws takes s3:// addresses only.")
    concurrent, megabytes = request.get("MaxConcurrentTransforms", 0), request.get("MaxPayloadInMB", _DEFAULT_MB)
    if max(1, concurrent) * megabytes > _MOST_MB:
        raise ValidationException(
            f"MaxConcurrentTransforms * MaxPayloadInMB must not exceed {_MOST_MB} MB: "
            f"{concurrent} * {megabytes} = {concurrent * megabytes}"
        )
    if megabytes == 0 and (data.get("SplitType", "None") != "None" or "DataProcessing" in request):
        raise ValidationException("MaxPayloadInMB 0 is for whole objects: SplitType None, without DataProcessing.")
    if "DataProcessing" in request:
        _check_processing(request, request["DataProcessing"])


def _check_processing(request: dict[str, Any], processing: dict[str, Any]) -> None:
    for member in ("InputFilter", "OutputFilter"):
        try:
            JsonPath(processing.get(member, "$"))
        except PathError as error:
            raise ValidationException(f"DataProcessing.{member} is invalid: {error}") from error
    joined = processing.get("JoinSource", "None") == "Input"
    content_type = request["TransformInput"].get("ContentType")
    accept = request["TransformOutput"].get("Accept")
    if content_type is None or content_type.partition(";")[0] not in _FILTERED:
        raise ValidationException(f"DataProcessing takes the ContentType {', '.join(_FILTERED)}, not {content_type}.")
    if joined and accept is not None and _form(accept) != _form(content_type):
        raise ValidationException(
            f"To join input and output, Accept must be of the same type as ContentType, {content_type}: {accept}"
        )
    lines = request["TransformInput"].get("SplitType", "None") == "Line"
    if lines and request["TransformOutput"].get("AssembleWith", "None") != "Line":
        raise ValidationException("DataProcessing of lines (SplitType Line) must assemble lines: AssembleWith Line.")


def _form(content_type: str) -> str:
    return "csv" if "csv" in content_type else "json" if "json" in content_type else content_type
