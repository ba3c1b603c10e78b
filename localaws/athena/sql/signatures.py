"""
Functions as they stand in Trino's manual, one signature a line, each with the DuckDB SQL that does the same.

``element_at(array(T), bigint) -> T = list_extract({0}, {1})``: capital letters are type variables (``N`` must be
numeric, ``I`` an integer, ``D`` a date or timestamp), ``...`` after the last parameter repeats it, ``{0}`` is an
argument's SQL, ``{T}`` a variable's DuckDB type. A line that begins with ``@`` is an aggregate: ``{args}`` are its
arguments with DISTINCT and ORDER BY, ``{over}`` its FILTER and OVER; one that begins with ``%`` is a window function.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from localaws.athena import types
from localaws.athena.types import Type

_LINE = re.compile(r"^(?P<kind>[@%]?)(?P<name>\w+)\((?P<parameters>.*?)\) -> (?P<returns>.+?)(?: = (?P<template>.+))?$")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Signature:
    """One overload of a function."""

    name: str
    parameters: tuple[Type, ...]
    returns: Type
    template: str
    variadic: bool = False
    aggregate: bool = False
    window: bool = False

    def __str__(self) -> str:
        shown = ", ".join(_shown(parameter) for parameter in self.parameters)
        return f"{self.name}({shown}{', ...' if self.variadic else ''})"

    def accepts(self, count: int) -> bool:
        """Return True if that many arguments can be given."""
        return count >= len(self.parameters) - 1 if self.variadic else count == len(self.parameters)

    def parameter(self, index: int) -> Type:
        """Return the pattern that argument ``index`` must match."""
        return self.parameters[min(index, len(self.parameters) - 1)]


@dataclass
class Binding:
    """What type variables stand for, as arguments are matched one by one, and how far the arguments were bent."""

    variables: dict[str, Type] = field(default_factory=dict)
    cost: int = 0

    def match(self, pattern: Type, actual: Type) -> bool:
        """Bind variables so that ``pattern`` fits ``actual``, and return True if it does."""
        if pattern.base.startswith("?"):
            return self._bind(pattern.base[1:], actual)
        if pattern.base in ("any", "function"):
            return True
        if actual.base == "unknown":
            self.cost += 1
            return True
        if pattern.base != actual.base:
            return self._bend(pattern, actual)
        if pattern.base in ("array", "map"):
            return all(self.match(part, inside) for part, inside in zip(pattern.args, actual.args, strict=True))
        return True

    def _bind(self, name: str, actual: Type) -> bool:
        restriction = _RESTRICTIONS.get(name[0])
        if restriction is not None and actual.base != "unknown" and not restriction(actual):
            return False
        bound = self.variables.get(name)
        if bound is None:
            self.variables[name] = actual
            return True
        shared = types.common(bound, actual)
        if shared is None:
            return False
        self.cost += shared != bound or shared != actual
        self.variables[name] = shared
        return True

    def _bend(self, pattern: Type, actual: Type) -> bool:
        order = _BENDS.get(actual.base, ())
        if pattern.base not in order:
            return False
        self.cost += 1 + order.index(pattern.base)
        return True

    def resolve(self, pattern: Type) -> Type:
        """``pattern`` with its variables replaced."""

        def known(kind: Type) -> Type:
            return self.variables.get(kind.base[1:], types.UNKNOWN) if kind.base.startswith("?") else kind

        return types.transform(pattern, known)


#: what the variables of a name may stand for.
_RESTRICTIONS: dict[str, Callable[[Type], bool]] = {
    "N": lambda kind: kind.is_numeric,
    "I": lambda kind: kind.is_integer,
    "D": lambda kind: kind.base in ("date", "timestamp", "timestamp with time zone"),
}

#: what a type turns into by itself, nearest first.
_BENDS = {
    "tinyint": ("smallint", "integer", "bigint", "decimal", "real", "double"),
    "smallint": ("integer", "bigint", "decimal", "real", "double"),
    "integer": ("bigint", "decimal", "real", "double"),
    "bigint": ("decimal", "real", "double"),
    "decimal": ("real", "double"),
    "real": ("double",),
    "date": ("timestamp", "timestamp with time zone"),
    "timestamp": ("timestamp with time zone",),
    "char": ("varchar",),
    "json": (),
}


@cache
def pattern(name: str) -> Type:
    """Parse the name of a type, type variables and ``function(...)`` included."""
    name = name.strip()
    if re.fullmatch(r"[A-Z]\d?", name):
        return Type(f"?{name}")
    head, separator, rest = name.partition("(")
    if not separator:
        return Type(name)
    return Type(head.strip(), tuple(pattern(part) for part in split(rest[:-1])))


def split(text: str) -> list[str]:
    """Split ``text`` at its outermost commas."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def parse(table: str) -> dict[str, list[Signature]]:
    """Parse a table of signatures and return them by function name."""
    found: dict[str, list[Signature]] = {}
    for line in table.strip().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.match(line.strip())
        if match is None:
            raise ValueError(f"not a signature: {line}")
        signature = _signature(match)
        found.setdefault(signature.name, []).append(signature)
    return found


def _signature(match: re.Match[str]) -> Signature:
    name, kind = match["name"], match["kind"]
    names = split(match["parameters"])
    variadic = bool(names) and names[-1].endswith("...")
    parameters = tuple(pattern(part.removesuffix("...")) for part in names)
    template = match["template"]
    if template is None:
        template = f"{name}({{args}}){{over}}" if kind else f"{name}({{all}})"
    return Signature(name, parameters, pattern(match["returns"]), template, variadic, kind == "@", kind == "%")


def fill(template: str, values: dict[str, str]) -> str:
    """``template`` with its placeholders replaced; a brace that is no placeholder stays."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)


def _shown(kind: Type) -> str:
    name = kind.base.removeprefix("?")
    return f"{name}({', '.join(_shown(part) for part in kind.args)})" if kind.args else name
