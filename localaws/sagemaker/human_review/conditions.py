"""
HumanLoopActivationConditions: when Rekognition or Textract would start a loop.

Neither is here, so that conditions are checked and kept, and never asked.
https://docs.aws.amazon.com/sagemaker/latest/dg/a2i-human-fallback-conditions-json-schema.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_COMPARISONS = ("Equals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
_CONFIDENCES = tuple(f"Confidence{comparison}" for comparison in _COMPARISONS)
_KEY_CONFIDENCES = tuple(
    f"{block}Confidence{comparison}" for block in ("KeyValueBlock", "WordBlock") for comparison in _COMPARISONS
)
#: Condition type -> its parameter that must be there, and those of which one must.
_TYPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "ModerationLabelConfidenceCheck": ("ModerationLabelName", _CONFIDENCES),
    "ImportantFormKeyConfidenceCheck": ("ImportantFormKey", _KEY_CONFIDENCES),
    "MissingImportantFormKey": ("ImportantFormKey", ()),
    "Sampling": ("RandomSamplingPercentage", ()),
}
#: HumanLoopRequestSource -> the condition types of its service.
_OF_SOURCE = {
    "AWS/Rekognition/DetectModerationLabels/Image/V3": {"ModerationLabelConfidenceCheck", "Sampling"},
    "AWS/Textract/AnalyzeDocument/Forms/V1": {"ImportantFormKeyConfidenceCheck", "MissingImportantFormKey", "Sampling"},
}


class Unfit(Exception):
    """The conditions are not valid; the text says where and why."""


def check(text: str, source: str | None) -> None:
    """
    Check conditions against AWS's schema.

    :param source: AwsManagedHumanLoopRequestSource, where the flow has one.
    :raises Unfit: They do not fit.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unfit(f"it is not valid JSON: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("Conditions"), list):
        raise Unfit("it must be an object with an array Conditions")
    allowed = _OF_SOURCE.get(source or "", set(_TYPES))
    for number, condition in enumerate(value["Conditions"]):
        _check(condition, f"Conditions[{number}]", allowed)


def _check(condition: Any, where: str, allowed: set[str]) -> None:
    if not isinstance(condition, dict):
        raise Unfit(f"{where} must be an object")
    for operator in ("And", "Or"):
        if operator in condition:
            _check_all(condition[operator], f"{where}.{operator}", allowed)
            return
    kind = condition.get("ConditionType")
    if kind not in allowed:
        raise Unfit(f"{where}.ConditionType must be one of {', '.join(sorted(allowed))}, and is {kind!r}")
    _check_parameters(condition.get("ConditionParameters"), kind, f"{where}.ConditionParameters")


def _check_all(conditions: Any, where: str, allowed: set[str]) -> None:
    if not isinstance(conditions, list) or len(conditions) < 2:
        raise Unfit(f"{where} must be an array of at least two conditions")
    for number, condition in enumerate(conditions):
        _check(condition, f"{where}[{number}]", allowed)


def _check_parameters(parameters: Any, kind: str, where: str) -> None:
    needed, one_of = _TYPES[kind]
    if not isinstance(parameters, Mapping) or needed not in parameters:
        raise Unfit(f"{where} of {kind} must have {needed}")
    given = [name for name in one_of if name in parameters]
    if one_of and not given:
        raise Unfit(f"{where} of {kind} must have one of {', '.join(one_of)}")
    for name in (*given, *(("RandomSamplingPercentage",) if kind == "Sampling" else ())):
        value = parameters[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            raise Unfit(f"{where}.{name} must be a number from 0 to 100, and is {value!r}")
