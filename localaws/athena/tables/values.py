"""A field's text to a value of its column's type, in DuckDB's SQL: strictly (CSV, JSON) or with NULL (LazySimple)."""

from __future__ import annotations

from localaws.athena import types
from localaws.athena.sql import macros
from localaws.athena.types import Type

_WHOLE = "'[+-]?[0-9]+'"
_STAMP = r"'\d{4}-\d{1,2}-\d{1,2}(?: \d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?'"
_DAY = r"'\d{4}-\d{1,2}-\d{1,2}'"


def _attempt(column: str, kind: Type, *, epochs: bool) -> str | None:
    """Return SQL for the value, NULL where the text is not one; ``None`` where every text is one."""
    duckdb = types.duckdb(kind)
    if kind.is_text:
        return None
    if kind.is_integer:
        return f"CASE WHEN regexp_full_match({column}, {_WHOLE}) THEN TRY_CAST({column} AS {duckdb}) END"
    if kind.base == "boolean":
        return f"CASE lower({column}) WHEN 'true' THEN true WHEN 'false' THEN false END"
    if kind.base == "date":
        day = f"CASE WHEN regexp_full_match({column}, {_DAY}) THEN TRY_CAST({column} AS DATE) END"
        days = f"DATE '1970-01-01' + TRY_CAST({column} AS INTEGER)"
        since = f"CASE WHEN regexp_full_match({column}, {_WHOLE}) THEN {days} END"
        return f"coalesce({day}, {since})" if epochs else day
    if kind.base == "timestamp":
        stamp = f"CASE WHEN regexp_full_match({column}, {_STAMP}) THEN TRY_CAST({column} AS TIMESTAMP) END"
        millis = f"make_timestamp(TRY_CAST({column} AS BIGINT) * 1000)"
        since = f"CASE WHEN regexp_full_match({column}, {_WHOLE}) THEN {millis} END"
        return f"coalesce({stamp}, {since})" if epochs else stamp
    if kind.base == "varbinary":
        return f"TRY(from_base64({column}))"
    return f"TRY_CAST({column} AS {duckdb})"


def csv_value(column: str, kind: Type, index: int, *, lenient: bool) -> str:
    """
    OpenCSVSerDe: dates are days and timestamps milliseconds since the epoch (or written out), and what does not parse
    fails the query, the empty string included, unless ``lenient`` (use.null.for.invalid.data).
    """
    if kind.base in ("array", "map", "row"):
        reason = f"'HIVE_BAD_DATA: OpenCSVSerde does not read {kind.base} columns: field {index}' || left({column}, 0)"
        return f"{macros.fail(reason, 'VARCHAR')}::{types.duckdb(kind)}"
    attempt = _attempt(column, kind, epochs=True)
    if attempt is None or lenient:
        return attempt or column
    return strict(column, attempt, kind, index)


def strict(column: str, attempt: str, kind: Type, index: int) -> str:
    """``attempt``, or Athena's HIVE_BAD_DATA where it is NULL though there is a text."""
    what = f"'HIVE_BAD_DATA: Error parsing field value ''' || {column} || ''' for field {index}"
    message = f"{what}: For input string: \"' || {column} || '\"'"
    failure = f"{macros.fail(message, 'VARCHAR')}::{types.duckdb(kind)}"
    return f"CASE WHEN {column} IS NULL THEN NULL ELSE coalesce({attempt}, {failure}) END"


def lazy_value(column: str, kind: Type, null: str, separators: list[str], depth: int = 0) -> str:
    """LazySimpleSerDe: ``null`` is NULL, nested types by their separators, what does not parse is NULL."""
    text = f"nullif({column}, {types.text(null)})"
    if kind.base in ("array", "map", "row"):
        return _lazy_nested(text, kind, null, separators, depth)
    return _attempt(text, kind, epochs=False) or text


def _lazy_nested(text: str, kind: Type, null: str, separators: list[str], depth: int) -> str:
    separator, item = types.text(separators[depth]), f"s{depth}"
    parts = f"string_split({text}, {separator})"
    if kind.base == "array":
        each = lazy_value(item, kind.element, null, separators, depth + 1)
        empty = f"CAST([] AS {types.duckdb(kind)})"
        return f"CASE WHEN {text} = '' THEN {empty} ELSE list_transform({parts}, lambda {item}: {each}) END"
    if kind.base == "map":
        pair = f"string_split({item}, {types.text(separators[depth + 1])})"
        key = lazy_value(f"{pair}[1]", kind.args[0], null, separators, depth + 2)
        value = lazy_value(f"{pair}[2]", kind.args[1], null, separators, depth + 2)
        entries = f"list_filter({parts}, lambda {item}: {item} <> '')"
        keys = f"list_transform({entries}, lambda {item}: {key})"
        return f"map({keys}, list_transform({entries}, lambda {item}: {value}))"
    fields = []
    for index, (_, part) in enumerate(kind.args):
        value = lazy_value(f"list_extract({parts}, {index + 1})", part, null, separators, depth + 1)
        fields.append(f"{types.quote(types.row_field(kind, index))} := {value}")
    return f"CASE WHEN {text} IS NOT NULL THEN struct_pack({', '.join(fields)}) END"


def json_value(column: str, kind: Type, index: int, *, lenient: bool) -> str:
    """Convert a JSON SerDe's scalar, which the cache holds as text."""
    attempt = _attempt(column, kind, epochs=False)
    if attempt is None or lenient:
        return attempt or column
    return strict(column, attempt, kind, index)
