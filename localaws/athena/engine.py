"""A DuckDB of its own for each query: Trino's settings in it, and no way out of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from localaws.athena.errors import SYSTEM, Cancelled, QueryError
from localaws.athena.sql import macros
from localaws.athena.types import text

_SETTINGS = {
    "TimeZone": "UTC",
    # A double divided by zero is Infinity or NaN in Trino; a whole number fails.
    "ieee_floating_point_ops": "true",
    # A constant to order by is allowed in Trino, useless as it is.
    "order_by_non_integer_literal": "true",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "memory_limit": os.environ.get("LOCALAWS_ATHENA_MEMORY", "2GB"),
    "threads": str(os.cpu_count() or 1),
}


@contextmanager
def connect(spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """
    Open a fresh in-memory DuckDB.

    :param spill: a folder for what does not fit into its memory.
    """
    spill.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(":memory:")
    try:
        for name, value in _SETTINGS.items():
            connection.execute(f"SET {name} = {text(value)}")
        connection.execute(f"SET temp_directory = {text(str(spill))}")
        yield connection
    finally:
        connection.close()


def define(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Create the macros that ``sql`` uses and return ``sql``."""
    for statement in macros.needed(sql):
        connection.execute(statement)
    return sql


def lock(connection: duckdb.DuckDBPyConnection, files: list[Path]) -> None:
    """
    Shut the connection in: from now on it opens these files and nothing else, and its settings stay.

    The compiler lets no function through that reads files; this holds if it ever should.
    """
    listed = ", ".join(text(str(path)) for path in files)
    connection.execute(f"SET allowed_paths = [{listed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


_MARKED = re.compile("\x1f(?:(?P<name>[A-Z_]+): )?(?P<message>.*?)\x1f", re.DOTALL)
_CAST = re.compile(r"Could not convert (?:string )?'(?P<value>.*?)' to (?P<type>[A-Z0-9_]+)", re.DOTALL)
_TYPE_NAMES = {
    "INT32": "INT",
    "INT64": "BIGINT",
    "INT16": "SMALLINT",
    "INT8": "TINYINT",
    "FLOAT": "REAL",
    "BOOL": "BOOLEAN",
}
#: what DuckDB says -> the name and the words that Trino has for it; ``None`` keeps DuckDB's.
_MEANINGS: list[tuple[str, str, str | None]] = [
    ("Division by zero", "DIVISION_BY_ZERO", "Division by zero"),
    (
        "More than one row returned by a subquery",
        "SUBQUERY_MULTIPLE_ROWS",
        "Scalar sub-query has returned multiple rows",
    ),
    ("Map keys must be unique", "INVALID_FUNCTION_ARGUMENT", "Duplicate map keys are not allowed"),
    ("Malformed JSON", "INVALID_FUNCTION_ARGUMENT", "Cannot convert value to JSON"),
    ("Could not parse string", "INVALID_FUNCTION_ARGUMENT", None),
    ("Invalid escape string", "INVALID_FUNCTION_ARGUMENT", "Escape string must be a single character"),
    ("Overflow", "NUMERIC_VALUE_OUT_OF_RANGE", None),
    ("out of range", "NUMERIC_VALUE_OUT_OF_RANGE", None),
    ("timestamp field value", "INVALID_CAST_ARGUMENT", None),
]


def translate(error: duckdb.Error) -> Exception:
    """Return Athena's error for one of DuckDB's."""
    message = str(error)
    if isinstance(error, duckdb.InterruptException):
        return Cancelled()
    marked = _MARKED.search(message)
    if marked:
        return QueryError(marked["name"], marked["message"])
    for sign, name, words in _MEANINGS:
        if sign.lower() in message.lower():
            return QueryError(name, words or _first_line(message))
    cast = _CAST.search(message)
    if cast:
        name = _TYPE_NAMES.get(cast["type"], cast["type"])
        return QueryError("INVALID_CAST_ARGUMENT", f"Cannot cast '{cast['value']}' to {name}")
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryError("EXCEEDED_LOCAL_MEMORY_LIMIT", f"Query exceeded local memory limit: {_first_line(message)}")
    if isinstance(error, duckdb.DataError | duckdb.InvalidInputException):
        return QueryError("INVALID_FUNCTION_ARGUMENT", _first_line(message))
    if isinstance(error, duckdb.BinderException | duckdb.NotImplementedException):
        return QueryError("NOT_SUPPORTED", f"{_first_line(message)} (localaws)")
    return QueryError("GENERIC_INTERNAL_ERROR", _first_line(message), category=SYSTEM, error_type=200)


def _first_line(message: str) -> str:
    return message.split("\n", 1)[0].split(": ", 1)[-1]
