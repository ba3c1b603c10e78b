"""Values as text, the way Athena writes them into results and the way a cast to varchar does."""

from __future__ import annotations

from localaws.athena import types
from localaws.athena.types import Type

_STAMP = "%Y-%m-%d %H:%M:%S"
_FRACTIONS = {0: "", 3: ".%g", 6: ".%f"}
_MACROS = {
    "double": "t_double",
    "real": "t_double",
    "varbinary": "t_bytes",
    "interval day to second": "t_day_interval",
    "interval year to month": "t_year_interval",
}


def as_text(sql: str, kind: Type, depth: int = 0) -> str:
    """DuckDB SQL that gives the text of ``sql``, NULL where it is NULL."""
    if kind.base in ("varchar", "char"):
        return sql
    if kind.base in _MACROS:
        return f"{_MACROS[kind.base]}({sql})"
    if kind.base == "timestamp":
        return f"strftime({sql}, '{_STAMP}{fraction(kind)}')"
    if kind.base == types.TIMESTAMP_TZ.base:
        zone = types.text(kind.zone)
        return f"(strftime(timezone({zone}, {sql}), '{_STAMP}.%g') || ' ' || {zone})"
    if kind.base == "time":
        return f"strftime(DATE '1970-01-01' + {sql}, '%H:%M:%S{fraction(kind)}')"
    if kind.base in ("array", "map", "row"):
        return _nested(sql, kind, depth)
    return f"CAST({sql} AS VARCHAR)"


def fraction(kind: Type) -> str:
    """Return the part of strftime's format for the fractional seconds."""
    digits = kind.args[0] if kind.args else 3
    return _FRACTIONS.get(digits, _FRACTIONS[3] if digits <= 3 else _FRACTIONS[6])


def _nested(sql: str, kind: Type, depth: int) -> str:
    item = f"x{depth}"
    if kind.base == "array":
        each = f"coalesce({as_text(item, kind.element, depth + 1)}, 'null')"
        return f"('[' || array_to_string(list_transform({sql}, lambda {item}: {each}), ', ') || ']')"
    if kind.base == "map":
        key = as_text(f"{item}.key", kind.args[0], depth + 1)
        value = as_text(f"{item}.value", kind.args[1], depth + 1)
        # Athena writes a map in the order of its keys.
        entries = f"list_sort(map_entries({sql}))"
        each = f"{key} || '=' || coalesce({value}, 'null')"
        return f"('{{' || array_to_string(list_transform({entries}, lambda {item}: {each}), ', ') || '}}')"
    parts = []
    for index, (name, part) in enumerate(kind.args):
        label = types.text(f"{name}=") if name else "''"
        inside = f"struct_extract({sql}, {types.text(types.row_field(kind, index))})"
        parts.append(f"{label} || coalesce({as_text(inside, part, depth)}, 'null')")
    joined = " || ', ' || ".join(parts)
    return f"CASE WHEN {sql} IS NOT NULL THEN '{{' || {joined} || '}}' END"
