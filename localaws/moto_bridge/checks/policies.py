"""A bucket's policy: JSON with the elements that it must have, in S3's words."""

from __future__ import annotations

import json
from typing import Any

from localaws.core.errors import AwsError

_VERSIONS = ("2012-10-17", "2008-10-17")
_DOCUMENT = {"Version", "Id", "Statement"}
_STATEMENT = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}


class MalformedPolicy(AwsError):
    """The policy is no JSON, or no policy of a bucket."""

    code = "MalformedPolicy"
    status = 400


def check(text: str) -> None:
    """
    Check a bucket policy.

    :raises MalformedPolicy: S3 would not take it.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedPolicy("Policies must be valid JSON and the first byte must be '{'") from error
    if not isinstance(document, dict):
        raise MalformedPolicy("Policies must be valid JSON and the first byte must be '{'")
    _known(document, _DOCUMENT)
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise MalformedPolicy("The policy must contain a valid version string")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicy("Missing required field Statement")
    for statement in statements:
        _statement(statement)


def _statement(statement: Any) -> None:
    if not isinstance(statement, dict):
        raise MalformedPolicy("This policy contains invalid Json")
    _known(statement, _STATEMENT)
    if statement.get("Effect") not in ("Allow", "Deny"):
        found = statement.get("Effect")
        raise MalformedPolicy(f"Invalid effect: {found}" if found else "Missing required field Effect cannot be empty!")
    for name in ("Principal", "Action", "Resource"):
        present = [each for each in (name, f"Not{name}") if each in statement]
        if not present:
            raise MalformedPolicy(f"Missing required field {name}")
        if len(present) > 1:
            raise MalformedPolicy(f"Statement can't include both {name} and Not{name}")
        if not _names(statement[present[0]], mapping=name == "Principal"):
            raise MalformedPolicy(
                f"Invalid {name.lower()} in policy" if name == "Principal" else f"Policy has invalid {name.lower()}"
            )
    if not isinstance(statement.get("Condition", {}), dict):
        raise MalformedPolicy("Conditions must be a JSON object")


def _known(element: dict[str, Any], names: set[str]) -> None:
    for name in element:
        if name not in names:
            raise MalformedPolicy(f"Unknown field {name}")


def _names(value: Any, *, mapping: bool) -> bool:
    """Return True if it is a string or strings; a principal may group them by kind."""
    if mapping and isinstance(value, dict):
        return bool(value) and all(_names(each, mapping=False) for each in value.values())
    if isinstance(value, list):
        return bool(value) and all(isinstance(each, str) and each for each in value)
    return isinstance(value, str) and bool(value)
