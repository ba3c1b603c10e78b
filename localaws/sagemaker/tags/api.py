"""Tags of all SageMaker resources, by ARN. Other services put theirs here at creation and drop them at deletion."""

from __future__ import annotations

from typing import Any

from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.errors import ResourceLimitExceeded, ValidationException
from localaws.core.operations import Service

tags = Service("sagemaker", resource="tags", metadata_only="nothing acts on tags")

KIND = "tags"
#: SageMaker's own limit of a resource.
LIMIT = 50

Tag = dict[str, str]


def put(ctx: Context, arn: str, given: list[Tag]) -> list[Tag]:
    """
    Add tags to a resource, in place of those of the same keys; all that it has then.

    :raises ValidationException: a key begins with ``aws:`` or stands twice.
    :raises ResourceLimitExceeded: there would be more than 50.
    """
    keys = [tag["Key"] for tag in given]
    if reserved := [key for key in keys if key.lower().startswith("aws:")]:
        raise ValidationException(f"aws: prefixed tag key names are not allowed for external use: {reserved[0]}")
    if len(set(keys)) < len(keys):
        raise ValidationException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    with ctx.store.transaction():
        merged = {tag["Key"]: tag for tag in [*get(ctx, arn), *given]}
        if len(merged) > LIMIT:
            raise ResourceLimitExceeded(f"The resource {arn} would have {len(merged)} tags, and {LIMIT} are the limit.")
        ctx.store.put(KIND, _spelling(ctx, arn), {"Tags": list(merged.values())})
    return list(merged.values())


def get(ctx: Context, arn: str) -> list[Tag]:
    """Return the tags of a resource, in the order in which their keys were added."""
    found: list[Tag] = (ctx.store.find(KIND, arn) or {}).get("Tags", [])
    return found


def forget(ctx: Context, arn: str) -> None:
    """Drop the tags of a resource that is deleted."""
    ctx.store.delete(KIND, _spelling(ctx, arn))


def _spelling(ctx: Context, arn: str) -> str:
    """Return the ARN as the resource was created with; old jobs have capitals in it, which AWS does not."""
    return ctx.store.spelling(KIND, arn) or arn


def _check(ctx: Context, arn: str) -> None:
    """Check that the resource exists: it was given tags when created, even an empty list, or the store has its name."""
    kind, _, name = arn.split(":", 5)[-1].partition("/")
    if ctx.store.spelling(KIND, arn) is None and ctx.store.spelling(kind, name) is None:
        raise ValidationException(f"Requested resource not found: {arn}")


@tags.operation
def add_tags(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Add tags."""
    _check(ctx, request["ResourceArn"])
    return {"Tags": put(ctx, request["ResourceArn"], request["Tags"])}


@tags.operation
def list_tags(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List tags."""
    _check(ctx, request["ResourceArn"])
    found, more = pagination.page(get(ctx, request["ResourceArn"]), request, default_size=50)
    return {"Tags": found, **more}


@tags.operation
def delete_tags(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete tags; keys that are not there are ignored."""
    _check(ctx, request["ResourceArn"])
    with ctx.store.transaction():
        left = [tag for tag in get(ctx, request["ResourceArn"]) if tag["Key"] not in request["TagKeys"]]
        ctx.store.put(KIND, _spelling(ctx, request["ResourceArn"]), {"Tags": left})
    return {}
