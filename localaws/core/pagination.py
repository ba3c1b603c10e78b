"""What all List operations of SageMaker share: filters, order and paging."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from localaws.core.errors import ValidationException

T = TypeVar("T")


def page(items: Sequence[T], request: dict[str, Any], *, default_size: int = 10) -> tuple[list[T], dict[str, str]]:
    """
    Return one page of ``items`` by the request's MaxResults and NextToken.

    Returns the page, and ``{"NextToken": ...}`` where there is more, else ``{}``.

    :raises ValidationException: the token is not one of ours.
    """
    start = offset(request.get("NextToken"))
    size = request.get("MaxResults") or default_size
    more = {"NextToken": token_at(start + size)} if start + size < len(items) else {}
    return list(items[start : start + size]), more


def token_at(offset: int) -> str:
    """Return the token of a page that begins there."""
    return base64.urlsafe_b64encode(f"offset:{offset}".encode()).decode()


def offset(token: str | None) -> int:
    """
    Return where the page of a token begins.

    :raises ValidationException: the token is not one of ours.
    """
    if not token:
        return 0
    try:
        prefix, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if prefix != "offset":
            raise ValueError(prefix)
        return int(number)
    except (ValueError, binascii.Error) as error:
        raise ValidationException("The NextToken is invalid.") from error


def select(
    records: Iterable[dict[str, Any]],
    request: dict[str, Any],
    *,
    name: str,
    status: str | None = None,
    sort_keys: dict[str, str] | None = None,
    arranged: Callable[[dict[str, Any]], Any] | None = None,
    by: str = "CreationTime",
    order: str = "Descending",
) -> list[dict[str, Any]]:
    """
    Filter and sort as SageMaker's List operations do: NameContains, StatusEquals, Creation- and LastModifiedTime
    bounds, SortBy and SortOrder.

    :param name: the record's key that NameContains looks in.
    :param status: the record's key that StatusEquals compares, if the operation has it.
    :param sort_keys: SortBy value -> record key, beyond Name, CreationTime and LastModifiedTime.
    :param arranged: a sort key of the caller's own, in place of SortBy.
    :param by: SortBy where the request does not say: the operations differ, see botocore's documentation of each.
    :param order: SortOrder where the request does not say.
    """
    chosen = [record for record in records if _matches(record, request, name, status)]
    keys = {"Name": name, "CreationTime": "CreationTime", "LastModifiedTime": "LastModifiedTime", **(sort_keys or {})}
    if status:
        keys.setdefault("Status", status)
    key = keys.get(request.get("SortBy", by), keys[by])
    chosen.sort(key=arranged or (lambda record: record[key]), reverse=request.get("SortOrder", order) == "Descending")
    return chosen


def _matches(record: dict[str, Any], request: dict[str, Any], name: str, status: str | None) -> bool:
    if request.get("NameContains", "").lower() not in record[name].lower():
        return False
    if status and request.get("StatusEquals") and record[status] != request["StatusEquals"]:
        return False
    for key in ("CreationTime", "LastModifiedTime"):
        after, before = request.get(f"{key}After"), request.get(f"{key}Before")
        if (after and record[key] <= after) or (before and record[key] >= before):
            return False
    return True
