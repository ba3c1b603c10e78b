"""Arguments of a step against the operation that they are for: what can be seen before expressions have values."""

from __future__ import annotations

from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from localaws.core import operations
from localaws.core.errors import ValidationException
from localaws.sagemaker.pipelines.definition import Step
from localaws.sagemaker.pipelines.references import is_expression


def check(operation: str, step: Step, *, made: str = "") -> None:
    """
    Refuse arguments that the operation cannot take, whatever their expressions come to.

    :param made: the member that is not the definition's to give, such as the job's name.
    :raises ValidationException: a required member is missing, or one is no array or object that must be.
    """
    shape = operations.operation_model("sagemaker", operation).input_shape
    if shape is not None:
        _check(shape, {made: "", **step.arguments}, "", step.name)


def _check(shape: Shape, value: Any, at: str, step: str) -> None:
    if value is None or is_expression(value):
        return
    if isinstance(shape, StructureShape):
        _check_structure(shape, _expect(value, dict, "Object", at, step), at, step)
    elif isinstance(shape, MapShape):
        for key, item in _expect(value, dict, "Object", at, step).items():
            _check(shape.value, item, f"{at}.{key}", step)
    elif isinstance(shape, ListShape):
        for number, item in enumerate(_expect(value, list, "Array", at, step)):
            _check(shape.member, item, f"{at}[{number}]", step)
    elif isinstance(value, dict | list):
        raise _wrong(f"Expecting a value and no Json Object or Array at '{at}' of step '{step}'.")


def _check_structure(shape: StructureShape, value: dict[str, Any], at: str, step: str) -> None:
    for name in shape.required_members:
        if value.get(name) is None:
            raise _wrong(f"Step '{step}' has no '{f'{at}.{name}'.lstrip('.')}', which is required.")
    for name, member in shape.members.items():
        _check(member, value.get(name), f"{at}.{name}".lstrip("."), step)


def _expect(value: Any, kind: type, name: str, at: str, step: str) -> Any:
    if not isinstance(value, kind):
        raise _wrong(f"Expecting start of Json {name} at '{at}' of step '{step}'.")
    return value


def _wrong(text: str) -> ValidationException:
    return ValidationException(f"Unable to parse pipeline definition. {text}")
