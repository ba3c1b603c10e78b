"""Markers of pages, which moto reads as numbers whatever they are."""

from __future__ import annotations

from typing import Any, NamedTuple

from localaws.core.errors import AwsError


class _Token(NamedTuple):
    member: str
    code: str
    message: str


_TOKENS = {
    "iam": _Token("Marker", "ValidationError", "Invalid Marker"),
    "secretsmanager": _Token("NextToken", "InvalidNextTokenException", "Invalid pagination token"),
    "application-autoscaling": _Token("NextToken", "InvalidNextTokenException", "Invalid pagination token"),
}


def check(service: str, parameters: dict[str, Any]) -> None:
    """
    Check a pagination token.

    :raises AwsError: the token was never issued.
    """
    token = _TOKENS.get(service)
    if token is None or token.member not in parameters:
        return
    text = parameters[token.member]
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise AwsError(token.message, code=token.code, status=400)
