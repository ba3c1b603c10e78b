"""SageMaker model packages: a model with all that is needed to deploy it, and whether somebody has approved it."""

from __future__ import annotations

import hashlib
from typing import Any

from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.errors import ConflictException, NotImplementedByLocalAws, ValidationException
from localaws.core.operations import Service
from localaws.core.store import dumps
from localaws.sagemaker.registry import group_api as model_package_group
from localaws.sagemaker.registry.events import DECIDED, REGISTERED
from localaws.sagemaker.tags import api as tags

model_package = Service("sagemaker", resource="model-package")

KIND = "model-package"
_TOKEN = "model-package-token"  # noqa: S105 - a kind of resource
#: members that make AWS run jobs or hand the package to others, which nothing here does.
_UNSUPPORTED = ("ValidationSpecification", "SourceAlgorithmSpecification", "SecurityConfig", "ManagedStorageType")
#: members that an update replaces.
_REPLACED = (
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)
#: AWS's own limit of a package.
_MOST_PROPERTIES = 50
#: the most packages of one BatchDescribe.
_BATCH = 100


def find(ctx: Context, name_or_arn: str) -> dict[str, Any]:
    """
    Return the record of a package, by ARN or, if it is in no group, by name.

    :raises ValidationException: there is none, in AWS's words.
    """
    if name_or_arn.startswith("arn:"):
        found = next((each for each in ctx.store.all(KIND) if each["ModelPackageArn"] == name_or_arn.lower()), None)
        wanted = name_or_arn
    else:
        found, wanted = ctx.store.get(KIND, name_or_arn), ctx.arn("sagemaker", f"model-package/{name_or_arn}")
    if found is None:
        raise ValidationException(f"ModelPackage {wanted} does not exist.")
    return found


def containers(ctx: Context, name_or_arn: str) -> list[dict[str, Any]]:
    """
    Return a package's containers as CreateModel takes them.

    :raises ValidationException: there is no such package, or it has no InferenceSpecification.
    """
    record = find(ctx, name_or_arn)
    given = record.get("InferenceSpecification", {}).get("Containers", [])
    if not given:
        raise ValidationException(f"ModelPackage {record['ModelPackageArn']} has no InferenceSpecification.")
    wanted = ("ContainerHostname", "Image", "ModelDataUrl", "ModelDataSource", "Environment")
    return [{key: each[key] for key in wanted if key in each} for each in given]


@model_package.operation
def create_model_package(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Register a package: the next version of a group, or one by a name of its own."""
    _check(request)
    token = request.get("ClientToken")
    digest = hashlib.sha256(dumps(request).encode()).hexdigest()
    with ctx.store.transaction():
        before = ctx.store.get(_TOKEN, token) if token else None
        if before:
            if before["digest"] != digest:
                raise ConflictException(f"The ClientToken {token} was used with another request.")
            return {"ModelPackageArn": before["arn"]}
        arn = _insert(request, ctx)
        if token:
            ctx.store.put(_TOKEN, token, {"digest": digest, "arn": arn})
    return {"ModelPackageArn": arn}


def _check(request: dict[str, Any]) -> None:
    if "ModelPackageName" not in request and "ModelPackageGroupName" not in request:
        raise ValidationException("Missing ARN.")
    if "ModelPackageName" in request and "ModelPackageGroupName" in request:
        raise ValidationException(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. "
            "Cannot determine which one to use."
        )
    for member in _UNSUPPORTED:
        if member in request:
            raise NotImplementedByLocalAws(f"CreateModelPackage with {member} is not implemented by localaws.")
    if request.get("CertifyForMarketplace"):
        raise NotImplementedByLocalAws("CreateModelPackage with CertifyForMarketplace is not implemented by localaws.")
    if "InferenceSpecification" not in request and "SourceUri" not in request:
        raise ValidationException("You must specify InferenceSpecification or SourceUri.")
    if "ModelPackageName" in request and "ModelApprovalStatus" in request:
        raise ValidationException("ModelApprovalStatus is for model packages in a model package group.")
    if "ModelPackageGroupName" in request and request.get("Tags"):
        raise ValidationException("A version of a model package group has the group's tags and takes none of its own.")
    _check_properties(request.get("CustomerMetadataProperties", {}))


def _check_properties(properties: dict[str, str]) -> None:
    if len(properties) > _MOST_PROPERTIES:
        raise ValidationException(f"A model package has at most {_MOST_PROPERTIES} CustomerMetadataProperties.")


def _insert(request: dict[str, Any], ctx: Context) -> str:
    record = {key: value for key, value in request.items() if key not in ("Tags", "ClientToken")}
    record |= {
        "CreationTime": ctx.now(),
        "CreatedBy": {},
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "CertifyForMarketplace": False,
        "_token": request.get("ClientToken"),
    }
    record.setdefault("ModelPackageRegistrationType", "Registered")
    name = request.get("ModelPackageName") or _version(request["ModelPackageGroupName"], record, ctx)
    arn = record["ModelPackageArn"] = ctx.arn("sagemaker", f"model-package/{name}")
    if not ctx.store.insert(KIND, name, record):
        # The SageMaker SDK matches the code and the words.
        raise ValidationException(f"ModelPackage already exists: {arn}")
    tags.put(ctx, arn, request.get("Tags", []))
    group = record.get("ModelPackageGroupName")
    REGISTERED.emit(record, ctx.store.get(model_package_group.KIND, group) if group else None, ctx)
    return arn


def _version(group_name: str, record: dict[str, Any], ctx: Context) -> str:
    """Make the record the group's next version; the name that the store knows it by."""
    name = model_package_group.find(ctx, group_name)["ModelPackageGroupName"]
    group = ctx.store.update(
        model_package_group.KIND, name, lambda record: record.update(_versions=record["_versions"] + 1)
    )
    version = group["_versions"] if group else 1
    record |= {"ModelPackageGroupName": name, "ModelPackageVersion": version}
    record.setdefault("ModelApprovalStatus", "PendingManualApproval")
    return f"{name}/{version}"


@model_package.operation
def describe_model_package(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return all that was given, at creation and by updates."""
    return find(ctx, request["ModelPackageName"])


@model_package.operation
def update_model_package(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Approve or reject; change metadata and specifications."""
    with ctx.store.transaction():
        record = find(ctx, request["ModelPackageArn"])
        if "ModelApprovalStatus" in request and "ModelPackageVersion" not in record:
            raise ValidationException("ModelApprovalStatus is for model packages in a model package group.")
        record |= {key: request[key] for key in _REPLACED if key in request}
        properties = {**record.get("CustomerMetadataProperties", {}), **request.get("CustomerMetadataProperties", {})}
        for key in request.get("CustomerMetadataPropertiesToRemove", []):
            properties.pop(key, None)
        _check_properties(properties)
        record["CustomerMetadataProperties"] = properties
        _add_specifications(record, request.get("AdditionalInferenceSpecificationsToAdd", []))
        record["LastModifiedTime"] = ctx.now()
        ctx.store.put(KIND, _key(record), record)
        if "ModelApprovalStatus" in request:
            DECIDED.emit(record, ctx)
    return {"ModelPackageArn": record["ModelPackageArn"]}


def _add_specifications(record: dict[str, Any], added: list[dict[str, Any]]) -> None:
    if added:
        record["AdditionalInferenceSpecifications"] = [*record.get("AdditionalInferenceSpecifications", []), *added]
        names = [each["Name"] for each in record["AdditionalInferenceSpecifications"]]
        if len(set(names)) < len(names):
            raise ValidationException("The names of AdditionalInferenceSpecifications must be unique.")


def _key(record: dict[str, Any]) -> str:
    """Return the name by which the store knows a package."""
    if "ModelPackageVersion" in record:
        return f"{record['ModelPackageGroupName']}/{record['ModelPackageVersion']}"
    return str(record["ModelPackageName"])


@model_package.operation
def list_model_packages(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List packages of a group, or of all groups, by approval status, name and time."""
    group = request.get("ModelPackageGroupName")
    if group:
        group = model_package_group.find(ctx, group)["ModelPackageGroupName"]
    kind = request.get("ModelPackageType", "Versioned" if group else "Unversioned")
    status = request.get("ModelApprovalStatus")
    found = [
        {**record, "_name": record.get("ModelPackageName") or record["ModelPackageGroupName"]}
        for record in ctx.store.all(KIND)
        if kind in ("Both", "Versioned" if "ModelPackageVersion" in record else "Unversioned")
        and group in (None, record.get("ModelPackageGroupName"))
        and status in (None, record.get("ModelApprovalStatus"))
    ]
    chosen = pagination.select(found, request, name="_name", order="Ascending")
    page, more = pagination.page(chosen, request)
    return {"ModelPackageSummaryList": page, **more}


@model_package.operation
def delete_model_package(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete the record; models made from it stay."""
    with ctx.store.transaction():
        record = find(ctx, request["ModelPackageName"])
        ctx.store.delete(KIND, _key(record))
        if token := record.get("_token"):
            # The same request would else be answered with a package that is gone.
            ctx.store.delete(_TOKEN, token)
        tags.forget(ctx, record["ModelPackageArn"])
    return {}


@model_package.operation
def batch_describe_model_package(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return several packages by ARN; what is not there is an error of its own."""
    arns = request["ModelPackageArnList"]
    if len(arns) > _BATCH:
        raise ValidationException(f"At most {_BATCH} model packages can be described at once.")
    found, errors = {}, {}
    for arn in arns:
        try:
            found[arn] = find(ctx, arn)
        except ValidationException as error:
            errors[arn] = {"ErrorCode": error.code, "ErrorResponse": error.message}
    return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": errors}
