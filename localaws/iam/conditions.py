"""The Condition of a statement: AWS's operators over the values of context keys."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from localaws.gateway.protocol import timestamps
from localaws.iam.documents import InvalidInput, like, plain, substituted, texts

Context = Mapping[str, list[str]]
#: of the request's value and the policy's.
Test = Callable[[str, str], bool]


def holds(condition: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """
    Return True if all of a statement's conditions hold.

    :param context: key in lower case -> its values.
    :raises InvalidInput: an operator is unknown, or a value is not of its type.
    """
    try:
        return all(
            _holds(operator, key, [substituted(value, context) for value in texts(values)], context)
            for operator, keys in condition.items()
            for key, values in keys.items()
        )
    except (ValueError, AttributeError) as error:
        raise InvalidInput(f"The condition {condition} cannot be evaluated: {error}") from error


def keys(condition: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Return the context keys that a statement's conditions ask for."""
    for operands in condition.values():
        yield from operands


def _holds(operator: str, key: str, wanted: list[str | None], context: Context) -> bool:
    every, _, name = operator.rpartition(":")
    given = context.get(key.lower())
    if name == "Null":
        return (given is None) == (wanted == ["true"])
    optional = name.endswith("IfExists")
    test, negated = _operator(name.removesuffix("IfExists"))
    if given is None or (every and not given):
        return optional or negated or every == "ForAllValues"
    found = [any(each is not None and test(value, each) for each in wanted) != negated for value in given]
    if every == "ForAnyValue":
        return any(found)
    if every in ("", "ForAllValues"):
        return all(found)
    raise ValueError(f"{every} is not a set operator")


def _operator(name: str) -> tuple[Test, bool]:
    """Return what an operator tests, and whether its outcome is negated."""
    positive = name.replace("Not", "", 1)
    if positive != name and positive not in _NEGATED:
        raise ValueError(f"localaws does not know the condition operator {name}")
    if positive in _PATTERNS:
        return _PATTERNS[positive], positive != name
    if positive in _TESTS:
        test = _TESTS[positive]
        return (lambda given, wanted: test(given, plain(wanted))), positive != name
    raise ValueError(f"localaws does not know the condition operator {name}")


def _number(compare: Callable[[float, float], bool]) -> Test:
    return lambda given, wanted: compare(float(given), float(wanted))


def _date(compare: Callable[[datetime, datetime], bool]) -> Test:
    return lambda given, wanted: compare(_moment(given), _moment(wanted))


def _moment(text: str) -> datetime:
    return timestamps.parse(float(text) if text.replace(".", "", 1).isdecimal() else text)


def _address(given: str, wanted: str) -> bool:
    return ipaddress.ip_address(given) in ipaddress.ip_network(wanted, strict=False)


def _arn(given: str, wanted: str) -> bool:
    """Each of the six parts by itself: a wildcard does not reach over a colon."""
    parts, patterns = given.split(":", 5), wanted.split(":", 5)
    return len(parts) == len(patterns) and all(map(like, parts, patterns))


def _binary(given: str, wanted: str) -> bool:
    return base64.b64decode(given, validate=True) == base64.b64decode(wanted, validate=True)


_TESTS: dict[str, Test] = {
    "StringEquals": lambda given, wanted: given == wanted,
    "StringEqualsIgnoreCase": lambda given, wanted: given.lower() == wanted.lower(),
    "NumericEquals": _number(lambda given, wanted: given == wanted),
    "NumericLessThan": _number(lambda given, wanted: given < wanted),
    "NumericLessThanEquals": _number(lambda given, wanted: given <= wanted),
    "NumericGreaterThan": _number(lambda given, wanted: given > wanted),
    "NumericGreaterThanEquals": _number(lambda given, wanted: given >= wanted),
    "DateEquals": _date(lambda given, wanted: given == wanted),
    "DateLessThan": _date(lambda given, wanted: given < wanted),
    "DateLessThanEquals": _date(lambda given, wanted: given <= wanted),
    "DateGreaterThan": _date(lambda given, wanted: given > wanted),
    "DateGreaterThanEquals": _date(lambda given, wanted: given >= wanted),
    "Bool": lambda given, wanted: given.lower() == wanted.lower(),
    "BinaryEquals": _binary,
    "IpAddress": _address,
}
#: likewise, where the policy's value is a pattern.
_PATTERNS: dict[str, Test] = {"StringLike": like, "ArnEquals": _arn, "ArnLike": _arn}
#: those that AWS has the opposite of, with ``Not`` in the name.
_NEGATED = frozenset(
    {
        "StringEquals",
        "StringEqualsIgnoreCase",
        "StringLike",
        "NumericEquals",
        "DateEquals",
        "IpAddress",
        "ArnEquals",
        "ArnLike",
    }
)
