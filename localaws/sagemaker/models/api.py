"""SageMaker models: an image and where its model lies. Nothing runs until an endpoint deploys one."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.jobs.staging import split_uri
from localaws.sagemaker.models.containers import model_data
from localaws.sagemaker.registry import package_api as model_package
from localaws.sagemaker.tags import api as tags

model = Service("sagemaker", resource="model")

_KIND = "model"
#: members of a container that change what it does, and that nothing here does.
_UNSUPPORTED = ("MultiModelConfig", "AdditionalModelDataSources", "ContainerMetricsConfig")


def arn(ctx: Context, name: str) -> str:
    """Return the model's ARN, with the name in lower case as on AWS."""
    return ctx.arn("sagemaker", f"model/{name}")


def find(ctx: Context, name: str) -> dict[str, Any]:
    """
    Return the record of a model.

    :raises ValidationException: there is none, in AWS's words.
    """
    record = ctx.store.get(_KIND, name)
    if record is None:
        raise ValidationException(f'Could not find model "{arn(ctx, name)}".')
    return record


@model.operation
def create_model(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Register a model of one container, given as such or by the model package that has it."""
    request = _unpacked(request, ctx)
    _check(request, ctx)
    name = request["ModelName"]
    record = {key: value for key, value in request.items() if key != "Tags"}
    record |= {"ModelArn": arn(ctx, name), "CreationTime": ctx.now()}
    record.setdefault("EnableNetworkIsolation", False)
    with ctx.store.transaction():
        if not ctx.store.insert(_KIND, name, record):
            raise ValidationException(f'Cannot create already existing model "{record["ModelArn"]}".')
        tags.put(ctx, record["ModelArn"], request.get("Tags", []))
    return {"ModelArn": record["ModelArn"]}


def _unpacked(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Fill in a request's containers from its model package. The request's own variables override the package's."""
    given = [request["PrimaryContainer"]] if "PrimaryContainer" in request else request.get("Containers") or []
    if len(given) != 1 or "ModelPackageName" not in given[0]:
        return request
    if also := [member for member in ("Image", "ModelDataUrl", "ModelDataSource") if member in given[0]]:
        raise ValidationException(f"A container with a ModelPackageName must not have {also[0]} as well.")
    containers = [
        {**container, **given[0], "Environment": container.get("Environment", {}) | given[0].get("Environment", {})}
        for container in model_package.containers(ctx, given[0]["ModelPackageName"])
    ]
    if "Containers" in request:
        return {**request, "Containers": containers}
    if len(containers) > 1:
        raise ValidationException("A package of several containers goes into Containers, not into PrimaryContainer.")
    return {**request, "PrimaryContainer": containers[0]}


def _check(request: dict[str, Any], ctx: Context) -> None:
    containers = request.get("Containers") or []
    if ("PrimaryContainer" in request) == bool(containers):
        raise ValidationException("You must specify exactly one of PrimaryContainer and Containers.")
    if len(containers) > 1:
        raise NotImplementedByLocalAws("CreateModel with several Containers is not implemented by localaws.")
    container = containers[0] if containers else request["PrimaryContainer"]
    for member in _UNSUPPORTED:
        if container.get(member):
            raise NotImplementedByLocalAws(f"CreateModel with {member} is not implemented by localaws.")
    if container.get("Mode") == "MultiModel":
        raise NotImplementedByLocalAws("CreateModel with Mode MultiModel is not implemented by localaws.")
    if "Image" not in container:
        raise ValidationException("You must provide a valid Image for the container.")
    uri = model_data(container)
    if uri is not None:
        _check_data(ctx, uri)


def _check_data(ctx: Context, uri: str) -> None:
    """AWS looks for the model when it is registered, and again when it is deployed."""
    if not uri.startswith("s3://"):
        raise NotImplementedByLocalAws(f"CreateModel with model data at {uri}: localaws takes s3:// addresses only.")
    bucket, key = split_uri(uri)
    client = ctx.client("s3")
    try:
        if key.endswith("/") or not key:
            found = client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)["KeyCount"] > 0
        else:
            found = bool(client.head_object(Bucket=bucket, Key=key))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "NoSuchBucket"):
            raise
        found = False
    if not found:
        raise ValidationException(f"Could not find model data at {uri}.")


@model.operation
def describe_model(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return all that was given at creation."""
    return find(ctx, request["ModelName"])


@model.operation
def list_models(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return models by name and time."""
    chosen = pagination.select(ctx.store.all(_KIND), request, name="ModelName")
    page, more = pagination.page(chosen, request)
    return {"Models": page, **more}


@model.operation
def delete_model(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete the record; the data in S3 stays, and so does an endpoint that serves it."""
    record = find(ctx, request["ModelName"])
    ctx.store.delete(_KIND, record["ModelName"])
    tags.forget(ctx, record["ModelArn"])
    return {}
