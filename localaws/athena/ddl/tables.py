"""DDL of databases, tables, partitions and views, done in the Glue catalog."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from localaws.athena import queries, types, views
from localaws.athena.ddl import nodes
from localaws.athena.errors import HiveError, QueryError
from localaws.athena.job import Job, Outcome
from localaws.athena.tables.cache import split_location
from localaws.athena.views import Definition, is_view

_TASK = "Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask."
_TEXT = "org.apache.hadoop.mapred.TextInputFormat", "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
_LAZY = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
_HIVE_IO = "org.apache.hadoop.hive.ql.io"
#: STORED AS -> input format, output format, SerDe.
_STORED_AS = {
    "textfile": (*_TEXT, _LAZY),
    "parquet": (
        f"{_HIVE_IO}.parquet.MapredParquetInputFormat",
        f"{_HIVE_IO}.parquet.MapredParquetOutputFormat",
        f"{_HIVE_IO}.parquet.serde.ParquetHiveSerDe",
    ),
    "orc": (f"{_HIVE_IO}.orc.OrcInputFormat", f"{_HIVE_IO}.orc.OrcOutputFormat", f"{_HIVE_IO}.orc.OrcSerde"),
    "avro": (
        f"{_HIVE_IO}.avro.AvroContainerInputFormat",
        f"{_HIVE_IO}.avro.AvroContainerOutputFormat",
        "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
    ),
    "jsonfile": (*_TEXT, "org.apache.hive.hcatalog.data.JsonSerDe"),
}
#: what of a GetTable answer UpdateTable takes back.
_INPUT = (
    "Name", "Description", "Owner", "Retention", "StorageDescriptor", "PartitionKeys", "ViewOriginalText",
    "ViewExpandedText", "TableType", "Parameters",
)  # fmt: skip


def qualify(name: list[str], job: Job) -> tuple[str, str]:
    """Database and table that a name means."""
    if len(name) > 3 or (len(name) == 3 and name[0] not in ("awsdatacatalog", "hive")):
        raise QueryError("CATALOG_NOT_FOUND", f"Catalog '{name[0]}' does not exist")
    return (name[-2] if len(name) > 1 else job.database), name[-1]


def require_database(name: str, job: Job) -> None:
    """
    Check that a database exists.

    :raises HiveError: it does not.
    """
    if job.catalog.database(name) is None:
        raise HiveError(f"SemanticException [Error 10072]: Database does not exist: {name}")


def require_table(database: str, name: str, job: Job) -> dict[str, Any]:
    """
    Return the table.

    :raises QueryError: TABLE_NOT_FOUND or SCHEMA_NOT_FOUND.
    """
    table = job.catalog.table(database, name)
    if table is None:
        if job.catalog.database(database) is None:
            raise QueryError("SCHEMA_NOT_FOUND", f"Schema '{database}' does not exist", (1, 1))
        raise QueryError("TABLE_NOT_FOUND", f"Table 'awsdatacatalog.{database}.{name}' does not exist", (1, 1))
    return table


def hive_table(name: list[str], job: Job) -> tuple[str, str, dict[str, Any]]:
    """
    Database, name and table of a Hive statement.

    :raises HiveError: there is no such table.
    """
    database, table = qualify(name, job)
    found = job.catalog.table(database, table)
    if found is None:
        if job.catalog.database(database) is None:
            raise HiveError(f"SemanticException [Error 10072]: Database does not exist: {database}")
        raise HiveError(f"SemanticException [Error 10001]: Table not found {database}.{table}")
    return database, table, found


def create_database(statement: nodes.CreateDatabase, job: Job) -> Outcome:
    """CREATE DATABASE."""
    given: dict[str, Any] = {"Name": statement.name}
    if statement.comment:
        given["Description"] = statement.comment
    if statement.location:
        split_location(statement.location)
        given["LocationUri"] = statement.location
    if statement.properties:
        given["Parameters"] = statement.properties
    try:
        job.glue.create_database(DatabaseInput=given)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise
        if not statement.exists_ok:
            raise HiveError(f"{_TASK} Database {statement.name} already exists") from error
    return Outcome(lines=[])


def drop_database(statement: nodes.DropDatabase, job: Job) -> Outcome:
    """DROP DATABASE; with CASCADE its tables too (their files stay)."""
    if job.catalog.database(statement.name) is None:
        if statement.missing_ok:
            return Outcome(lines=[])
        raise HiveError(f"SemanticException [Error 10072]: Database does not exist: {statement.name}")
    found = job.catalog.tables(statement.name)
    if found and not statement.cascade:
        reason = f"InvalidOperationException(message:Database {statement.name} is not empty. One or more tables exist.)"
        raise HiveError(f"{_TASK} {reason}")
    for table in found:
        job.glue.delete_table(DatabaseName=statement.name, Name=table["Name"])
    job.glue.delete_database(Name=statement.name)
    return Outcome(lines=[])


def create_table(statement: nodes.CreateTable, job: Job) -> Outcome:
    """CREATE EXTERNAL TABLE."""
    database, name = qualify(statement.name, job)
    if statement.properties.get("table_type", "").upper() == "ICEBERG":
        raise QueryError("NOT_SUPPORTED", f"Iceberg tables are not supported by localaws: {database}.{name}")
    if not statement.external:
        raise HiveError("SemanticException Only external tables are supported: CREATE EXTERNAL TABLE", error_type=1200)
    require_database(database, job)
    if job.catalog.table(database, name) is not None:
        if statement.exists_ok:
            return Outcome(lines=[])
        raise HiveError(f"{_TASK} AlreadyExistsException(message:Table {name} already exist)")
    job.glue.create_table(DatabaseName=database, TableInput=_table_input(statement, name))
    return Outcome(lines=[])


def _table_input(statement: nodes.CreateTable, name: str) -> dict[str, Any]:
    stored = _STORED_AS.get((statement.stored_as or "textfile").lower())
    if stored is None:
        raise HiveError(f"SemanticException Unrecognized file format in STORED AS clause: '{statement.stored_as}'")
    serde = statement.serde or stored[2]
    descriptor: dict[str, Any] = {
        "Columns": [column.glue() for column in statement.columns],
        # Hive's path has no slash at its end.
        "Location": (statement.location or "").rstrip("/"),
        "InputFormat": statement.input_format or stored[0],
        "OutputFormat": statement.output_format or stored[1],
        "Compressed": False,
        "NumberOfBuckets": statement.buckets.get("count", -1),
        "BucketColumns": statement.buckets.get("columns", []),
        "SerdeInfo": {
            "SerializationLibrary": serde,
            "Parameters": {"serialization.format": "1", **statement.serde_properties},
        },
    }
    table = {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "transient_lastDdlTime": str(int(time.time())), **statement.properties},
        "PartitionKeys": [column.glue() for column in statement.partitions],
        "StorageDescriptor": descriptor,
    }
    set_comment(table, statement.comment)
    return table


def set_comment(table: dict[str, Any], comment: str | None) -> None:
    """Put a table's COMMENT where Athena does, and where Glue shows it."""
    if comment:
        table["Description"] = comment
        table["Parameters"]["comment"] = comment


def drop_table(statement: nodes.DropTable, job: Job) -> Outcome:
    """DROP TABLE: the files stay, the table is external."""
    database, name = qualify(statement.name, job)
    table = job.catalog.table(database, name)
    if table is None:
        if statement.missing_ok:
            return Outcome(lines=[])
        raise HiveError(f"SemanticException [Error 10001]: Table not found {name}")
    if is_view(table):
        raise HiveError("SemanticException Cannot drop a view with DROP TABLE")
    job.glue.delete_table(DatabaseName=database, Name=name)
    return Outcome(lines=[])


def create_view(statement: nodes.CreateView, job: Job) -> Outcome:
    """CREATE [OR REPLACE] VIEW."""
    database, name = qualify(statement.name, job)
    if job.catalog.database(database) is None:
        raise QueryError("SCHEMA_NOT_FOUND", f"Schema '{database}' does not exist", (1, 1))
    relation, _ = queries.compile_text(statement.sql, job)
    columns: list[tuple[str, types.Type]] = []
    for index, (column, kind) in enumerate(zip(relation.names, relation.types, strict=True), start=1):
        if column is None:
            raise QueryError("MISSING_COLUMN_NAME", f"Column name not specified at position {index}", (1, 1))
        if column.lower() in (known for known, _ in columns):
            raise QueryError(
                "DUPLICATE_COLUMN_NAME", f"Column name '{column.lower()}' specified more than once", (1, 1)
            )
        columns.append((column.lower(), kind))
    existing = job.catalog.table(database, name)
    if existing is not None and not (statement.replace and is_view(existing)):
        what = "View" if is_view(existing) else "Table"
        raise QueryError("TABLE_ALREADY_EXISTS", f"{what} already exists: 'awsdatacatalog.{database}.{name}'", (1, 1))
    definition = Definition(statement.query, job.database, columns)
    given = {
        "Name": name,
        **({"Description": statement.comment} if statement.comment else {}),
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"comment": "Presto View", "presto_view": "true"},
        "PartitionKeys": [],
        "StorageDescriptor": {"Columns": views.glue_columns(definition), "Location": "", "SerdeInfo": {}},
        "ViewOriginalText": views.encode(definition),
        "ViewExpandedText": "/* Presto View */",
    }
    require_database(database, job)
    write = job.glue.create_table if existing is None else job.glue.update_table
    write(DatabaseName=database, TableInput=given)
    return Outcome(lines=[])


def drop_view(statement: nodes.DropView, job: Job) -> Outcome:
    """DROP VIEW."""
    database, name = qualify(statement.name, job)
    table = job.catalog.table(database, name)
    if table is None or not is_view(table):
        if table is None and statement.missing_ok:
            return Outcome(lines=[])
        raise QueryError("TABLE_NOT_FOUND", f"View 'awsdatacatalog.{database}.{name}' does not exist", (1, 1))
    job.glue.delete_table(DatabaseName=database, Name=name)
    return Outcome(lines=[])


def update(database: str, table: dict[str, Any], change: Callable[[dict[str, Any]], None], job: Job) -> None:
    """Write a table back with something changed."""
    given = {key: table[key] for key in _INPUT if key in table}
    change(given)
    job.glue.update_table(DatabaseName=database, TableInput=given)


def set_properties(statement: nodes.SetProperties, job: Job) -> Outcome:
    """ALTER TABLE SET TBLPROPERTIES."""
    database, _, table = hive_table(statement.name, job)
    update(
        database,
        table,
        lambda given: given.update(Parameters={**given.get("Parameters", {}), **statement.properties}),
        job,
    )
    return Outcome(lines=[])


def alter_columns(statement: nodes.AlterColumns, job: Job) -> Outcome:
    """ALTER TABLE ADD or REPLACE COLUMNS."""
    database, _, table = hive_table(statement.name, job)
    descriptor = table["StorageDescriptor"]
    before = [] if statement.replace else descriptor.get("Columns", [])
    taken = {column["Name"] for column in [*before, *table.get("PartitionKeys", [])]}
    for column in statement.columns:
        if column.name in taken:
            raise HiveError(f"{_TASK} Duplicate column name: {column.name}")
    columns = [*before, *(column.glue() for column in statement.columns)]
    update(database, table, lambda given: given.update(StorageDescriptor={**descriptor, "Columns": columns}), job)
    return Outcome(lines=[])


def create_partition(
    database: str, name: str, descriptor: dict[str, Any], values: list[str], location: str, job: Job
) -> None:
    """Tell the catalog of a partition; one that is there already stays as it is."""
    given = {"Values": values, "StorageDescriptor": {**descriptor, "Location": location}}
    try:
        job.glue.create_partition(DatabaseName=database, TableName=name, PartitionInput=given)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise


def type_of(column: dict[str, Any]) -> types.Type:
    """Return the type of a Glue column."""
    return types.parse_hive(column.get("Type") or "string")
