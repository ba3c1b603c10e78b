"""Parquet: read as it is, column by name without regard to case, a type that does not fit refused as Athena does."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from localaws.athena import types
from localaws.athena.errors import QueryError
from localaws.athena.tables.format import Columns
from localaws.athena.types import Type

_PHYSICAL = {
    "integer": "INT64",
    "floating": "DOUBLE",
    "text": "BINARY",
    "boolean": "BOOLEAN",
    "date": "INT32",
    "timestamp": "INT64",
    "nested": "GROUP",
}


class Parquet:
    """Parquet files."""

    converts = False
    variant = "parquet"

    def convert(self, source: Path, target: Path) -> None:
        """Never called: the object is the file."""
        raise NotImplementedError

    def select(
        self, paths: list[tuple[Path, str]], columns: Columns, wanted: set[str]
    ) -> list[tuple[list[str], list[Path]]]:
        """Group the files by the columns that they have."""
        groups: dict[tuple[str, ...], list[Path]] = {}
        for path, uri in paths:
            fields = _fields(path, uri)
            items = tuple(_item(name, kind, fields, uri) for name, kind in columns if name in wanted)
            groups.setdefault(items, []).append(path)
        return [(list(items), files) for items, files in groups.items()]


@lru_cache(maxsize=4096)
def _schema(path: Path) -> dict[str, pa.Field]:
    return {field.name.lower(): field for field in pq.read_schema(path)}


def _fields(path: Path, uri: str) -> dict[str, pa.Field]:
    try:
        return _schema(path)
    except pa.ArrowInvalid as error:
        message = f"Error opening Hive split {uri}: not a valid Parquet file"
        raise QueryError("HIVE_CANNOT_OPEN_SPLIT", f"{message} ({error})") from error


def _item(name: str, kind: Type, fields: dict[str, pa.Field], uri: str) -> str:
    field = fields.get(name)
    if field is None:
        return f"CAST(NULL AS {types.duckdb(kind)}) AS {types.quote(name)}"
    family = _family(field.type)
    if not _fits(family, kind):
        physical = _PHYSICAL.get(family, str(field.type).upper())
        clash = f"is incompatible with type {kind} defined in table schema"
        raise QueryError("HIVE_BAD_DATA", f"Field {name}'s type {physical} in parquet file {uri} {clash}")
    return f"CAST({types.quote(field.name)} AS {types.duckdb(kind)}) AS {types.quote(name)}"


def _family(kind: pa.DataType) -> str:
    tests = {
        "integer": pa.types.is_integer,
        "floating": pa.types.is_floating,
        "decimal": pa.types.is_decimal,
        "boolean": pa.types.is_boolean,
        "date": pa.types.is_date,
        "timestamp": pa.types.is_timestamp,
        "null": pa.types.is_null,
        "nested": pa.types.is_nested,
    }
    if pa.types.is_dictionary(kind):
        return _family(kind.value_type)
    return next((name for name, test in tests.items() if test(kind)), "text")


_FITTING = {
    "integer": {*types.INTEGERS, "double", "real", "decimal", "timestamp"},
    "floating": {"double", "real"},
    "decimal": {"decimal", "double", "real", *types.INTEGERS},
    "boolean": {"boolean"},
    "date": {"date", "timestamp"},
    "timestamp": {"timestamp", "date"},
    "text": {"varchar", "char", "varbinary"},
    "nested": {"array", "map", "row"},
}


def _fits(family: str, kind: Type) -> bool:
    return family == "null" or kind.base in _FITTING[family]


def scanned_bytes(path: Path, uri: str, columns: set[str]) -> int:
    """Return the bytes that Athena counts as scanned of a Parquet file: the compressed size of the columns read."""
    _fields(path, uri)
    metadata = pq.read_metadata(path)
    total = 0
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(index)
            if chunk.path_in_schema.split(".")[0].lower() in columns:
                total += chunk.total_compressed_size
    return total
