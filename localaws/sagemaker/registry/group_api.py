"""SageMaker model package groups: the versions of one model."""

from __future__ import annotations

from typing import Any

from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.errors import ConflictException, NotImplementedByLocalAws, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.tags import api as tags

model_package_group = Service("sagemaker", resource="model-package-group")

KIND = "model-package-group"


def arn(ctx: Context, name: str) -> str:
    """Return the group's ARN, with the name in lower case as on AWS."""
    return ctx.arn("sagemaker", f"model-package-group/{name}")


def find(ctx: Context, name_or_arn: str) -> dict[str, Any]:
    """
    Return the record of a group, by name or ARN.

    :raises ValidationException: there is none, in AWS's words.
    """
    if name_or_arn.startswith("arn:"):
        found = next((each for each in ctx.store.all(KIND) if each["ModelPackageGroupArn"] == name_or_arn), None)
        wanted = name_or_arn
    else:
        found, wanted = ctx.store.get(KIND, name_or_arn), arn(ctx, name_or_arn)
    if found is None:
        raise ValidationException(f"ModelPackageGroup {wanted} does not exist.")
    return found


@model_package_group.operation
def create_model_package_group(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Make an empty group."""
    if "ManagedConfiguration" in request:
        raise NotImplementedByLocalAws(
            "CreateModelPackageGroup with ManagedConfiguration is not implemented by localaws."
        )
    name = request["ModelPackageGroupName"]
    record = {key: value for key, value in request.items() if key != "Tags"}
    record |= {
        "ModelPackageGroupArn": arn(ctx, name),
        "CreationTime": ctx.now(),
        "CreatedBy": {},
        "ModelPackageGroupStatus": "Completed",
        # A version's number is not given again after it was deleted.
        "_versions": 0,
    }
    with ctx.store.transaction():
        if not ctx.store.insert(KIND, name, record):
            raise ValidationException(f"Model Package Group already exists: {record['ModelPackageGroupArn']}")
        tags.put(ctx, record["ModelPackageGroupArn"], request.get("Tags", []))
    return {"ModelPackageGroupArn": record["ModelPackageGroupArn"]}


@model_package_group.operation
def describe_model_package_group(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return all that was given at creation."""
    return find(ctx, request["ModelPackageGroupName"])


@model_package_group.operation
def list_model_package_groups(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List groups by name and time."""
    own = request.get("CrossAccountFilterOption", "SameAccount") == "SameAccount"
    chosen = pagination.select(
        ctx.store.all(KIND) if own else [], request, name="ModelPackageGroupName", order="Ascending"
    )
    page, more = pagination.page(chosen, request)
    return {"ModelPackageGroupSummaryList": page, **more}


@model_package_group.operation
def delete_model_package_group(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete a group that has no packages."""
    with ctx.store.transaction():
        record = find(ctx, request["ModelPackageGroupName"])
        name = record["ModelPackageGroupName"]
        if any(each.get("ModelPackageGroupName") == name for each in ctx.store.all("model-package")):
            raise ConflictException("Model Package Group cannot be deleted because it still contains Model Packages.")
        ctx.store.delete(KIND, name)
        tags.forget(ctx, record["ModelPackageGroupArn"])
    return {}
