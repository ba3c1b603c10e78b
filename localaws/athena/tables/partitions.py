# ruff: noqa: S608 - this writes SQL: every name in it is quoted, every literal escaped, by localaws.athena.types.
"""Which folders a query must read: all of a table, or those partitions that its WHERE leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote as url_quote

import duckdb
import pyarrow as pa

from localaws.athena import engine, types
from localaws.athena.catalog import Catalog
from localaws.athena.sql.scope import TableUse
from localaws.athena.tables import projection
from localaws.athena.types import Type

#: the folder name, and so the value, of a partition whose column is NULL.
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Partition:
    """One folder: the values of the partition columns as text, and how its files are to be read."""

    values: tuple[str, ...]
    location: str
    descriptor: dict[str, Any]


def chosen(use: TableUse, catalog: Catalog, connection: duckdb.DuckDBPyConnection) -> list[Partition]:
    """Return the partitions that the query's conditions leave; an unpartitioned table is one without values."""
    table = use.table
    keys = partition_keys(table)
    descriptor = table["StorageDescriptor"]
    if not keys:
        return [Partition((), descriptor.get("Location") or "", descriptor)]
    if projection.enabled(table):
        found = [Partition(v, location, descriptor) for v, location in projection.project(use, keys)]
    else:
        found = [
            Partition(tuple(p["Values"]), p["StorageDescriptor"]["Location"], p["StorageDescriptor"])
            for p in catalog.partitions(use.database, use.name)
        ]
    return _filtered(found, keys, use.partition_filters, connection)


def partition_keys(table: dict[str, Any]) -> list[tuple[str, Type]]:
    """Return names and types of the partition columns."""
    return [(key["Name"].lower(), types.parse_hive(key["Type"])) for key in table.get("PartitionKeys") or ()]


def _filtered(
    found: list[Partition], keys: list[tuple[str, Type]], filters: list[str], connection: duckdb.DuckDBPyConnection
) -> list[Partition]:
    if not filters or not found:
        return found
    rows = values_table([partition.values for partition in found], len(keys))
    listed = ", ".join(
        f"{value_sql(f'v{index}', kind)} AS {types.quote(name)}" for index, (name, kind) in enumerate(keys)
    )
    connection.register("partition_values", rows)
    try:
        where = " AND ".join(f"({condition})" for condition in filters)
        sql = f"SELECT i FROM (SELECT i, {listed} FROM partition_values) WHERE {where} ORDER BY i"
        kept = connection.execute(engine.define(connection, sql)).fetchall()
    finally:
        connection.unregister("partition_values")
    return [found[index] for (index,) in kept]


def values_table(rows: list[tuple[str, ...]], width: int) -> pa.Table:
    """Partition values as columns ``v0``, ``v1``... beside their number ``i``."""
    columns = {
        f"v{n}": pa.array([None if r[n] == NULL_PARTITION else r[n] for r in rows], pa.string()) for n in range(width)
    }
    return pa.table({"i": pa.array(range(len(rows)), pa.int64()), **columns})


def value_sql(column: str, kind: Type) -> str:
    """Return SQL that casts the text of a partition value to its column's type."""
    return f"TRY_CAST({column} AS {types.duckdb(kind)})"


def escape(value: str) -> str:
    """Escape a partition's value for a folder's name, as Hive does."""
    return url_quote(value, safe=" ,.;!()<>|@$&-_~+`")
