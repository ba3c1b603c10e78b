"""Pages of Athena's List operations."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

from localaws.core.errors import InvalidRequestException

T = TypeVar("T")


def invalid(message: str, code: str = "INVALID_INPUT") -> InvalidRequestException:
    """InvalidRequestException with Athena's own code for it."""
    return InvalidRequestException(message, AthenaErrorCode=code)


def page(items: Sequence[T], request: dict[str, Any], *, size: int = 50) -> tuple[list[T], dict[str, str]]:
    """
    Return one page by MaxResults and NextToken, and ``{"NextToken": ...}`` where there is more.

    :raises InvalidRequestException: the token was not issued here.
    """
    token = request.get("NextToken")
    start = _offset(token) if token else 0
    count = request.get("MaxResults") or size
    more = {"NextToken": _token(start + count)} if start + count < len(items) else {}
    return list(items[start : start + count]), more


def _token(offset: int) -> str:
    return base64.b64encode(f"item:{offset}".encode()).decode()


def _offset(token: str) -> int:
    try:
        prefix, _, number = base64.b64decode(token, validate=True).decode().partition(":")
        if prefix != "item":
            raise ValueError(prefix)
        return int(number)
    except (ValueError, binascii.Error) as error:
        raise invalid(f"The nextPageToken is malformed: {token}") from error
