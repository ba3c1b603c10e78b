"""SageMaker pipelines: what is to be executed. Their executions are in :mod:`.execution_api`."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.errors import ConflictException, ResourceNotFound, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.pipelines import execution, tokens, validation
from localaws.sagemaker.tags import api as tags

pipeline = Service("sagemaker", resource="pipeline")

KIND = "pipeline"
#: members that an update replaces.
_REPLACED = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")
_SOURCES = ("PipelineDefinition", "PipelineDefinitionS3Location")

Record = dict[str, Any]


def arn(ctx: Context, name: str) -> str:
    """Return the ARN of a pipeline."""
    return ctx.arn("sagemaker", f"pipeline/{name}")


def find(ctx: Context, name_or_arn: str) -> Record:
    """
    Return the record of a pipeline, by name or ARN.

    :raises ResourceNotFound: there is none, in AWS's words.
    """
    name = name_or_arn.rpartition("/")[2]
    record = ctx.store.find(KIND, name)
    if record is None or name_or_arn.lower() not in (name.lower(), record["PipelineArn"].lower()):
        raise ResourceNotFound(f"Pipeline '{arn(ctx, name)}' does not exist.")
    return record


def version(record: Record, number: int | None) -> Record:
    """
    Return a version of a pipeline, ``{"PipelineVersionId", "CreationTime", "Definition"}``; the latest for ``None``.

    :raises ResourceNotFound: there is none of that number.
    """
    versions: list[Record] = record["_Versions"]
    if number is None:
        return versions[-1]
    if number > len(versions):
        raise ResourceNotFound(f"Version {number} of pipeline '{record['PipelineArn']}' does not exist.")
    return versions[number - 1]


@pipeline.operation
def create_pipeline(request: Record, ctx: Context) -> Record:
    """Make a pipeline; a definition that cannot be executed is refused."""
    text = _definition(request, ctx)
    if text is None:
        raise ValidationException("Either Pipeline Definition or Pipeline Definition S3 location should be provided")
    validation.check(text)
    return {"PipelineArn": tokens.once("CreatePipeline", request, ctx, lambda: _create(request, text, ctx))}


def _create(request: Record, text: str, ctx: Context) -> str:
    name = request["PipelineName"]
    now = ctx.now()
    record = {key: value for key, value in request.items() if key not in ("Tags", "ClientRequestToken", *_SOURCES)}
    record.setdefault("PipelineDisplayName", name)
    record |= {
        "PipelineArn": arn(ctx, name),
        "PipelineStatus": "Active",
        "CreationTime": now,
        "LastModifiedTime": now,
        "CreatedBy": {},
        "LastModifiedBy": {},
        "_Versions": [_version(1, text, ctx)],
        "_Token": request["ClientRequestToken"],
    }
    if ctx.store.spelling(KIND, name) is not None:
        raise ValidationException(
            "Pipeline names must be unique within an AWS account and region. "
            f"Pipeline with name ({name}) already exists."
        )
    ctx.store.insert(KIND, name, record)
    tags.put(ctx, record["PipelineArn"], request.get("Tags", []))
    return str(record["PipelineArn"])


def _version(number: int, text: str, ctx: Context) -> Record:
    key = execution.keep_definition(text, ctx)
    return {"PipelineVersionId": number, "CreationTime": ctx.now(), "Definition": key}


def _definition(request: Record, ctx: Context) -> str | None:
    """Return the text of the definition that a request contains or points to, or ``None`` if it has neither."""
    given = [source for source in _SOURCES if source in request]
    if len(given) > 1:
        raise ValidationException("Both Pipeline Definition and Pipeline Definition S3 Location shouldn't be present")
    if not given:
        return None
    if given[0] == "PipelineDefinition":
        return str(request["PipelineDefinition"])
    place = request["PipelineDefinitionS3Location"]
    wanted = {"Bucket": place["Bucket"], "Key": place["ObjectKey"]}
    if "VersionId" in place:
        wanted["VersionId"] = place["VersionId"]
    where = f"s3://{place['Bucket']}/{place['ObjectKey']}"
    try:
        return str(ctx.client("s3").get_object(**wanted)["Body"].read().decode())
    except ClientError as error:
        reason = error.response["Error"]["Message"]
        raise ValidationException(f"Unable to read the pipeline definition at {where}: {reason}") from error
    except UnicodeDecodeError as error:
        raise ValidationException(f"Unable to parse pipeline definition. {where} is not UTF-8.") from error


@pipeline.operation
def update_pipeline(request: Record, ctx: Context) -> Record:
    """Change a pipeline; a definition makes its next version, and executions that run keep theirs."""
    name = find(ctx, request["PipelineName"])["PipelineName"]
    text = _definition(request, ctx)
    if text is not None:
        validation.check(text)

    def change(stored: Record) -> None:
        stored |= {key: request[key] for key in _REPLACED if key in request}
        stored["LastModifiedTime"] = ctx.now()
        if text is not None:
            stored["_Versions"].append(_version(len(stored["_Versions"]) + 1, text, ctx))

    record = ctx.store.update(KIND, name, change) or find(ctx, name)
    return {"PipelineArn": record["PipelineArn"], "PipelineVersionId": record["_Versions"][-1]["PipelineVersionId"]}


@pipeline.operation
def describe_pipeline(request: Record, ctx: Context) -> Record:
    """Describe a pipeline with the definition of its latest version, or of the one asked for."""
    record = find(ctx, request["PipelineName"])
    key = version(record, request.get("PipelineVersionId"))["Definition"]
    return {**record, "PipelineDefinition": execution.definition_text(key, ctx)}


@pipeline.operation
def list_pipelines(request: Record, ctx: Context) -> Record:
    """Return pipelines by prefix and time."""
    prefix = request.get("PipelineNamePrefix", "")
    found = [
        {**record, "LastExecutionTime": record.get("LastRunTime")}
        for record in ctx.store.all(KIND)
        if record["PipelineName"].startswith(prefix)
    ]
    chosen = pagination.select(found, times(request), name="PipelineName")
    page, more = pagination.page(chosen, request)
    return {"PipelineSummaries": page, **more}


@pipeline.operation
def list_pipeline_versions(request: Record, ctx: Context) -> Record:
    """List the versions of a pipeline, newest first."""
    record = find(ctx, request["PipelineName"])
    latest: dict[int, str] = {}
    for each in ctx.store.all(execution.KIND):
        if each["PipelineArn"] == record["PipelineArn"]:
            latest[each["PipelineVersionId"]] = each["PipelineExecutionArn"]
    found = [
        {
            **each,
            "PipelineArn": record["PipelineArn"],
            "PipelineName": record["PipelineName"],
            "LastExecutionPipelineExecutionArn": latest.get(each["PipelineVersionId"]),
        }
        for each in record["_Versions"]
    ]
    chosen = pagination.select(found, times(request), name="PipelineName")
    page, more = pagination.page(chosen, request)
    return {"PipelineVersionSummaries": page, **more}


def times(request: Record) -> Record:
    """Rename the request's time bounds to the names that other List operations use."""
    names = {"CreatedAfter": "CreationTimeAfter", "CreatedBefore": "CreationTimeBefore"}
    return {names.get(key, key): value for key, value in request.items()}


@pipeline.operation
def delete_pipeline(request: Record, ctx: Context) -> Record:
    """Delete a pipeline and its executions, none of which may run; what they made stays."""
    with ctx.store.transaction():
        record = find(ctx, request["PipelineName"])
        executions = [each for each in ctx.store.all(execution.KIND) if each["PipelineArn"] == record["PipelineArn"]]
        if any(each["PipelineExecutionStatus"] not in execution.TERMINAL for each in executions):
            raise ConflictException(
                f"Pipeline '{record['PipelineArn']}' has executions that run: stop them before it is deleted."
            )
        for each in executions:
            execution.forget(each, ctx)
            tokens.forget("StartPipelineExecution", each["_Token"], ctx)
        ctx.store.delete(KIND, record["PipelineName"])
        tokens.forget("CreatePipeline", record["_Token"], ctx)
        tags.forget(ctx, record["PipelineArn"])
    return {"PipelineArn": record["PipelineArn"]}
