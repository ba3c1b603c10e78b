"""CAST and TRY_CAST between Trino's types, with Trino's rounding, strictness and errors."""

from __future__ import annotations

from localaws.athena import types
from localaws.athena.sql import macros
from localaws.athena.sql.parse import Position
from localaws.athena.sql.render import as_text
from localaws.athena.sql.scope import Value, mismatch
from localaws.athena.types import Type

_NAMES = {"integer": "INT"}
_SCALARS_OF_TEXT = {
    "boolean", "tinyint", "smallint", "integer", "bigint", "real", "double", "decimal", "varchar", "char", "date",
    "time", "timestamp", "timestamp with time zone", "json", "uuid", "varbinary", "interval day to second",
}  # fmt: skip
_NUMBERS = {*types.INTEGERS, "decimal", "real", "double"}
_STAMPS = {"date", "time", "timestamp", "timestamp with time zone"}
#: what a type may be cast to, besides itself, varchar and json.
_ALLOWED = {
    "varchar": _SCALARS_OF_TEXT,
    "char": _SCALARS_OF_TEXT,
    "boolean": _NUMBERS,
    **{name: {*_NUMBERS, "boolean"} for name in _NUMBERS},
    "date": {"timestamp", "timestamp with time zone"},
    "time": {"timestamp"},
    "timestamp": _STAMPS,
    "timestamp with time zone": _STAMPS,
    "json": {*_NUMBERS, "boolean", "array", "map", "row"},
}
_NO_TEXT = {"array", "map", "row", "varbinary"}


def cast(value: Value, target: Type, place: Position | None, *, safe: bool = False) -> Value:
    """
    ``CAST(value AS target)``, or TRY_CAST where ``safe``.

    :raises QueryError: TYPE_MISMATCH, Trino has no such cast.
    """
    _check(value.type, target, place)
    return Value(_convert(value.sql, value.type, target, safe), target)


def coerce(value: Value, target: Type) -> str:
    """Return SQL that coerces ``value`` to ``target``, unchanged where DuckDB coerces it in the same way."""
    source = value.type
    if source == target or source.base == "unknown" or (source.is_text and target.is_text):
        return value.sql
    if source.is_integer and target.is_integer:
        return value.sql
    return _convert(value.sql, source, target, False)


def _check(source: Type, target: Type, place: Position | None) -> None:
    if source.base in ("unknown", target.base) and source.base not in ("array", "map", "row"):
        return
    if source.base == target.base:
        inside = zip(_parts(source), _parts(target), strict=False)
        if len(source.args) == len(target.args):
            for one, other in inside:
                _check(one, other, place)
            return
    elif (
        target.base in _ALLOWED.get(source.base, ())
        or (target.base in ("varchar", "char") and source.base not in _NO_TEXT)
        or (target.base == "json" and source.base not in ("varbinary",))
    ):
        return
    raise mismatch(f"Cannot cast {source} to {target}", place)


def _parts(kind: Type) -> list[Type]:
    return [part[1] for part in kind.args] if kind.base == "row" else list(kind.args)


def _convert(sql: str, source: Type, target: Type, safe: bool) -> str:
    if source == target:
        return sql
    if source.base == "unknown":
        return f"CAST({sql} AS {types.duckdb(target)})"
    if target.base in ("varchar", "char"):
        return _to_text(sql, source, target)
    if source.base in ("array", "map", "row") and target.base == source.base:
        return _convert_nested(sql, source, target, safe)
    if target.base == "json":
        return f"to_json({_json_ready(sql, source)})"
    if source.base == "json":
        return _from_json(sql, target, safe)
    if source.is_text:
        return _from_text(sql, target, safe)
    return _between_scalars(sql, source, target, safe)


def _plain(sql: str, target: Type, safe: bool) -> str:
    return f"{'TRY_CAST' if safe else 'CAST'}({sql} AS {types.duckdb(target)})"


def _between_scalars(sql: str, source: Type, target: Type, safe: bool) -> str:
    if source.base in ("double", "real") and target.is_integer:
        return _plain(f"round({sql})", target, safe)
    if source.base == types.TIMESTAMP_TZ.base and target.base in ("date", "time", "timestamp"):
        return _plain(f"timezone({types.text(source.zone)}, {sql})", target, safe)
    if source.base == types.TIMESTAMP_TZ.base and target.base == source.base:
        return sql
    if source.base in ("timestamp", "date") and target.base == types.TIMESTAMP_TZ.base and target.args:
        return f"timezone({types.text(target.zone)}, CAST({sql} AS TIMESTAMP))"
    return _plain(sql, target, safe)


def _to_text(sql: str, source: Type, target: Type) -> str:
    sql = f"json_extract_string({sql}, '$')" if source.base == "json" else as_text(sql, source)
    if target.base == "char":
        length = target.args[0] if target.args else 1
        return f"rpad(left({sql}, {length}), {length}, ' ')"
    if target.args and not (source.is_text and source.args and source.args[0] <= target.args[0]):
        return f"left({sql}, {target.args[0]})"
    return sql


def _from_text(sql: str, target: Type, safe: bool) -> str:
    if target.is_integer:
        duckdb = types.duckdb(target)
        name = _NAMES.get(target.base, target.base.upper())
        otherwise = (
            "NULL"
            if safe
            else macros.fail(f"'INVALID_CAST_ARGUMENT: Cannot cast ''' || {sql} || ''' to {name}'", duckdb)
        )
        whole = f"regexp_full_match({sql}, '[+-]?[0-9]+')"
        return f"CASE WHEN {sql} IS NULL THEN NULL WHEN {whole} THEN {_plain(sql, target, safe)} ELSE {otherwise} END"
    if target.base in ("date", "timestamp"):
        call = f"t_{target.base}({sql})"
        return f"TRY({call})" if safe else call
    if target.base == "varbinary":
        return f"encode({sql})"
    return _plain(sql, target, safe)


def _from_json(sql: str, target: Type, safe: bool) -> str:
    if target.base in ("array", "map", "row"):
        return _plain(sql, target, safe)
    inside = f"json_extract_string({sql}, '$')"
    if target.is_integer:
        return _plain(f"round({_plain(inside, types.DOUBLE, safe)})", target, safe)
    return _plain(inside, target, safe)


def _json_ready(sql: str, source: Type) -> str:
    """Convert dates and times to JSON strings as Trino writes them."""
    return as_text(sql, source) if source.base in _STAMPS else sql


def _convert_nested(sql: str, source: Type, target: Type, safe: bool) -> str:
    item = f"v{sql.count('lambda')}"
    if source.base == "array":
        return f"list_transform({sql}, lambda {item}: {_convert(item, source.element, target.element, safe)})"
    if source.base == "map":
        keys = _convert(item, source.args[0], target.args[0], safe)
        values = _convert(item, source.args[1], target.args[1], safe)
        return (
            f"map(list_transform(map_keys({sql}), lambda {item}: {keys}),"
            f" list_transform(map_values({sql}), lambda {item}: {values}))"
        )
    fields = []
    for index, ((_, one), (_, other)) in enumerate(zip(source.args, target.args, strict=True)):
        inside = f"struct_extract({sql}, {types.text(types.row_field(source, index))})"
        fields.append(f"{types.quote(types.row_field(target, index))} := {_convert(inside, one, other, safe)}")
    return f"CASE WHEN {sql} IS NOT NULL THEN struct_pack({', '.join(fields)}) END"
