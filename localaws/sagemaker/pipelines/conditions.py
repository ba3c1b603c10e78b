"""The conditions of a condition step."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from localaws.core.errors import ValidationException
from localaws.sagemaker.pipelines.parameters import text

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
_MEMBERS = {
    **{name: ("LeftValue", "RightValue") for name in _COMPARISONS},
    "In": ("QueryValue", "Values"),
    "Not": ("Condition",),
    "Or": ("Conditions",),
}


class NotComparable(Exception):
    """The two sides of a condition are of different types."""


def check(condition: Any, step: str) -> None:
    """
    Refuse a condition that the schema does not know.

    :raises ValidationException: its type is unknown or a member is missing.
    """
    kind = condition.get("Type") if isinstance(condition, dict) else None
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise ValidationException(
            f"Unable to parse pipeline definition. Step '{step}' has a condition of the invalid type '{kind}': it must "
            f"be one of {', '.join(_MEMBERS)}."
        )
    for member in _MEMBERS[kind]:
        if condition.get(member) is None:
            raise ValidationException(
                f"Unable to parse pipeline definition. A condition {kind} of step '{step}' has no {member}."
            )
    lists = {"In": "Values", "Or": "Conditions"}
    if kind in lists and not isinstance(condition[lists[kind]], list):
        raise ValidationException(
            f"Unable to parse pipeline definition. {lists[kind]} of step '{step}': expecting start of Json Array."
        )
    if kind == "Not":
        check(condition["Condition"], step)
    if kind == "Or":
        for each in condition["Conditions"]:
            check(each, step)


def holds(condition: dict[str, Any]) -> bool:
    """
    Return True if a condition, its expressions resolved, is true.

    :raises NotComparable: its sides are of different types.
    """
    kind = condition["Type"]
    if kind == "Not":
        return not holds(condition["Condition"])
    if kind == "Or":
        return any(holds(each) for each in condition["Conditions"])
    if kind == "In":
        return any(_compare("Equals", condition["QueryValue"], value) for value in condition["Values"])
    return _compare(kind, condition["LeftValue"], condition["RightValue"])


def _compare(kind: str, left: Any, right: Any) -> bool:
    if _type(left) != _type(right):
        raise NotComparable(f"{kind} compares {_type(left)} '{text(left)}' with {_type(right)} '{text(right)}'")
    return _COMPARISONS[kind](left, right)


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int | float):
        return "number"
    return "String" if isinstance(value, str) else type(value).__name__
