# ruff: noqa: S608 - this writes SQL: every name in it is quoted, every literal escaped, by localaws.athena.types.
"""A table's name to what it is: a Glue table, a view, ``"t$partitions"``, or a table of information_schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from localaws.athena import types, views
from localaws.athena.errors import QueryError
from localaws.athena.sql import casts
from localaws.athena.sql.dispatch import query_compiler
from localaws.athena.sql.parse import parse_query, position
from localaws.athena.sql.scope import Relation, Scope, TableUse, Value
from localaws.athena.types import Type

CATALOG = "awsdatacatalog"
#: columns that every table has and a star does not show.
HIDDEN = {"$path": types.VARCHAR, "$file_size": types.BIGINT}
_DEEPEST_VIEW = 50


@dataclass(frozen=True)
class Named:
    """Something that is a query by itself."""

    relation: Relation
    qualifier: tuple[str, ...]


@dataclass(frozen=True)
class Base:
    """A table of files."""

    use: TableUse
    qualifier: tuple[str, ...]
    columns: list[tuple[str, Type]]


def look_up(parts: list[str], node: exp.Expr, scope: Scope) -> Named | Base:
    """
    Return what ``[catalog.][database.]table`` names.

    :raises QueryError: CATALOG_, SCHEMA_ or TABLE_NOT_FOUND; NOT_SUPPORTED for an Iceberg table.
    """
    database, name = qualify(parts, scope, node)
    qualifier = (CATALOG, database, name)
    if database == "information_schema":
        return Named(_information_schema(name, node, scope), qualifier)
    catalog = scope.analysis.catalog
    if name.endswith("$partitions"):
        table = catalog.table(database, name.removesuffix("$partitions"))
        if table is not None:
            return Named(_partitions(database, table, scope), qualifier)
    table = catalog.table(database, name)
    if table is None:
        if not catalog.has_database(database):
            raise QueryError("SCHEMA_NOT_FOUND", f"Schema '{database}' does not exist", position(node))
        raise QueryError("TABLE_NOT_FOUND", f"Table '{CATALOG}.{database}.{name}' does not exist", position(node))
    if views.is_view(table):
        return Named(_view(database, name, table, node, scope), qualifier)
    refuse_iceberg(table, node)
    use = TableUse(scope.analysis.fresh("t"), database, name, table)
    scope.analysis.tables.append(use)
    return Base(use, qualifier, columns(table))


def qualify(parts: Sequence[str], scope: Scope, node: exp.Expr) -> tuple[str, str]:
    """Return the database and the table of a name with one to three parts."""
    if len(parts) > 3:
        raise QueryError("SYNTAX_ERROR", f"Too many dots in table name: {'.'.join(parts)}", position(node))
    if len(parts) == 3 and parts[0] not in (CATALOG, "hive"):
        raise QueryError("CATALOG_NOT_FOUND", f"Catalog '{parts[0]}' does not exist", position(node))
    return (parts[-2] if len(parts) > 1 else scope.analysis.database or "default"), parts[-1]


def columns(table: dict[str, Any]) -> list[tuple[str, Type]]:
    """Return all columns of a Glue table, partition keys last, with Trino's types."""
    described = [*table["StorageDescriptor"].get("Columns", ()), *table.get("PartitionKeys", ())]
    return [(column["Name"].lower(), types.parse_hive(column.get("Type") or "string")) for column in described]


def refuse_iceberg(table: dict[str, Any], node: exp.Expr | None = None) -> None:
    """
    Iceberg is not done here.

    :raises QueryError: NOT_SUPPORTED, the table is an Iceberg table.
    """
    if table.get("Parameters", {}).get("table_type", "").upper() == "ICEBERG":
        message = f"Iceberg tables are not supported by localaws: {table['DatabaseName']}.{table['Name']}"
        raise QueryError("NOT_SUPPORTED", message, position(node) if node is not None else None)


def _view(database: str, name: str, table: dict[str, Any], node: exp.Expr, scope: Scope) -> Relation:
    definition = views.decode(table)
    if scope.analysis.depth >= _DEEPEST_VIEW:
        raise QueryError("INVALID_VIEW", f"View '{CATALOG}.{database}.{name}' is recursive", position(node))
    inner = replace(
        scope.analysis, sql=definition.sql, database=definition.database or database, depth=scope.analysis.depth + 1
    )
    try:
        relation: Relation = query_compiler()(parse_query(definition.sql), inner, {}, None)
    except QueryError as error:
        message = f"Failed analyzing stored view '{CATALOG}.{database}.{name}': {error.reason}"
        raise QueryError("INVALID_VIEW", message, position(node)) from error
    if len(relation.types) != len(definition.columns):
        message = f"View '{CATALOG}.{database}.{name}' is stale or in invalid state: it must be re-created"
        raise QueryError("VIEW_IS_STALE", message, position(node))
    texts, kinds = [], []
    for index, (have, (_, want)) in enumerate(zip(relation.types, definition.columns, strict=True)):
        texts.append(f"{casts.coerce(Value(f'c{index}', have), want)} AS c{index}")
        kinds.append(want)
    return Relation(
        f"SELECT {', '.join(texts)} FROM ({relation.sql})", [column for column, _ in definition.columns], kinds
    )


def _constant(names: list[str], kinds: list[Type], rows: list[list[str | None]], scope: Scope) -> Relation:
    """Make a relation of constant values, given as text."""
    listed = ", ".join(
        f"CAST({label} AS {types.duckdb(kind)}) AS {label}"
        for label, kind in zip((f"c{index}" for index in range(len(names))), kinds, strict=True)
    )
    labels = ", ".join(f"c{index}" for index in range(len(names)))
    lines = ["(" + ", ".join("NULL" if v is None else types.text(v) for v in row) + ")" for row in rows]
    nothing = "(" + ", ".join("NULL" for _ in names) + ")"
    some = f"(VALUES {', '.join(lines or [nothing])}) AS {scope.analysis.fresh('r')}({labels})"
    return Relation(f"SELECT {listed} FROM {some}{'' if rows else ' WHERE false'}", list(names), kinds)


def _partitions(database: str, table: dict[str, Any], scope: Scope) -> Relation:
    keys = table.get("PartitionKeys", [])
    rows: list[list[str | None]] = [
        list(p["Values"]) for p in scope.analysis.catalog.partitions(database, table["Name"])
    ]
    kinds = [types.parse_hive(key["Type"]) for key in keys]
    return _constant([key["Name"].lower() for key in keys], kinds, rows, scope)


def _information_schema(name: str, node: exp.Expr, scope: Scope) -> Relation:
    catalog = scope.analysis.catalog
    rows: list[list[str | None]]
    if name == "schemata":
        rows = [[CATALOG, database] for database in catalog.databases()]
        return _constant(["catalog_name", "schema_name"], [types.VARCHAR] * 2, rows, scope)
    found = [(database, table) for database in catalog.databases() for table in catalog.tables(database)]
    if name == "tables":
        rows = [[CATALOG, d, t["Name"], "VIEW" if views.is_view(t) else "BASE TABLE"] for d, t in found]
        return _constant(
            ["table_catalog", "table_schema", "table_name", "table_type"], [types.VARCHAR] * 4, rows, scope
        )
    if name == "columns":
        rows = [row for database, table in found for row in _described(database, table)]
        names = [
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "ordinal_position",
            "column_default",
            "is_nullable",
            "data_type",
        ]
        kinds = [types.BIGINT if column == "ordinal_position" else types.VARCHAR for column in names]
        return _constant(names, kinds, rows, scope)
    raise QueryError("TABLE_NOT_FOUND", f"Table '{CATALOG}.information_schema.{name}' does not exist", position(node))


def _described(database: str, table: dict[str, Any]) -> list[list[str | None]]:
    described = views.decode(table).columns if views.is_view(table) else columns(table)
    return [
        [CATALOG, database, table["Name"], column, str(index), None, "YES", str(kind)]
        for index, (column, kind) in enumerate(described, start=1)
    ]
