"""Flow definitions: who reviews what, by which template, how often, and where the answers go."""

from __future__ import annotations

from typing import Any

from localaws.core import pagination, reconciler
from localaws.core.context import Context
from localaws.core.errors import ResourceInUse, ResourceNotFound, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.human_review import conditions, flows, task_ui, templates
from localaws.sagemaker.tags import api as tags
from localaws.sagemaker.workforce import records

flow_definition = Service("sagemaker", resource="flow-definition")

Record = dict[str, Any]

reconciler.register(
    reconciler.Resource(
        flows.KIND, "FlowDefinitionName", "FlowDefinitionStatus", flows.advance, flows.fail, flows.SETTLED
    )
)


@flow_definition.operation
def create_flow_definition(request: Record, ctx: Context) -> Record:
    """Keep a flow definition; it is Active once its answers are known to have a place."""
    ui = _checked(request, ctx)
    name = request["FlowDefinitionName"]
    arn = flows.arn(ctx, name)
    record = {key: value for key, value in request.items() if key != "Tags"}
    record |= {"FlowDefinitionArn": arn, "FlowDefinitionStatus": "Initializing", "CreationTime": ctx.now()}
    with ctx.store.transaction():
        if not ctx.store.insert(flows.KIND, name, record):
            raise ResourceInUse(f"Flow definition {arn} already exists.")
        # A copy: as on AWS, flows keep a UI that is deleted after they were made.
        ctx.store.put(flows.TEMPLATE, name, {"Content": ui["_Content"], "Categories": ui["_Categories"]})
        tags.put(ctx, arn, request.get("Tags", []))
    reconciler.poke()
    return {"FlowDefinitionArn": arn}


def _checked(request: Record, ctx: Context) -> Record:
    """
    Check what botocore's model does not say; the record of the flow's UI.

    :raises ValidationException: Something in the request is not there, or does not fit.
    """
    config = request.get("HumanLoopConfig")
    if not config:
        raise ValidationException("HumanLoopConfig is required.")
    if "PublicWorkforceTaskPrice" in config:
        raise ValidationException(
            "PublicWorkforceTaskPrice can only be given for a public workforce; this region's is private."
        )
    _check_conditions(request)
    if records.workteam_by_arn(ctx, config["WorkteamArn"]) is None:
        raise ValidationException(
            f"The specified Workteam '{config['WorkteamArn']}' does not exist or you do not have access to it."
        )
    ui = task_ui.by_arn(ctx, config["HumanTaskUiArn"])
    if ui is None:
        raise ValidationException(
            f"The specified HumanTaskUi '{config['HumanTaskUiArn']}' does not exist or you do not have access to it."
        )
    return ui


def _check_conditions(request: Record) -> None:
    given = request.get("HumanLoopActivationConfig")
    if given is None:
        return
    text = given["HumanLoopActivationConditionsConfig"]["HumanLoopActivationConditions"]
    source = request.get("HumanLoopRequestSource", {}).get("AwsManagedHumanLoopRequestSource")
    try:
        conditions.check(text, source)
    except conditions.Unfit as error:
        raise ValidationException(f"HumanLoopActivationConditions is not valid: {error}.") from error


def find(ctx: Context, name: str) -> Record:
    """
    Return the record of a flow definition.

    :raises ResourceNotFound: There is none of that name.
    """
    record = ctx.store.get(flows.KIND, name)
    if record is None:
        raise ResourceNotFound(f"Flow definition {flows.arn(ctx, name)} does not exist.")
    return record


@flow_definition.operation
def describe_flow_definition(request: Record, ctx: Context) -> Record:
    """Return all that was given at creation, and the status."""
    return find(ctx, request["FlowDefinitionName"])


@flow_definition.operation
def list_flow_definitions(request: Record, ctx: Context) -> Record:
    """Flow definitions by time."""
    chosen = pagination.select(ctx.store.all(flows.KIND), request, name="FlowDefinitionName")
    page, more = pagination.page(chosen, request)
    return {"FlowDefinitionSummaries": page, **more}


@flow_definition.operation
def delete_flow_definition(request: Record, ctx: Context) -> Record:
    """Delete a flow definition and its loops, once nobody has a task of it open."""
    record = find(ctx, request["FlowDefinitionName"])
    flows.delete(record, ctx)
    reconciler.poke()
    return {}


@flow_definition.on_stop
def stop(ctx: Context) -> None:
    """End the process that renders templates."""
    templates.close()
