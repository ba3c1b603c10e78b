"""SageMaker contexts: what groups other entities, such as an endpoint or a model package group."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.operations import Service
from localaws.sagemaker.lineage import associations
from localaws.sagemaker.lineage.entities import CONTEXT, change_properties

lineage_context = Service("sagemaker", resource="context")


@lineage_context.operation
def create_context(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Register a context."""
    return {"ContextArn": CONTEXT.create_named(request, ctx)}


@lineage_context.operation
def describe_context(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return all that was given, at creation and by updates."""
    return CONTEXT.find(ctx, request["ContextName"])


@lineage_context.operation
def update_context(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Change description and properties."""

    def change(record: dict[str, Any]) -> None:
        change_properties(record, request)
        if "Description" in request:
            record["Description"] = request["Description"]

    return {"ContextArn": CONTEXT.update(request["ContextName"], ctx, change)}


@lineage_context.operation
def delete_context(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete one that is associated with nothing."""
    with ctx.store.transaction():
        record = CONTEXT.find(ctx, request["ContextName"])
        associations.require_none(ctx, record["ContextArn"])
        CONTEXT.delete(record, ctx)
    return {"ContextArn": record["ContextArn"]}


@lineage_context.operation
def list_contexts(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return contexts by source, type and time."""
    page, more = CONTEXT.page_by_type(request, ctx)
    return {"ContextSummaries": page, **more}
