"""Hive's buckets: which file of a bucketed table a row is in, so that a query reads the files that it needs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from localaws.athena import engine, types
from localaws.athena.sql.scope import TableUse
from localaws.athena.tables.cache import S3Object
from localaws.athena.types import Type

Numbers = NDArray[np.uint32]

#: the types that can be hashed here.
HASHED = ("boolean", "tinyint", "smallint", "integer", "bigint", "date", "varchar")
#: how the names of buckets' files say their number: Athena's own, Hive's and Trino's.
_NAMES = [re.compile(text) for text in (r".*_bucket-(\d+)(?:[-_.].*)?", r"(0\d+)_\d+.*", r"bucket_(\d+)(?:_.*)?")]
#: no more combinations of values than this are looked at.
_MOST = 1000


@dataclass(frozen=True)
class Buckets:
    """How a table is bucketed: by which columns, into how many."""

    columns: tuple[tuple[str, Type], ...]
    count: int

    def numbers(self, values: Sequence[pa.Array | pa.ChunkedArray]) -> Numbers:
        """Return the bucket of each row, given its values of the bucket columns."""
        found = np.zeros(len(values[0]), dtype=np.uint32)
        for (_, kind), column in zip(self.columns, values, strict=True):
            found = found * np.uint32(31) + _hashes(column, kind)
        return (found & np.uint32(0x7FFFFFFF)) % np.uint32(self.count)


def of(table: dict[str, Any]) -> Buckets | None:
    """Return a table's buckets; ``None`` where it has none, or such as are made with another hash than Hive's first."""
    descriptor, parameters = table["StorageDescriptor"], table.get("Parameters") or {}
    names, count = descriptor.get("BucketColumns") or [], descriptor.get("NumberOfBuckets") or 0
    foreign = parameters.get("bucketing_format", "hive").lower() != "hive" or parameters.get("bucketing_version") == "2"
    if not names or count < 1 or foreign:
        return None
    kinds = {c["Name"].lower(): types.parse_hive(c.get("Type") or "string") for c in descriptor.get("Columns") or ()}
    columns = tuple((name.lower(), kinds[name.lower()]) for name in names if name.lower() in kinds)
    if len(columns) < len(names) or any(kind.base not in HASHED for _, kind in columns):
        return None
    return Buckets(columns, count)


def chosen(items: list[S3Object], use: TableUse, connection: duckdb.DuckDBPyConnection) -> list[S3Object]:
    """
    Return the files that a query must read, by the values that its bucket columns must have.

    All files are read where one of them does not say which bucket it is.
    """
    buckets = of(use.table) if use.bucket_values else None
    if buckets is None or any(name not in use.bucket_values for name, _ in buckets.columns):
        return items
    numbers = [_number_in(item.key) for item in items]
    if any(number is None or number >= buckets.count for number in numbers):
        return items
    wanted = _wanted(buckets, use.bucket_values, connection)
    if wanted is None:
        return items
    return [item for item, number in zip(items, numbers, strict=True) if number in wanted]


def _wanted(buckets: Buckets, given: dict[str, list[str]], connection: duckdb.DuckDBPyConnection) -> set[int] | None:
    rows = list(itertools.islice(itertools.product(*(given[name] for name, _ in buckets.columns)), _MOST + 1))
    if len(rows) > _MOST:
        return None
    lines = ", ".join(f"({', '.join(row)})" for row in rows)
    listed = ", ".join(f"CAST(col{index} AS {types.duckdb(kind)})" for index, (_, kind) in enumerate(buckets.columns))
    sql = f"SELECT {listed} FROM (VALUES {lines})"  # noqa: S608 - compiled literals
    try:
        table = connection.sql(engine.define(connection, sql)).to_arrow_table()
    except duckdb.Error:
        # No value of the column's type, such as an integer out of its range: whatever the query says to it.
        return None
    return set(buckets.numbers(table.columns).tolist())


def _number_in(key: str) -> int | None:
    name = key.rpartition("/")[2]
    match = next((match for pattern in _NAMES if (match := pattern.fullmatch(name))), None)
    return int(match[1]) if match else None


def assign(buckets: Buckets, connection: duckdb.DuckDBPyConnection, column: str) -> None:
    """Give the table ``written`` a column with each row's bucket."""
    listed = ", ".join(types.quote(name) for name, _ in buckets.columns)
    rows = connection.sql(f"SELECT rowid AS i, {listed} FROM written").to_arrow_table()  # noqa: S608 - quoted
    numbers = pa.array(buckets.numbers(rows.columns[1:]), pa.int32())
    connection.register("bucket_numbers", pa.table({"i": rows["i"], "n": numbers}))
    try:
        name = types.quote(column)
        connection.execute(f"ALTER TABLE written ADD COLUMN {name} INTEGER")
        connection.execute(f"UPDATE written SET {name} = b.n FROM bucket_numbers AS b WHERE written.rowid = b.i")  # noqa: S608
    finally:
        connection.unregister("bucket_numbers")


def _hashes(column: pa.Array | pa.ChunkedArray, kind: Type) -> Numbers:
    """Return Hive's hash of each value; that of NULL is 0."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if kind.base == "varchar":
        found = _text_hashes(array.cast(pa.large_string()))
    else:
        plain = array.cast(pa.int32()) if kind.base in ("date", "boolean") else array
        values = plain.cast(pa.int64()).fill_null(0).to_numpy().astype(np.uint64)
        folded = values ^ (values >> np.uint64(32)) if kind.base == "bigint" else values
        found = (folded & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    return np.where(array.is_null().to_numpy(zero_copy_only=False), np.uint32(0), found)


def _text_hashes(array: pa.LargeStringArray) -> Numbers:
    """Return the sum of each text's bytes (signed), each times 31 to the power of its distance from the end."""
    found = np.zeros(len(array), dtype=np.uint32)
    filled = array.fill_null("")
    offsets = np.frombuffer(filled.buffers()[1], dtype=np.int64)[filled.offset : filled.offset + len(filled) + 1]
    lengths = np.diff(offsets)
    if not lengths.any():
        return found
    first, last = int(offsets[0]), int(offsets[-1])
    data = np.frombuffer(filled.buffers()[2], dtype=np.int8)[first:last].astype(np.int32).view(np.uint32)
    powers = np.ones(int(lengths.max()), dtype=np.uint32)
    powers[1:] = np.cumprod(np.full(len(powers) - 1, 31, dtype=np.uint32), dtype=np.uint32)
    distance = np.repeat(offsets[1:], lengths) - 1 - np.arange(first, last)
    some = lengths > 0
    found[some] = np.add.reduceat(data * powers[distance], offsets[:-1][some] - first, dtype=np.uint32)
    return found
