"""Human loops: the operations of the Augmented AI runtime."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from localaws.core import reconciler
from localaws.core.context import Context
from localaws.core.errors import ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.human_review import flows, loops, sweep, tables, templates
from localaws.sagemaker.human_review.errors import ConflictException, ResourceNotFoundException

human_loop = Service("sagemaker-a2i-runtime", resource="human-loop")

Record = dict[str, Any]

reconciler.register_sweep(sweep.sweep)


def _find(ctx: Context, name: str) -> loops.Loop:
    found = loops.find(ctx, name)
    if found is None:
        raise ResourceNotFoundException(f"Human loop {_arn(ctx, name)} does not exist.")
    return found


def _arn(ctx: Context, name: str) -> str:
    return ctx.arn("sagemaker", f"human-loop/{name}")


@human_loop.operation
def start_human_loop(request: Record, ctx: Context) -> Record:
    """Begin a loop. The same request again finds it; a template that its input does not fit makes it Failed."""
    flow = _active(ctx, request["FlowDefinitionArn"])
    name, content = request["HumanLoopName"], request["HumanLoopInput"]["InputContent"]
    _check(content)
    failure = _failure(ctx, flow, content)
    try:
        with tables.transaction(ctx):
            # Again: it may have been deleted while the template was rendered.
            flow = _active(ctx, request["FlowDefinitionArn"])
            loop = loops.begin(ctx, flows.plan(flow), name, content, failure)
    except loops.Taken as error:
        raise ConflictException(
            f"Human loop {_arn(ctx, name)} already exists with another input or flow definition."
        ) from error
    reconciler.poke()
    return {"HumanLoopArn": _arn(ctx, loop.name)}


def _active(ctx: Context, arn: str) -> Record:
    flow = flows.by_arn(ctx, arn)
    if flow is None:
        raise ValidationException(f"Flow definition {arn} does not exist.")
    if flow["FlowDefinitionStatus"] != "Active":
        raise ValidationException(
            f"Flow definition {arn} is {flow['FlowDefinitionStatus']}. Human loops can be started once it is Active."
        )
    return flow


def _check(content: str) -> None:
    try:
        value = json.loads(content)
    except ValueError as error:
        raise ValidationException(f"InputContent is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValidationException("InputContent must be a JSON object: its keys are the template's task.input.")


def _failure(ctx: Context, flow: Record, content: str) -> str:
    try:
        template = flows.template(ctx, flow["FlowDefinitionName"])
    except LookupError as error:
        raise ValidationException(f"Flow definition {flow['FlowDefinitionArn']} does not exist.") from error
    problem = templates.render(template.content, content, ctx).problem
    return problem.message if problem is not None else ""


@human_loop.operation
def describe_human_loop(request: Record, ctx: Context) -> Record:
    """Return the status of a loop, and where its answers are."""
    loop = _find(ctx, request["HumanLoopName"])
    answer = {**_summary(ctx, loop), "HumanLoopArn": _arn(ctx, loop.name)}
    if loop.failure_code:
        answer["FailureCode"] = loop.failure_code
    # A loop that failed or was stopped names its output only if somebody answered before.
    if loop.written or loop.status not in loops.ENDED:
        answer["HumanLoopOutput"] = {"OutputS3Uri": loop.output}
    return answer


def _summary(ctx: Context, loop: loops.Loop) -> Record:
    summary = {
        "HumanLoopName": loop.name,
        "HumanLoopStatus": loop.status,
        "CreationTime": loop.created,
        "FlowDefinitionArn": flows.arn(ctx, loop.flow),
    }
    return summary | ({"FailureReason": loop.failure_reason} if loop.failure_reason else {})


@human_loop.operation
def list_human_loops(request: Record, ctx: Context) -> Record:
    """List a flow's loops by time, newest first."""
    flow = flows.by_arn(ctx, request["FlowDefinitionArn"])
    if flow is None:
        raise ResourceNotFoundException(f"Flow definition {request['FlowDefinitionArn']} does not exist.")
    query = loops.Query(
        flow["FlowDefinitionName"],
        request.get("CreationTimeAfter"),
        request.get("CreationTimeBefore"),
        request.get("SortOrder") == "Ascending",
        _place(request.get("NextToken")),
        request.get("MaxResults") or 10,
    )
    found, after = loops.select(ctx, query)
    answer: Record = {"HumanLoopSummaries": [_summary(ctx, loop) for loop in found]}
    if after is not None:
        answer["NextToken"] = base64.urlsafe_b64encode("loop:{}:{}".format(*after).encode()).decode()
    return answer


def _place(token: str | None) -> tuple[int, int] | None:
    if not token:
        return None
    try:
        kind, created, loop = base64.urlsafe_b64decode(token.encode()).decode().split(":")
        if kind != "loop":
            raise ValueError(kind)
        return int(created), int(loop)
    except (ValueError, binascii.Error) as error:
        raise ValidationException("The NextToken is invalid.") from error


@human_loop.operation
def stop_human_loop(request: Record, ctx: Context) -> Record:
    """Stop a loop. Who has it open may finish; nobody else gets it."""
    loop = _find(ctx, request["HumanLoopName"])
    if loop.status in loops.ENDED:
        raise ValidationException(f"Human loop {_arn(ctx, loop.name)} is {loop.status} and cannot be stopped.")
    loops.stop(ctx, loop)
    reconciler.poke()
    return {}


@human_loop.operation
def delete_human_loop(request: Record, ctx: Context) -> Record:
    """Delete a loop that has ended; its output in S3 stays."""
    loop = _find(ctx, request["HumanLoopName"])
    if not loops.delete(ctx, loop):
        raise ValidationException(f"Human loop {_arn(ctx, loop.name)} is {loop.status}. Stop it before you delete it.")
    return {}
