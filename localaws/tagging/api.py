"""
Resource Groups Tagging API: SageMaker's resources by their tags.

Resources of other services are not among them: their tags are moto's, which their own operations list. Compliance
with tag policies is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.errors import AwsError, NotImplementedByLocalAws, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.tags.api import KIND

tagging = Service("resourcegroupstaggingapi", resource="tagged-resource")

Record = dict[str, Any]

_TYPE = re.compile(r"[a-z0-9-]+(:[A-Za-z0-9-/]+)?")
#: resources, keys or values a page, and the most of them.
_PAGE, _LARGEST_PAGE = 50, 100
#: bounds of TagsPerPage, and what it comes in steps of.
_TAGS_PER_PAGE = (100, 500)


class InvalidParameterException(AwsError):
    """A parameter that the model lets through and AWS does not."""

    code = "InvalidParameterException"
    status = 400


@tagging.operation
def get_resources(request: Record, ctx: Context) -> Record:
    """
    Return the resources that have tags, all that match every filter, in the order of their ARNs.

    :raises InvalidParameterException: a size out of bounds, a token that is not ours, or ARNs together with filters.
    """
    if request.get("IncludeComplianceDetails") or request.get("ExcludeCompliantResources"):
        raise NotImplementedByLocalAws("GetResources with compliance details is not implemented by localaws.")
    _check(request)
    wanted = set(request.get("ResourceARNList", ()))
    found = [
        (arn, tags)
        for arn, tags in _tagged(ctx)
        if (not wanted or arn in wanted)
        and _is_of(arn, request.get("ResourceTypeFilters"))
        and _has(tags, request.get("TagFilters", ()))
    ]
    listed, token = _page(found, request, request.get("ResourcesPerPage", _PAGE))
    listed, token = _within_tags(listed, request, token)
    return {
        "PaginationToken": token,
        "ResourceTagMappingList": [{"ResourceARN": arn, "Tags": tags} for arn, tags in listed],
    }


@tagging.operation
def get_tag_keys(request: Record, ctx: Context) -> Record:
    """Return the keys that resources have, each once."""
    keys = sorted({tag["Key"] for _, tags in _tagged(ctx) for tag in tags})
    listed, token = _page(keys, request, _LARGEST_PAGE)
    return {"PaginationToken": token, "TagKeys": listed}


@tagging.operation
def get_tag_values(request: Record, ctx: Context) -> Record:
    """Return the values that a key has, each once."""
    values = sorted({tag["Value"] for _, tags in _tagged(ctx) for tag in tags if tag["Key"] == request["Key"]})
    listed, token = _page(values, request, _LARGEST_PAGE)
    return {"PaginationToken": token, "TagValues": listed}


def _tagged(ctx: Context) -> Iterable[tuple[str, list[Record]]]:
    """Yield the ARN and the tags of each resource that has any."""
    for arn, body in sorted(ctx.store.named(KIND)):
        if body["Tags"]:
            yield arn, body["Tags"]


def _check(request: Record) -> None:
    if "ResourceARNList" in request and any(
        request.get(name) for name in ("TagFilters", "ResourceTypeFilters", "ResourcesPerPage", "TagsPerPage")
    ):
        raise InvalidParameterException("ResourceARNList cannot be used together with other parameters")
    if not 1 <= request.get("ResourcesPerPage", _PAGE) <= _LARGEST_PAGE:
        raise InvalidParameterException(f"ResourcesPerPage must be between 1 and {_LARGEST_PAGE}")
    least, most = _TAGS_PER_PAGE
    size = request.get("TagsPerPage", least)
    if not least <= size <= most or size % least:
        raise InvalidParameterException(f"TagsPerPage must be between {least} and {most}, in steps of {least}")
    for each in request.get("ResourceTypeFilters", ()):
        if not _TYPE.fullmatch(each):
            raise InvalidParameterException(f"'{each}' is not a valid resource type: give service[:resourceType]")


def _is_of(arn: str, types: Sequence[str] | None) -> bool:
    """Return True if an ARN is of one of the types, such as ``sagemaker`` or ``sagemaker:endpoint``."""
    _, _, service, _, _, rest = arn.split(":", 5)
    return not types or bool({service, f"{service}:{rest.partition('/')[0]}"} & set(types))


def _has(tags: Sequence[Record], filters: Iterable[Record]) -> bool:
    """Return True if tags match every filter: a key with one of its values, or with any where it names none."""
    values = {tag["Key"]: tag["Value"] for tag in tags}
    return all(
        each.get("Key") in values and (not each.get("Values") or values[each["Key"]] in each["Values"])
        for each in filters
    )


def _page(items: Sequence[Any], request: Record, size: int) -> tuple[list[Any], str]:
    try:
        asked = {"NextToken": request.get("PaginationToken"), "MaxResults": size}
        listed, more = pagination.page(items, asked)
    except ValidationException as error:
        raise InvalidParameterException("PaginationToken is invalid") from error
    return listed, more.get("NextToken", "")


def _within_tags(
    listed: list[tuple[str, list[Record]]], request: Record, token: str
) -> tuple[list[tuple[str, list[Record]]], str]:
    """Cut a page where its resources have more tags than TagsPerPage; the first one always fits."""
    left = request.get("TagsPerPage")
    if left is None:
        return listed, token
    for count, (_, tags) in enumerate(listed):
        left -= len(tags)
        if left < 0 and count:
            return listed[:count], pagination.token_at(pagination.offset(request.get("PaginationToken")) + count)
    return listed, token
