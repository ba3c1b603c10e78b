"""The part of JSONPath that DataProcessing of batch transform knows: names, indices, slices and the wildcard."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_DOT = re.compile(r"\.(?:(?P<name>[^.\[\]*'\s]+)|(?P<wild>\*)|(?=\[))")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_NAMES = re.compile(r"\s*'([^']+)'\s*")
_INDEX = re.compile(r"\s*-?\d+\s*")
_SLICE = re.compile(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*")


class PathError(ValueError):
    """The text is no path of this kind."""


class NoSuchElement(LookupError):
    """The value has nothing at the path."""


class JsonPath:
    """
    A path such as ``$``, ``$.a``, ``$['a','b']``, ``$[0,-1]``, ``$[1:]`` or ``$.a[*]``.

    Several names give an object of them; several indices, a slice and the wildcard a list.

    :raises PathError: the text is not a path of this kind.
    """

    def __init__(self, text: str) -> None:
        if not text.startswith("$"):
            raise PathError(f"{text!r} does not begin with $")
        self.whole = text == "$"
        self._text = text
        self._steps = list(_steps(text))

    def __call__(self, value: Any) -> Any:
        """
        Return what ``value`` has at the path.

        :raises NoSuchElement: it has nothing there.
        """
        for step in self._steps:
            try:
                value = step(value)
            except (LookupError, TypeError) as error:
                raise NoSuchElement(f"the record has nothing at {self._text}: {error}") from error
        return value


def _steps(text: str) -> list[Callable[[Any], Any]]:
    steps: list[Callable[[Any], Any]] = []
    place = 1
    while place < len(text):
        if found := _DOT.match(text, place):
            if found["wild"]:
                steps.append(_all)
            elif found["name"]:
                steps.append(_name(found["name"]))
        elif found := _BRACKET.match(text, place):
            steps.append(_bracket(found[1], text))
        else:
            raise PathError(f"{text!r} cannot be read from {text[place:]!r} on")
        place = found.end()
    if text.endswith("."):
        raise PathError(f"{text!r} ends with a dot")
    return steps


def _bracket(inside: str, text: str) -> Callable[[Any], Any]:
    if inside.strip() == "*":
        return _all
    if bounds := _SLICE.fullmatch(inside):
        start, end = (None if bound is None else int(bound) for bound in bounds.groups())
        return lambda value: _list(value)[start:end]
    parts = inside.split(",")
    if all(_INDEX.fullmatch(part) for part in parts):
        return _indices([int(part) for part in parts])
    names = [found[1] for part in parts if (found := _NAMES.fullmatch(part))]
    if len(names) != len(parts):
        raise PathError(f"{text!r} has [{inside}], which is neither names in quotes, nor indices, nor a slice")
    return _name(names[0]) if len(names) == 1 else lambda value: {name: value[name] for name in names}


def _name(name: str) -> Callable[[Any], Any]:
    def step(value: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError(f"{name} of what is no object")
        return value[name]

    return step


def _indices(numbers: list[int]) -> Callable[[Any], Any]:
    if len(numbers) == 1:
        return lambda value: _list(value)[numbers[0]]
    return lambda value: [_list(value)[number] for number in numbers]


def _all(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else list(_list(value))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("an index into what is no list")
    return value
