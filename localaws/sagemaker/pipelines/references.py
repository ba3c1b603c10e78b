"""References as definitions have them: ``Parameters.Epochs``, ``Steps.Train.ModelArtifacts.S3ModelArtifacts``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from localaws.core.errors import ValidationException

#: what makes a JSON object an expression; it has no other member.
FUNCTIONS = ("Get", "Std:Join", "Std:JsonGet")

_REFERENCE = re.compile(r"(?P<root>[A-Za-z]+)\.(?P<name>[A-Za-z0-9_-]+)(?P<rest>.*)", re.DOTALL)
_PART = re.compile(r"""\.([A-Za-z0-9_:-]+)|\[(\d+)\]|\['([^']*)'\]|\["([^"]*)"\]""")

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Reference:
    """
    What a ``Get`` names.

    :param root: ``Parameters``, ``Execution``, ``Steps`` or ``PipelineExperimentConfig``.
    :param name: of the parameter, variable, step or member.
    :param path: within it: member names, and positions or names in a list.
    """

    text: str
    root: str
    name: str
    path: Path

    @property
    def step(self) -> str | None:
        """The step that it names, if it names one."""
        return self.name if self.root == "Steps" else None

    @property
    def property_file(self) -> str | None:
        """The property file that it names, if it names one."""
        if self.root == "Steps" and len(self.path) == 2 and self.path[0] == "PropertyFiles":
            return str(self.path[1])
        return None


def parse(text: str) -> Reference:
    """
    Read a reference.

    :raises ValidationException: the text is not a reference.
    """
    match = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValidationException(f"Unable to parse pipeline definition. Invalid property reference '{text}'.")
    return Reference(text, match["root"], match["name"], path(match["rest"], text))


def path(rest: str, whole: str) -> Path:
    """
    Split ``.a[0]['b'].c`` into its parts.

    :param whole: what to name in the error.
    :raises ValidationException: it is not of that form.
    """
    parts: list[str | int] = []
    place = 0
    while place < len(rest):
        match = _PART.match(rest, place)
        if match is None:
            raise ValidationException(f"Unable to parse pipeline definition. Invalid property reference '{whole}'.")
        name, number, single, double = match.groups()
        parts.append(int(number) if number is not None else next(x for x in (name, single, double) if x is not None))
        place = match.end()
    return tuple(parts)


def json_path(text: str) -> Path:
    """
    Split JsonGet's Path, ``metrics.accuracy.value`` with or without a leading ``$.``, into its parts.

    :raises ValidationException: it is not of that form.
    """
    rest = text.removeprefix("$")
    return path(rest if rest.startswith((".", "[")) or not rest else f".{rest}", text)


def is_expression(value: Any) -> bool:
    """Return True if a JSON value is a reference that is resolved when the step begins."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in FUNCTIONS


def within(value: Any) -> Iterator[Reference]:
    """
    Return all references within a JSON value, however deep.

    :raises ValidationException: one cannot be read.
    """
    if isinstance(value, list):
        for item in value:
            yield from within(item)
    elif isinstance(value, dict):
        if is_expression(value) and "Get" in value:
            yield parse(value["Get"])
        else:
            for item in value.values():
                yield from within(item)


def functions(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name and the operand of each expression within a JSON value, outer ones first."""
    if isinstance(value, list):
        for item in value:
            yield from functions(item)
    elif isinstance(value, dict):
        if is_expression(value):
            yield next(iter(value.items()))
        for item in value.values():
            yield from functions(item)


def descend(value: Any, parts: Path) -> Any:
    """
    Return the value at a path.

    :raises LookupError: there is none.
    """
    for part in parts:
        value = _member(value, part)
    return value


def _member(value: Any, part: str | int) -> Any:
    if isinstance(value, list) and isinstance(part, str):
        # A list's element by its name: Outputs['report'] is the one whose OutputName is "report".
        found = [
            item
            for item in value
            if isinstance(item, dict) and any(k.endswith("Name") and v == part for k, v in item.items())
        ]
        if not found:
            raise LookupError(part)
        return found[0]
    if isinstance(value, list) and isinstance(part, int):
        return value[part]
    if isinstance(value, dict):
        return value[part]
    raise LookupError(part)
