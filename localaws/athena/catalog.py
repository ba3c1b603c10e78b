"""The Glue catalog, looked at for one statement: what was read once is not read again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError


class Catalog:
    """
    Databases, tables and partitions.

    :param glue: a boto3 Glue client.
    """

    def __init__(self, glue: Any) -> None:
        self.glue = glue
        self._tables: dict[tuple[str, str], dict[str, Any] | None] = {}
        self._databases: dict[str, dict[str, Any] | None] = {}
        self._partitions: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def database(self, name: str) -> dict[str, Any] | None:
        """Return a database, or ``None``."""
        if name not in self._databases:
            self._databases[name] = _absent(lambda: self.glue.get_database(Name=name)["Database"])
        return self._databases[name]

    def has_database(self, name: str) -> bool:
        """Return True if there is such a database."""
        return self.database(name) is not None

    def table(self, database: str, name: str) -> dict[str, Any] | None:
        """Return a table, or ``None`` if there is none."""
        key = (database, name)
        if key not in self._tables:
            self._tables[key] = _absent(lambda: self.glue.get_table(DatabaseName=database, Name=name)["Table"])
        return self._tables[key]

    def databases(self) -> list[str]:
        """Return the names of all databases, sorted."""
        return sorted(database["Name"] for database in self._pages("get_databases", "DatabaseList"))

    def tables(self, database: str) -> list[dict[str, Any]]:
        """Return all tables of a database, by name."""
        if _absent(lambda: self.glue.get_database(Name=database)) is None:
            return []
        return sorted(self._pages("get_tables", "TableList", DatabaseName=database), key=lambda table: table["Name"])

    def partitions(self, database: str, table: str) -> list[dict[str, Any]]:
        """Return all partitions of a table that Glue knows."""
        key = (database, table)
        if key not in self._partitions:
            pages = self._pages("get_partitions", "Partitions", DatabaseName=database, TableName=table)
            self._partitions[key] = list(pages)
        return self._partitions[key]

    def forget(self) -> None:
        """Drop what was read, since the statement has changed the catalog."""
        self._tables.clear()
        self._databases.clear()
        self._partitions.clear()

    def _pages(self, operation: str, member: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        for page in self.glue.get_paginator(operation).paginate(**parameters):
            yield from page[member]


def _absent(call: Any) -> Any:
    try:
        return call()
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            return None
        raise
