"""SHOW and DESCRIBE: the lines that Athena answers, to the last blank."""

from __future__ import annotations

import re
from typing import Any

from localaws.athena import types, views
from localaws.athena.ddl import nodes
from localaws.athena.ddl.tables import hive_table, type_of
from localaws.athena.errors import HiveError, QueryError
from localaws.athena.job import Job, Outcome
from localaws.athena.types import ColumnInfo
from localaws.athena.views import is_view

_WIDTH = 20


def _string(*names: str) -> list[ColumnInfo]:
    return [ColumnInfo(name, "string", None, None, None) for name in names]


def _matching(names: list[str], pattern: str | None) -> list[str]:
    """Return names that a pattern fits: a regular expression, in which ``*`` alone is anything and ``|`` is or."""
    if pattern is None or pattern == "*":
        return names
    try:
        expression = re.compile(pattern)
    except re.error as error:
        reason = f"MetaException(message:Unable to get databases: java.util.regex.PatternSyntaxException: {error})"
        raise HiveError(
            f"Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. {reason}"
        ) from error
    return [name for name in names if expression.fullmatch(name)]


def databases(statement: nodes.ShowDatabases, job: Job) -> Outcome:
    """SHOW DATABASES."""
    return Outcome(
        _string("database_name"), lines=_matching(job.catalog.databases(), statement.pattern), update_count=0
    )


def tables(statement: nodes.ShowTables, job: Job) -> Outcome:
    """SHOW TABLES and SHOW VIEWS; the pattern is Hive's, ``*`` for anything."""
    database = statement.database or job.database
    if job.catalog.database(database) is None:
        raise HiveError(f"SemanticException [Error 10072]: Database does not exist: {database}")
    names = [table["Name"] for table in job.catalog.tables(database) if is_view(table) or not statement.views]
    pattern = statement.pattern.replace(".*", "*").replace("*", ".*") if statement.pattern else None
    if statement.views:
        columns = [ColumnInfo("views", "varchar", None, None, None)]
        return Outcome(columns, lines=_matching(names, pattern), update_count=0, substatement="SHOW_VIEWS")
    return Outcome(_string("tab_name"), lines=_matching(names, pattern), update_count=0)


def _padded(*fields: str) -> str:
    return "\t".join(field.ljust(_WIDTH) for field in fields)


def _described(column: dict[str, Any]) -> str:
    comment = (column.get("Comment") or "").ljust(_WIDTH).split("\t", 1)[0]
    return f"{_padded(column['Name'], types.hive(type_of(column)))}\t{comment}"


def _view_rows(table: dict[str, Any]) -> Outcome:
    lines = [f"{name}\t{kind}" for name, kind in views.decode(table).columns]
    columns = [ColumnInfo(name, "varchar", None, None, None) for name in ("column", "type")]
    return Outcome(columns, lines=lines, update_count=0, substatement="DESC_VIEW")


def columns(statement: nodes.ShowColumns, job: Job) -> Outcome:
    """SHOW COLUMNS."""
    _, _, table = hive_table(statement.name, job)
    if is_view(table):
        return _view_rows(table)
    found = [*table["StorageDescriptor"].get("Columns", []), *table.get("PartitionKeys", [])]
    return Outcome(_string("field"), lines=[_padded(column["Name"]) for column in found], update_count=0)


def describe(statement: nodes.Describe, job: Job) -> Outcome:
    """DESCRIBE [EXTENDED | FORMATTED]."""
    database, name, table = hive_table(statement.name, job)
    if is_view(table) and statement.detail is None:
        return _view_rows(table)
    keys = table.get("PartitionKeys", [])
    own = table["StorageDescriptor"].get("Columns", [])
    heading = "# " + _padded("col_name".ljust(_WIDTH), "data_type", "comment")
    lines = [_described(column) for column in (own if statement.detail == "FORMATTED" else [*own, *keys])]
    if statement.detail == "FORMATTED":
        lines = [heading, "\t \t ", *lines]
    if keys:
        lines += [
            "\t \t ",
            "# Partition Information\t \t ",
            heading,
            "\t \t ",
            *(_described(column) for column in keys),
        ]
    if statement.detail is not None:
        lines += ["\t \t ", *_details(database, name, table)]
    return Outcome(_string("col_name", "data_type", "comment"), lines=lines)


def _details(database: str, name: str, table: dict[str, Any]) -> list[str]:
    descriptor = table["StorageDescriptor"]
    serde = descriptor.get("SerdeInfo") or {}
    lines = ["# Detailed Table Information\t \t "]
    pairs = [("Database:", database), ("Table:", name), ("Location:", descriptor.get("Location", ""))]
    lines += [f"{_padded(label, value)}\t " for label, value in [*pairs, ("Table Type:", table.get("TableType", ""))]]
    lines += ["Table Parameters:\t \t "]
    lines += [f"\t{_padded(key, value)}" for key, value in sorted((table.get("Parameters") or {}).items())]
    lines += ["\t \t ", "# Storage Information\t \t "]
    pairs = [
        ("SerDe Library:", serde.get("SerializationLibrary", "")),
        ("InputFormat:", descriptor.get("InputFormat", "")),
        ("OutputFormat:", descriptor.get("OutputFormat", "")),
    ]
    lines += [f"{_padded(label, value)}\t " for label, value in pairs]
    lines += ["Storage Desc Params:\t \t "]
    return lines + [f"\t{_padded(key, value)}" for key, value in sorted((serde.get("Parameters") or {}).items())]


def partitions(statement: nodes.ShowPartitions, job: Job) -> Outcome:
    """SHOW PARTITIONS."""
    database, name, table = hive_table(statement.name, job)
    keys = [key["Name"] for key in table.get("PartitionKeys") or ()]
    if not keys:
        raise HiveError(
            "Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask."
            f" Table {name} is not a partitioned table"
        )
    lines = [
        "/".join(f"{key}={value}" for key, value in zip(keys, partition["Values"], strict=True))
        for partition in job.catalog.partitions(database, name)
    ]
    return Outcome(_string("partition"), lines=sorted(lines), update_count=0)


def properties(statement: nodes.ShowProperties, job: Job) -> Outcome:
    """SHOW TBLPROPERTIES."""
    database, name, table = hive_table(statement.name, job)
    found: dict[str, str] = table.get("Parameters") or {}
    if statement.key is not None:
        missing = f"Table {database}.{name} does not have property: {statement.key}"
        lines = [found.get(statement.key, missing)]
    else:
        lines = [line for key, value in found.items() for line in f"{key}\t{value}".split("\n")]
    return Outcome(_string("prpt_name", "prpt_value"), lines=lines, update_count=0)


def create(statement: nodes.ShowCreateTable, job: Job) -> Outcome:
    """SHOW CREATE TABLE and SHOW CREATE VIEW."""
    database, name, table = hive_table(statement.name, job)
    if statement.view != is_view(table):
        what = "a view" if is_view(table) else "a table"
        raise QueryError("NOT_SUPPORTED", f"'{database}.{name}' is {what}: use SHOW CREATE {what[2:].upper()}", (1, 1))
    if statement.view:
        text = f"CREATE VIEW {database}.{name} AS\n{views.decode(table).sql}"
        column = ColumnInfo("create view", "varchar", None, None, None)
        return Outcome([column], lines=text.split("\n"), update_count=0, substatement="SHOW_CREATE_VIEW")
    return Outcome(_string("createtab_stmt"), lines=_create_table(database, name, table))


def _create_table(database: str, name: str, table: dict[str, Any]) -> list[str]:
    descriptor = table["StorageDescriptor"]
    serde = descriptor.get("SerdeInfo") or {}
    parameters = dict(table.get("Parameters") or {})
    comment = parameters.pop("comment", None) or table.get("Description")
    lines = [f"CREATE EXTERNAL TABLE `{database}.{name}`("]
    lines += _columns_text(descriptor.get("Columns", []))
    if comment:
        lines.append(f"COMMENT {_literal(comment)}")
    if table.get("PartitionKeys"):
        lines += ["PARTITIONED BY ( ", *_columns_text(table["PartitionKeys"])]
    lines += _buckets_text(descriptor)
    lines += ["ROW FORMAT SERDE ", f"  {_literal(serde.get('SerializationLibrary', ''))} "]
    if serde.get("Parameters"):
        lines += ["WITH SERDEPROPERTIES ( ", *_pairs(serde["Parameters"], ") ")]
    lines += ["STORED AS INPUTFORMAT ", f"  {_literal(descriptor.get('InputFormat', ''))} "]
    lines += ["OUTPUTFORMAT ", f"  {_literal(descriptor.get('OutputFormat', ''))}"]
    lines += ["LOCATION", f"  {_literal(descriptor.get('Location', ''))}"]
    shown = {key: value for key, value in parameters.items() if key != "EXTERNAL"}
    return lines + (["TBLPROPERTIES (", *_pairs(shown, ")")] if shown else [])


def _buckets_text(descriptor: dict[str, Any]) -> list[str]:
    columns = descriptor.get("BucketColumns") or []
    if not columns:
        return []
    listed = [f"  {column}{', ' if index < len(columns) else ') '}" for index, column in enumerate(columns, start=1)]
    return ["CLUSTERED BY ( ", *listed, f"INTO {descriptor['NumberOfBuckets']} BUCKETS"]


def _columns_text(found: list[dict[str, Any]]) -> list[str]:
    lines = []
    for index, column in enumerate(found):
        comment = f" COMMENT {_literal(column['Comment'])}" if column.get("Comment") else ""
        end = ")" if index == len(found) - 1 else ", "
        lines.append(f"  `{column['Name']}` {types.hive(type_of(column))}{comment}{end}")
    return lines


def _pairs(found: dict[str, str], end: str) -> list[str]:
    items = [f"  {_literal(key)}={_literal(value)}" for key, value in sorted(found.items())]
    return [f"{item}, " for item in items[:-1]] + [items[-1] + end]


def _literal(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    return f"'{escaped}'"
