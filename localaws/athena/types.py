"""Trino's types, and their names in Trino, Hive, DuckDB and Athena's ColumnInfo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localaws.athena.errors import QueryError

MAX_PRECISION = 38
UNBOUNDED_VARCHAR = 2147483647


@dataclass(frozen=True)
class Type:
    """
    One type: ``base`` is Trino's name of it without parameters.

    ``args`` are numbers (decimal, varchar, char, timestamp), types (array, map) or ``(name, type)`` pairs (row).
    """

    base: str
    args: tuple[Any, ...] = ()

    def __str__(self) -> str:
        if self.base in ("timestamp", "time") and not self.args:
            return f"{self.base}(3)"
        if self.base == TIMESTAMP_TZ.base:
            return "timestamp(3) with time zone"
        if not self.args:
            return self.base
        if self.base == "row":
            return "row(" + ", ".join(f"{name} {kind}" if name else str(kind) for name, kind in self.args) + ")"
        separator = "," if self.base == "decimal" else ", "
        return f"{self.base}({separator.join(str(arg) for arg in self.args)})"

    @property
    def is_integer(self) -> bool:
        """Tinyint to bigint."""
        return self.base in INTEGERS

    @property
    def is_numeric(self) -> bool:
        """Anything that arithmetic is for."""
        return self.base in INTEGERS or self.base in ("decimal", "real", "double")

    @property
    def is_text(self) -> bool:
        """Varchar or char."""
        return self.base in ("varchar", "char")

    @property
    def element(self) -> Type:
        """What an array holds."""
        return self.args[0]  # type: ignore[no-any-return]

    @property
    def zone(self) -> str:
        """The zone in which a timestamp with time zone is shown."""
        return self.args[0] if self.args else "UTC"


INTEGERS = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}

UNKNOWN = Type("unknown")
BOOLEAN = Type("boolean")
INTEGER = Type("integer")
BIGINT = Type("bigint")
REAL = Type("real")
DOUBLE = Type("double")
VARCHAR = Type("varchar")
VARBINARY = Type("varbinary")
DATE = Type("date")
TIME = Type("time")
TIMESTAMP = Type("timestamp")
TIMESTAMP_TZ = Type("timestamp with time zone")
INTERVAL_DAY = Type("interval day to second")
INTERVAL_YEAR = Type("interval year to month")
JSON = Type("json")


def decimal(precision: int, scale: int) -> Type:
    """Return a decimal type, its precision bounded at 38."""
    return Type("decimal", (min(MAX_PRECISION, precision), scale))


def array(element: Type) -> Type:
    """Return the type of an array of ``element``."""
    return Type("array", (element,))


def varchar(length: int) -> Type:
    """Return the varchar type that a literal or a cast bounds."""
    return Type("varchar", (length,))


def as_decimal(kind: Type) -> Type:
    """Return the decimal type that holds every value of an integer type; return a decimal type as it is."""
    return kind if kind.base == "decimal" else decimal(INTEGERS[kind.base], 0)


_DUCKDB = {
    "unknown": "VARCHAR",
    "integer": "INTEGER",
    "real": "FLOAT",
    "varchar": "VARCHAR",
    "char": "VARCHAR",
    "varbinary": "BLOB",
    "timestamp with time zone": "TIMESTAMPTZ",
    "interval day to second": "INTERVAL",
    "interval year to month": "INTERVAL",
    "uuid": "UUID",
    "ipaddress": "VARCHAR",
}


def duckdb(kind: Type) -> str:
    """DuckDB's name of the type that carries it."""
    if kind.base == "decimal":
        return f"DECIMAL({kind.args[0]},{kind.args[1]})"
    if kind.base == "array":
        return f"{duckdb(kind.element)}[]"
    if kind.base == "map":
        return f"MAP({duckdb(kind.args[0])}, {duckdb(kind.args[1])})"
    if kind.base == "row":
        return (
            "STRUCT("
            + ", ".join(f"{quote(row_field(kind, i))} {duckdb(t)}" for i, (_, t) in enumerate(kind.args))
            + ")"
        )
    return _DUCKDB.get(kind.base, kind.base.upper())


def row_field(kind: Type, index: int) -> str:
    """Return the name of a row's field in DuckDB, where a field that Trino leaves unnamed has one."""
    return kind.args[index][0] or f"field{index}"


def quote(name: str) -> str:
    """Quote an identifier for SQL."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Quote a string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


_HIVE = {"integer": "int", "real": "float", "varbinary": "binary"}


def hive(kind: Type) -> str:
    """
    Hive's name of the type, as Glue keeps it.

    :raises QueryError: NOT_SUPPORTED, Hive has no such type.
    """
    if kind.base == "array":
        return f"array<{hive(kind.element)}>"
    if kind.base == "map":
        return f"map<{hive(kind.args[0])},{hive(kind.args[1])}>"
    if kind.base == "row":
        return "struct<" + ",".join(f"{row_field(kind, i)}:{hive(t)}" for i, (_, t) in enumerate(kind.args)) + ">"
    if kind.base == "decimal":
        return f"decimal({kind.args[0]},{kind.args[1]})"
    if kind.base in ("varchar", "char"):
        return f"{kind.base}({kind.args[0]})" if kind.args else "string"
    if kind.base in ("unknown", "json", "uuid", "ipaddress", "time") or "with time zone" in kind.base:
        raise QueryError("NOT_SUPPORTED", f"Unsupported Hive type: {kind}")
    if kind.base.startswith("interval"):
        raise QueryError("NOT_SUPPORTED", f"Unsupported Hive type: {kind}")
    return _HIVE.get(kind.base, kind.base)


#: Hive's and Glue's names that differ from Trino's.
_FROM_HIVE = {
    "int": INTEGER,
    "float": REAL,
    "string": VARCHAR,
    "binary": VARBINARY,
    "long": BIGINT,
    "short": Type("smallint"),
    "byte": Type("tinyint"),
    "timestamp": TIMESTAMP,
    "decimal": Type("decimal", (10, 0)),
}
_PLAIN = {"boolean", "tinyint", "smallint", "integer", "bigint", "real", "double", "varchar", "date", "json", "char"}


def parse_hive(name: str) -> Type:
    """
    Parse a type in Hive's or Glue's spelling, such as ``map<string,array<struct<a:int,b:decimal(10,2)>>>``.

    :raises QueryError: HIVE_INVALID_METADATA, the name is not a type.
    """
    parsed, rest = _parse_hive(name.strip().lower())
    if rest.strip():
        raise _invalid(name)
    return parsed


def _parse_hive(name: str) -> tuple[Type, str]:
    name = name.lstrip()
    end = next((i for i, character in enumerate(name) if character in "<(,>"), len(name))
    word, rest = name[:end].strip(), name[end:]
    if rest.startswith("<"):
        return _parse_nested(word, rest[1:])
    if rest.startswith("("):
        inside, _, rest = rest[1:].partition(")")
        return _parametrised(word, inside), rest
    if word in _FROM_HIVE:
        return _FROM_HIVE[word], rest
    if word in _PLAIN:
        return Type(word), rest
    raise _invalid(word)


def _parametrised(word: str, inside: str) -> Type:
    try:
        numbers = tuple(int(number) for number in inside.split(","))
    except ValueError as error:
        raise _invalid(f"{word}({inside})") from error
    if word == "decimal":
        return Type("decimal", (numbers[0], numbers[1] if len(numbers) > 1 else 0))
    if word in ("varchar", "char"):
        return Type(word, numbers)
    if word == "timestamp":
        return TIMESTAMP
    raise _invalid(word)


def _parse_nested(word: str, rest: str) -> tuple[Type, str]:
    parts: list[Any] = []
    while True:
        field = None
        if word == "struct":
            field, _, rest = rest.partition(":")
        part, rest = _parse_hive(rest)
        parts.append((field.strip().strip("`"), part) if field is not None else part)
        rest = rest.lstrip()
        if rest.startswith(","):
            rest = rest[1:]
            continue
        if not rest.startswith(">"):
            raise _invalid(word)
        break
    kinds = {"struct": "row", "array": "array", "map": "map"}
    if word not in kinds or (word == "array" and len(parts) != 1) or (word == "map" and len(parts) != 2):
        raise _invalid(word)
    return Type(kinds[word], tuple(parts)), rest[1:]


def _invalid(name: str) -> QueryError:
    return QueryError("HIVE_INVALID_METADATA", f"Invalid or unsupported column type: {name}")


def common(left: Type, right: Type) -> Type | None:
    """Return the type that Trino coerces both types to, or ``None`` if there is none."""
    if left == right:
        return left
    if left.base == "unknown":
        return right
    if right.base == "unknown":
        return left
    if left.is_numeric and right.is_numeric:
        return _common_number(left, right)
    if left.is_text and right.is_text:
        return _common_text(left, right)
    if left.base in _DATES and right.base in _DATES:
        return max(left, right, key=lambda kind: _DATES.index(kind.base))
    if left.base == right.base and len(left.args) == len(right.args):
        return _common_nested(left, right)
    return None


_DATES = ["date", "timestamp", "timestamp with time zone"]
_NUMBERS = ["tinyint", "smallint", "integer", "bigint", "decimal", "real", "double"]


def _common_number(left: Type, right: Type) -> Type:
    higher = max(left, right, key=lambda kind: _NUMBERS.index(kind.base))
    if higher.base != "decimal":
        return higher
    one, other = as_decimal(left), as_decimal(right)
    scale = max(one.args[1], other.args[1])
    return decimal(max(one.args[0] - one.args[1], other.args[0] - other.args[1]) + scale, scale)


def _common_text(left: Type, right: Type) -> Type:
    if left.base == right.base and left.args and right.args:
        return max(left, right, key=lambda kind: kind.args[0])
    return VARCHAR


def _common_nested(left: Type, right: Type) -> Type | None:
    if left.base == "row":
        kinds = [common(one[1], other[1]) for one, other in zip(left.args, right.args, strict=True)]
        if None in kinds:
            return None
        names = [one[0] if one[0] == other[0] else None for one, other in zip(left.args, right.args, strict=True)]
        return Type("row", tuple(zip(names, kinds, strict=True)))
    if left.base in ("array", "map"):
        kinds = [common(one, other) for one, other in zip(left.args, right.args, strict=True)]
        return None if None in kinds else Type(left.base, tuple(kinds))
    return left if left.base in ("timestamp", "time", "char") else None


@dataclass(frozen=True)
class ColumnInfo:
    """A column of a result, as GetQueryResults and the metadata file describe it."""

    name: str
    type: str
    precision: int | None
    scale: int | None
    case_sensitive: bool | None

    def describe(self) -> dict[str, Any]:
        """Return the ColumnInfo member of ResultSetMetadata."""
        return {
            "CatalogName": "hive",
            "SchemaName": "",
            "TableName": "",
            "Name": self.name,
            "Label": self.name,
            "Type": self.type,
            "Precision": self.precision or 0,
            "Scale": self.scale or 0,
            "Nullable": "UNKNOWN",
            "CaseSensitive": bool(self.case_sensitive),
        }


_PRECISIONS = {**INTEGERS, "double": 17, "real": 17, "varbinary": 1073741824, "timestamp": 3, "time": 3}


def column_info(name: str, kind: Type) -> ColumnInfo:
    """Return how Athena describes a column of this type (its precisions are measured, not deduced)."""
    base = "float" if kind.base == "real" else kind.base
    if kind.base == "decimal":
        return ColumnInfo(name, base, kind.args[0], kind.args[1], False)
    if kind.is_text:
        return ColumnInfo(name, base, kind.args[0] if kind.args else UNBOUNDED_VARCHAR, 0, True)
    if kind.base == TIMESTAMP_TZ.base:
        return ColumnInfo(name, base, 3, 0, False)
    if kind.base in _PRECISIONS:
        return ColumnInfo(name, base, _PRECISIONS[kind.base], 0, False)
    if kind.base == "date":
        return ColumnInfo(name, base, None, 0, False)
    if kind.base == "boolean" or kind.base.startswith("interval"):
        return ColumnInfo(name, base, None, None, False)
    return ColumnInfo(name, base, None, None, None)


def transform(kind: Type, change: Callable[[Type], Type]) -> Type:
    """``kind`` with ``change`` applied to it and to all types inside it, innermost first."""
    if kind.base == "row":
        return change(Type("row", tuple((name, transform(part, change)) for name, part in kind.args)))
    if kind.base in ("array", "map"):
        return change(Type(kind.base, tuple(transform(part, change) for part in kind.args)))
    return change(kind)
