"""Hive types as the Glue catalog writes them, how they are inferred from values, and how two of them become one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_INTEGER = re.compile(r"[+-]?\d{1,19}")
_DOUBLE = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|NaN|[+-]?Infinity")
_LONG = range(-(2**63), 2**63)
_INT = range(-(2**31), 2**31)


@dataclass(frozen=True)
class Primitive:
    """A type without parts: ``bigint``, ``decimal(10,2)``."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Array:
    """``array<element>``."""

    element: HiveType

    def __str__(self) -> str:
        return f"array<{self.element}>"


@dataclass(frozen=True)
class Map:
    """``map<key,value>``."""

    key: HiveType
    value: HiveType

    def __str__(self) -> str:
        return f"map<{self.key},{self.value}>"


@dataclass(frozen=True)
class Struct:
    """``struct<name:type,...>``, fields in order of appearance."""

    fields: tuple[tuple[str, HiveType], ...]

    def __str__(self) -> str:
        return f"struct<{','.join(f'{name}:{kind}' for name, kind in self.fields)}>"


@dataclass(frozen=True)
class Unknown:
    """Nothing but blanks or nulls so far: gives way to any other type, and is a string in the end, as with Glue."""

    def __str__(self) -> str:
        return "string"


HiveType = Primitive | Array | Map | Struct | Unknown

UNKNOWN = Unknown()
STRING = Primitive("string")
BOOLEAN = Primitive("boolean")
INT = Primitive("int")
BIGINT = Primitive("bigint")
DOUBLE = Primitive("double")

#: each number type fits into those after it, so the wider of two holds both.
_WIDTH = {name: rank for rank, name in enumerate(("tinyint", "smallint", "int", "bigint", "float", "double"))}


@dataclass(frozen=True)
class Column:
    """A column of a table: its name in lower case, as in the catalog."""

    name: str
    type: HiveType


def of_text(text: str) -> HiveType:
    """Return the type of one CSV value, as Glue sees it: blank, bigint, double, boolean or string."""
    if not text:
        return UNKNOWN
    if _INTEGER.fullmatch(text):
        return BIGINT if int(text) in _LONG else DOUBLE
    if _DOUBLE.fullmatch(text):
        return DOUBLE
    return BOOLEAN if text.lower() in ("true", "false") else STRING


def of_json(value: object) -> HiveType:
    """Return the type of one JSON value for Glue: whole numbers are int where 32 bits hold them, else bigint."""
    match value:
        case None:
            return UNKNOWN
        case bool():
            return BOOLEAN
        case int():
            return _of_integer(value)
        case float():
            return DOUBLE
        case list():
            return Array(merge_all(of_json(item) for item in value))
        case dict():
            return Struct(tuple((str(name), of_json(item)) for name, item in value.items()))
        case _:
            return STRING


def _of_integer(value: int) -> HiveType:
    if value in _INT:
        return INT
    return BIGINT if value in _LONG else DOUBLE


def merge(one: HiveType, other: HiveType) -> HiveType:
    """Return the type that holds both; string where nothing narrower does."""
    match one, other:
        case _ if one == other:
            return one
        case Unknown(), _:
            return other
        case _, Unknown():
            return one
        case Primitive(first), Primitive(second) if first in _WIDTH and second in _WIDTH:
            return one if _WIDTH[first] > _WIDTH[second] else other
        case Array(first), Array(second):
            return Array(merge(first, second))
        case Map(), Map():
            return Map(merge(one.key, other.key), merge(one.value, other.value))
        case Struct(), Struct():
            return Struct(tuple(merge_fields([dict(one.fields), dict(other.fields)]).items()))
        case _:
            return STRING


def merge_all(types: Iterable[HiveType]) -> HiveType:
    """:func:`merge` over any number of types."""
    result: HiveType = UNKNOWN
    for kind in types:
        result = merge(result, kind)
    return result


def merge_fields(rows: Iterable[Mapping[str, HiveType]]) -> dict[str, HiveType]:
    """Merge named types name by name, names in order of first appearance."""
    result: dict[str, HiveType] = {}
    for row in rows:
        for name, kind in row.items():
            result[name] = merge(result.get(name, UNKNOWN), kind)
    return result


def merge_columns(schemas: Iterable[Iterable[Column]]) -> tuple[Column, ...]:
    """Merge the columns of several schemas into one, in order of first appearance."""
    fields = merge_fields({column.name: column.type for column in schema} for schema in schemas)
    return tuple(Column(name, kind) for name, kind in fields.items())


def compatible(one: HiveType, other: HiveType) -> bool:
    """Return True if merging loses nothing: equal, blank, both numbers, or the same compound kind."""
    merged = merge(one, other)
    return merged != STRING or (STRING in (one, other) and UNKNOWN in (one, other)) or one == other


def unique(names: Iterable[str]) -> list[str]:
    """Return the names in lower case, repeated ones with ``_1``, ``_2``... added: the catalog knows no case."""
    taken: set[str] = set()
    result = []
    for name in names:
        lower = candidate = name.lower()
        suffix = 0
        while candidate in taken:
            suffix += 1
            candidate = f"{lower}_{suffix}"
        taken.add(candidate)
        result.append(candidate)
    return result
