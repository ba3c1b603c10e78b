"""SageMaker artifacts: data, images, models and code that have a URI. There is one for a source."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.errors import ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.lineage import associations
from localaws.sagemaker.lineage.entities import ARTIFACT, change_properties, source_key

artifact = Service("sagemaker", resource="artifact")


@artifact.operation
def create_artifact(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Register a source; the name need not be unique."""
    key = source_key(request["Source"])
    taken = f"An artifact of the source {request['Source']['SourceUri']} already exists: {ARTIFACT.arn(ctx, key)}"
    return {"ArtifactArn": ARTIFACT.create(request, ctx, key, taken)}


@artifact.operation
def describe_artifact(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return all that was given, at creation and by updates."""
    return ARTIFACT.find(ctx, request["ArtifactArn"])


@artifact.operation
def update_artifact(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Change name and properties; the source stays."""

    def change(record: dict[str, Any]) -> None:
        change_properties(record, request)
        if "ArtifactName" in request:
            record["ArtifactName"] = request["ArtifactName"]

    return {"ArtifactArn": ARTIFACT.update(request["ArtifactArn"], ctx, change)}


@artifact.operation
def delete_artifact(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete one that is associated with nothing, by ARN or by source."""
    if ("ArtifactArn" in request) == ("Source" in request):
        raise ValidationException("You must specify exactly one of ArtifactArn and Source.")
    with ctx.store.transaction():
        arn = request.get("ArtifactArn") or ARTIFACT.arn(ctx, source_key(request["Source"]))
        record = ARTIFACT.find(ctx, arn)
        associations.require_none(ctx, record["ArtifactArn"])
        ARTIFACT.delete(record, ctx)
    return {"ArtifactArn": arn}


@artifact.operation
def list_artifacts(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return artifacts by source, type and time."""
    page, more = ARTIFACT.page_by_type(request, ctx)
    return {"ArtifactSummaries": page, **more}
