"""SageMaker actions: things done, such as an approval or a deployment."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.operations import Service
from localaws.sagemaker.lineage import associations, deployments, packages  # noqa: F401 - which listens to the registry
from localaws.sagemaker.lineage.entities import ACTION, change_properties

action = Service("sagemaker", resource="action")


@action.on_start
def settle(ctx: Context) -> None:
    """Note what became of deployments while the server was away."""
    deployments.settle(ctx)


@action.operation
def create_action(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Register an action."""
    return {"ActionArn": ACTION.create_named(request, ctx)}


@action.operation
def describe_action(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return all that was given, at creation and by updates."""
    return ACTION.find(ctx, request["ActionName"])


@action.operation
def update_action(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Change description, status and properties."""

    def change(record: dict[str, Any]) -> None:
        change_properties(record, request)
        record |= {key: request[key] for key in ("Description", "Status") if key in request}

    return {"ActionArn": ACTION.update(request["ActionName"], ctx, change)}


@action.operation
def delete_action(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete one that is associated with nothing."""
    with ctx.store.transaction():
        record = ACTION.find(ctx, request["ActionName"])
        associations.require_none(ctx, record["ActionArn"])
        ACTION.delete(record, ctx)
    return {"ActionArn": record["ActionArn"]}


@action.operation
def list_actions(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return actions by source, type and time."""
    page, more = ACTION.page_by_type(request, ctx)
    return {"ActionSummaries": page, **more}
