"""What becomes of flow definitions: made Active, asked for by loops, deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localaws.core.context import Context
from localaws.sagemaker.human_review import loops, templates
from localaws.sagemaker.tags import api as tags

Record = dict[str, Any]

KIND = "flow-definition"
#: A flow's copy of its template; beside the record, which is read far more often.
TEMPLATE = "flow-definition-template"
#: Statuses in which the reconciler has nothing to do.
SETTLED = frozenset({"Active", "Failed"})
#: Seconds that a worker has for a task, where the flow does not say: AWS's default.
TIME_LIMIT = 3600
#: Seconds that a task is there to be taken, where the flow does not say. AWS's default is not documented.
AVAILABILITY = 864_000


def arn(ctx: Context, name: str) -> str:
    """Return the ARN of a flow definition."""
    return ctx.arn("sagemaker", f"{KIND}/{name}")


def by_arn(ctx: Context, wanted: str) -> Record | None:
    """Return the record of a flow definition by its ARN."""
    record = ctx.store.get(KIND, wanted.rpartition("/")[2])
    return record if record is not None and record["FlowDefinitionArn"] == wanted else None


@dataclass(frozen=True)
class Template:
    """
    A flow's copy of its template.

    :param categories: The labels of its classifiers by their names, where they are the same for all tasks.
    """

    content: str
    categories: dict[str, list[str]]


def template(ctx: Context, name: str) -> Template:
    """
    Return a flow's template.

    :raises LookupError: The flow is not there.
    """
    record = ctx.store.get(TEMPLATE, name)
    if record is None:
        raise LookupError(f"there is no flow definition {name}")
    return Template(record["Content"], record["Categories"])


def output_place(record: Record) -> tuple[str, str]:
    """Return bucket and prefix of a flow's answers; the prefix without slashes at its ends."""
    path = record["OutputConfig"]["S3OutputPath"].rstrip("/")
    bucket, key = templates.s3_place(f"{path}/.") or ("", "")
    return bucket, key.removesuffix(".").strip("/")


def advance(record: Record, ctx: Context) -> None:
    """Do the next step of a flow definition that is Initializing or Deleting."""
    name = record["FlowDefinitionName"]
    if record["FlowDefinitionStatus"] == "Deleting":
        if loops.discard(ctx, name):
            gone(ctx, name)
        return
    reason = _unwritable(record, ctx)

    def change(stored: Record) -> None:
        if stored["FlowDefinitionStatus"] == "Initializing":
            stored["FlowDefinitionStatus"] = "Failed" if reason else "Active"
            if reason:
                stored["FailureReason"] = reason

    ctx.store.update(KIND, name, change)


def _unwritable(record: Record, ctx: Context) -> str:
    """Return why nothing can be written to the flow's S3OutputPath, ``""`` if it can."""
    path = record["OutputConfig"]["S3OutputPath"]
    bucket, _ = output_place(record)
    if not bucket:
        return f"S3OutputPath {path} names no S3 bucket."
    try:
        ctx.client("s3").head_bucket(Bucket=bucket)
    except (ClientError, BotoCoreError) as error:
        return f"S3OutputPath {path} cannot be written to: {error}"
    return ""


def fail(record: Record, reason: str, ctx: Context) -> None:
    """Make a flow definition Failed."""

    def change(stored: Record) -> None:
        stored |= {"FlowDefinitionStatus": "Failed", "FailureReason": reason[:1024]}

    ctx.store.update(KIND, record["FlowDefinitionName"], change)


def delete(record: Record, ctx: Context) -> None:
    """Delete a flow definition: at once where it has no loops, else once they are gone."""
    name = record["FlowDefinitionName"]
    with ctx.store.transaction():
        ctx.store.update(KIND, name, lambda stored: stored.update(FlowDefinitionStatus="Deleting"))
        if loops.discard(ctx, name):
            gone(ctx, name)


def plan(record: Record) -> loops.Plan:
    """Return what a flow definition says of each of its loops."""
    config = record["HumanLoopConfig"]
    bucket, prefix = output_place(record)
    name = record["FlowDefinitionName"]
    place = "/".join(part for part in (bucket, prefix, name) if part)
    availability = config.get("TaskAvailabilityLifetimeInSeconds", AVAILABILITY)
    return loops.Plan(name, config["WorkteamArn"], config["TaskCount"], availability, f"s3://{place}")


def gone(ctx: Context, name: str) -> None:
    """Remove a flow definition whose loops are all gone."""
    with ctx.store.transaction():
        ctx.store.delete(KIND, name)
        ctx.store.delete(TEMPLATE, name)
        tags.forget(ctx, arn(ctx, name))
