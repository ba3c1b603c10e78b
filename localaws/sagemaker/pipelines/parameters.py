"""Parameters of a pipeline: their types, their defaults, and the values that an execution is started with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from localaws.core.errors import ValidationException

#: a parameter's value.
Primitive = str | int | float | bool

_PYTHON = {"String": (str,), "Integer": (int,), "Float": (int, float), "Boolean": (bool,)}
_INTEGER, _FLOAT = re.compile(r"[+-]?[0-9]+"), re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "false": False}
#: stands for the value of a text that is not of its type.
_MISSING = object()


@dataclass(frozen=True)
class Parameter:
    """
    A parameter as the definition has it.

    :param type: ``String``, ``Integer``, ``Float`` or ``Boolean``.
    :param default: ``None`` where a value must be given at the start.
    :param choices: the only values, where there are any.
    """

    name: str
    type: str
    default: Primitive | None = None
    choices: tuple[Primitive, ...] = ()

    def typed(self, text: str) -> Primitive:
        """
        Parse a value that StartPipelineExecution gives as a string.

        :raises ValidationException: it is not of the type, or none of the choices.
        """
        value = _read(self.type, text)
        if value is _MISSING:
            raise ValidationException(
                f"Parameter '{self.name}' has the value '{text}', which is not of its type {self.type}."
            )
        return self._chosen(value)

    def _chosen(self, value: Any) -> Primitive:
        if self.choices and value not in self.choices:
            choices = ", ".join(text(choice) for choice in self.choices)
            raise ValidationException(
                f"Parameter '{self.name}' has the value '{text(value)}', which is not one of its EnumValues: {choices}."
            )
        checked: Primitive = value
        return checked


def text(value: Any) -> str:
    """Return a value as text, for Std:Join and for answers that contain parameters."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def read(found: Any) -> dict[str, Parameter]:
    """
    Read the parameters of a definition.

    :raises ValidationException: a parameter does not match the schema.
    """
    if not isinstance(found, list):
        raise ValidationException("Unable to parse pipeline definition. Parameters must be an array.")
    parameters: dict[str, Parameter] = {}
    for each in found:
        parameter = _parameter(each)
        if parameter.name in parameters:
            raise ValidationException(
                f"Unable to parse pipeline definition. Duplicate parameter name '{parameter.name}'."
            )
        parameters[parameter.name] = parameter
    return parameters


def _parameter(found: Any) -> Parameter:
    if not isinstance(found, dict) or not isinstance(found.get("Name"), str):
        raise ValidationException("Unable to parse pipeline definition. Each parameter must have a Name.")
    name, kind = found["Name"], found.get("Type")
    if not isinstance(kind, str) or kind not in _PYTHON:
        raise ValidationException(
            f"Unable to parse pipeline definition. Parameter '{name}' has the invalid type '{kind}': it must be one "
            f"of {', '.join(_PYTHON)}."
        )
    default, choices = found.get("DefaultValue"), found.get("EnumValues") or []
    if not isinstance(choices, list):
        raise ValidationException(
            f"Unable to parse pipeline definition. EnumValues of the parameter '{name}': expecting start of Json Array."
        )
    for value in [*choices, *([] if default is None else [default])]:
        if not _is(kind, value):
            raise ValidationException(
                f"Unable to parse pipeline definition. Parameter '{name}' has the value '{text(value)}', which is not "
                f"of its type {kind}."
            )
    if default is not None and choices and default not in choices:
        raise ValidationException(
            f"Unable to parse pipeline definition. The DefaultValue '{text(default)}' of the parameter '{name}' is "
            "not one of its EnumValues."
        )
    if kind == "Float" and default is not None:
        # 1 is a Float in JSON, and would be another text than the 1.0 that an override comes to.
        default = float(default)
    return Parameter(name, kind, default, tuple(choices))


def values(
    parameters: Mapping[str, Parameter],
    given: Iterable[Mapping[str, str]],
    before: Mapping[str, Primitive] | None = None,
) -> dict[str, Primitive]:
    """
    Return the values of all parameters of an execution.

    :param given: the PipelineParameters of its start.
    :param before: the values of the execution whose results it takes over; they override the defaults.
    :raises ValidationException: one is unknown, given twice, of a wrong type or missing.
    """
    found: dict[str, Primitive] = {}
    for each in given:
        name = each["Name"]
        if name not in parameters:
            raise ValidationException(f"Parameter '{name}' is not defined in the pipeline definition.")
        if name in found:
            raise ValidationException(f"Parameter '{name}' is given more than once.")
        found[name] = parameters[name].typed(each["Value"])
    for name, parameter in parameters.items():
        if name not in found:
            default = (before or {}).get(name, parameter.default)
            if default is not None:
                found[name] = default
    if missing := [name for name in parameters if name not in found]:
        names = ", ".join(f"'{name}'" for name in missing)
        raise ValidationException(
            f"Missing parameter values: {names} have no default value in the pipeline definition and were not given."
        )
    return {name: found[name] for name in parameters}


def _is(kind: str, value: Any) -> bool:
    return isinstance(value, _PYTHON[kind]) and (kind == "Boolean" or not isinstance(value, bool))


def _read(kind: str, given: str) -> Any:
    if kind == "String":
        return given
    if kind == "Boolean":
        return _BOOLEANS.get(given.lower(), _MISSING)
    # Python would read "1_000" and "nan" as well.
    if not (_INTEGER if kind == "Integer" else _FLOAT).fullmatch(given):
        return _MISSING
    return int(given) if kind == "Integer" else float(given)
