"""The constraints of botocore's models, checked and worded as AWS does it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import regex
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from localaws.core.errors import ValidationException

#: a longer value is cut in the message: a 1 MB text must not come back whole.
_LONGEST_SHOWN = 1000
_SIZED = ("string", "blob", "list", "map")
#: shape -> what it may be here beside what AWS takes: an identity provider on this machine has no certificate.
_ALSO_HERE = {"OidcEndpoint": r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?(?:[/?]\S*)?"}


class Failure(NamedTuple):
    """
    A member that breaks a constraint.

    :param at: the member's path, such as ``tags.1.member.key``.
    :param missing: whether it is a required member that is not there.
    :param text: the sentence that AWS has for it.
    """

    at: str
    missing: bool
    text: str


def validate(operation: OperationModel, request: dict[str, Any]) -> None:
    """
    Check required members, lengths, ranges, patterns and enums of a parsed request.

    :raises ValidationException: "N validation errors detected: ...", naming every member that fails.
    """
    found = failures(operation, request)
    if found:
        # SageMaker's runtimes have a name of their own for it, and so have the services of the query protocol.
        named = "ValidationError" in _error_names(operation)
        code = "ValidationError" if named or operation.service_model.resolved_protocol == "query" else None
        raise ValidationException(summary(found), code=code)


def failures(operation: OperationModel, request: dict[str, Any]) -> list[Failure]:
    """Return every member of a parsed request that breaks a constraint of the model."""
    return list(_structure(operation.input_shape, request, "")) if operation.input_shape else []


def summary(found: list[Failure]) -> str:
    """AWS's one message for all failures."""
    noun = "error" if len(found) == 1 else "errors"
    return f"{len(found)} validation {noun} detected: {'; '.join(failure.text for failure in found)}"


def _error_names(operation: OperationModel) -> set[str]:
    return {shape.name for shape in operation.error_shapes}


def _structure(shape: StructureShape, value: dict[str, Any], path: str) -> Iterator[Failure]:
    required = set(shape.required_members)
    for name, member in shape.members.items():
        at = f"{path}{name[0].lower()}{name[1:]}"
        if name in value:
            yield from _member(member, value[name], at)
        elif name in required:
            yield _failure(None, at, "Member must not be null")


def _member(shape: Shape, value: Any, at: str) -> Iterator[Failure]:
    for constraint in _constraints(shape, value):
        yield _failure(value, at, constraint, sensitive=bool(shape.metadata.get("sensitive")))
    if isinstance(shape, StructureShape):
        if not shape.is_document_type:
            yield from _structure(shape, value, f"{at}.")
    elif isinstance(shape, ListShape):
        yield from _list(shape, value, at)
    elif isinstance(shape, MapShape):
        yield from _map(shape, value, at)


def _list(shape: ListShape, value: list[Any], at: str) -> Iterator[Failure]:
    member = shape.member
    if isinstance(member, StructureShape | ListShape | MapShape):
        for number, item in enumerate(value, 1):
            place = f"{at}.{number}.member"
            if item is None:
                yield _failure(None, place, "Member must not be null")
            else:
                yield from _member(member, item, place)
        return
    wrong = _first_wrong(member, value)
    if wrong:
        yield _failure(value, at, f"Member must satisfy constraint: [{', '.join(wrong)}]")


def _map(shape: MapShape, value: dict[str, Any], at: str) -> Iterator[Failure]:
    wrong = _first_wrong(shape.key, value)
    if wrong:
        yield _failure(value, at, f"Map keys must satisfy constraint: [{', '.join(wrong)}]")
    if isinstance(shape.value, StructureShape | ListShape | MapShape):
        for key, item in value.items():
            place = f"{at}.{key}.member"
            if item is None:
                yield _failure(None, place, "Member must not be null")
            else:
                yield from _member(shape.value, item, place)
        return
    wrong = _first_wrong(shape.value, value.values())
    if wrong:
        yield _failure(value, at, f"Map value must satisfy constraint: [{', '.join(wrong)}]")


def _first_wrong(shape: Shape, items: Any) -> list[str]:
    """Return all constraints of a scalar shape if any item breaks one: AWS lists them all."""
    for item in items:
        if item is None or any(_constraints(shape, item)):
            return ["Member must not be null"] if item is None else list(_all_constraints(shape))
    return []


def _constraints(shape: Shape, value: Any) -> Iterator[str]:
    """Return the texts of the constraints that ``value`` breaks."""
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    size = len(value) if shape.type_name in _SIZED else value
    if isinstance(size, int | float):
        if most is not None and size > most:
            yield _bound(shape, "less", most)
        if least is not None and size < least:
            yield _bound(shape, "greater", least)
    if not isinstance(value, str):
        return
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value) and not _matches(_ALSO_HERE.get(shape.name, pattern), value):
        yield f"Member must satisfy regular expression pattern: {pattern}"
    choices = getattr(shape, "enum", None)
    if choices and value not in choices:
        yield f"Member must satisfy enum value set: [{', '.join(choices)}]"


def _all_constraints(shape: Shape) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is not None:
        yield _bound(shape, "less", most)
    if least is not None:
        yield _bound(shape, "greater", least)
    pattern = shape.metadata.get("pattern")
    if pattern:
        yield f"Member must satisfy regular expression pattern: {pattern}"
    choices = getattr(shape, "enum", None)
    if choices:
        yield f"Member must satisfy enum value set: [{', '.join(choices)}]"


def _bound(shape: Shape, direction: str, limit: int) -> str:
    measure = "length" if shape.type_name in _SIZED else "value"
    return f"Member must have {measure} {direction} than or equal to {limit}"


@cache
def _compiled(pattern: str) -> regex.Pattern[str]:
    # The models' patterns are Java's: \p{L} and the like, which the standard library's re does not know, and the
    # characters beyond the first plane written as a range of surrogate pairs.
    return regex.compile(pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"))


def _matches(pattern: str, value: str) -> bool:
    return _compiled(pattern).fullmatch(value) is not None


def _failure(value: Any, at: str, constraint: str, *, sensitive: bool = False) -> Failure:
    if value is None:
        shown = "Value null"
    elif sensitive:
        shown = "Value"
    else:
        shown = f"Value '{_shown(value)}'"
    return Failure(at, value is None, f"{shown} at '{at}' failed to satisfy constraint: {constraint}")


def _shown(value: Any) -> str:
    text = _java_text(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _java_text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_java_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_java_text(item) for item in value) + "]"
    if isinstance(value, bytes):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)
