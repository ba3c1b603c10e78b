"""One statement, whatever it is, done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localaws.athena import queries, write
from localaws.athena.ddl import nodes, partitions, show, tables
from localaws.athena.errors import QueryError
from localaws.athena.job import Job, Outcome
from localaws.athena.tables.cache import split_location

_DOERS: dict[type[nodes.Statement], Callable[[Any, Job], Outcome]] = {
    nodes.Query: lambda statement, job: queries.run(statement.sql, job),
    nodes.Explain: lambda statement, job: queries.explain(
        statement.sql, job, analyze=statement.analyze, validate=statement.validate
    ),
    nodes.CreateTableAs: write.create_table_as,
    nodes.Insert: write.insert,
    nodes.Unload: write.unload,
    nodes.CreateDatabase: tables.create_database,
    nodes.DropDatabase: tables.drop_database,
    nodes.CreateTable: tables.create_table,
    nodes.DropTable: tables.drop_table,
    nodes.CreateView: tables.create_view,
    nodes.DropView: tables.drop_view,
    nodes.SetProperties: tables.set_properties,
    nodes.AlterColumns: tables.alter_columns,
    nodes.SetLocation: partitions.set_location,
    nodes.AddPartitions: partitions.add,
    nodes.DropPartitions: partitions.drop,
    nodes.RenamePartition: partitions.rename,
    nodes.RepairTable: partitions.repair,
    nodes.ShowDatabases: show.databases,
    nodes.ShowTables: show.tables,
    nodes.ShowColumns: show.columns,
    nodes.ShowPartitions: show.partitions,
    nodes.ShowProperties: show.properties,
    nodes.ShowCreateTable: show.create,
    nodes.Describe: show.describe,
}


def execute(statement: nodes.Statement, job: Job) -> Outcome:
    """
    Do a statement.

    :raises QueryError: it fails.
    :raises Cancelled: it was stopped.
    """
    return _DOERS[type(statement)](statement, job)


def refuse_at_start(statement: nodes.Statement) -> str | None:
    """Return StartQueryExecution's objection to a statement that can be parsed, or ``None``."""
    if isinstance(statement, nodes.CreateTable):
        if not statement.location:
            return "No location was specified for table. An S3 location must be specified"
        try:
            split_location(statement.location)
        except QueryError as error:
            return error.reason
    return None
