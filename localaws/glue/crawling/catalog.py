"""Writes what a crawl found into the Glue catalog, as the crawler's SchemaChangePolicy and Configuration say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from localaws.glue.crawling import definition
from localaws.glue.crawling.definition import Author, statistics, substance
from localaws.glue.crawling.grouping import Group
from localaws.glue.crawling.targets import Location

Log = Callable[[str, str], None]
#: how many partitions one BatchCreatePartition and BatchUpdatePartition take; BatchDeletePartition takes 25.
_BATCH = 100
_DELETE_BATCH = 25
_INPUT_MEMBERS = (
    "Name",
    "Description",
    "Owner",
    "Retention",
    "StorageDescriptor",
    "PartitionKeys",
    "TableType",
    "Parameters",
)


@dataclass(frozen=True)
class Policy:
    """
    SchemaChangePolicy, and what of Configuration overrides it.

    :param merge_new_columns: MergeNewColumns: columns are added and never changed or removed.
    :param inherit: InheritFromTable: partitions get the table's columns.
    """

    update: str = "UPDATE_IN_DATABASE"
    delete: str = "DEPRECATE_IN_DATABASE"
    merge_new_columns: bool = False
    inherit: bool = False


@dataclass
class Changes:
    """What a crawl did to the catalog: table names, and ``table/value/value`` of partitions."""

    tables_created: list[str] = field(default_factory=list)
    tables_updated: list[str] = field(default_factory=list)
    tables_deleted: list[str] = field(default_factory=list)
    partitions_created: list[str] = field(default_factory=list)
    partitions_updated: list[str] = field(default_factory=list)
    partitions_deleted: list[str] = field(default_factory=list)


class Catalog:
    """
    The tables of one database, as one crawl sees and changes them.

    :param glue: a boto3 Glue client.
    :param changes: filled in as tables are written.
    :param log: takes a level (``INFO``, ``WARN``, ``ERROR``) and a line for the crawl's log.
    :raises botocore.exceptions.ClientError: there is no such database.
    """

    def __init__(self, glue: Any, database: str, prefix: str, policy: Policy, log: Log, changes: Changes) -> None:
        self._glue = glue
        self._database = database
        self._prefix = prefix
        self._policy = policy
        self._log = log
        self.changes = changes
        pages = glue.get_paginator("get_tables").paginate(DatabaseName=database)
        self._tables: dict[str, dict[str, Any]] = {
            table["Name"]: table for page in pages for table in page["TableList"]
        }
        self._written: set[str] = set()

    def write(self, group: Group, location: Location, author: Author) -> None:
        """Create or update the table of a group, and its partitions."""
        plain = definition.table_name(self._prefix, location, group.root)
        name = self._name(plain, location.uri(group.root))
        self._written.add(name)
        wanted = definition.table_input(name, group, location, author)
        existing = self._tables.get(name)
        if existing is None:
            self._create(wanted)
        elif _keys(existing) != _keys(wanted):
            if not self._replace(wanted):
                return
        else:
            self._update(existing, wanted)
        partitions = definition.partition_inputs(group, location, author)
        if self._policy.inherit:
            partitions = [definition.inheriting(self._tables[name], partition) for partition in partitions]
        if partitions:
            self._write_partitions(name, partitions)

    def _name(self, plain: str, uri: str) -> str:
        """Name a table: one of crawlers at this location keeps its name; a name that is taken gets a hash added."""
        for name, table in self._tables.items():
            crawled = "UPDATED_BY_CRAWLER" in table.get("Parameters", {})
            if crawled and table["StorageDescriptor"].get("Location") == uri and name.startswith(plain):
                return name
        return definition.distinct_name(plain, uri) if plain in self._tables or plain in self._written else plain

    def _create(self, wanted: dict[str, Any]) -> None:
        self._glue.create_table(DatabaseName=self._database, TableInput=wanted)
        self._tables[wanted["Name"]] = wanted
        self.changes.tables_created.append(wanted["Name"])
        self._log("INFO", f"Created table {wanted['Name']} in database {self._database}")

    def _replace(self, wanted: dict[str, Any]) -> bool:
        """Recreate a table whose partition keys differ, if it may be changed: UpdateTable cannot change them."""
        name, keys = wanted["Name"], _keys(wanted)
        if self._policy.update == "LOG" or self._policy.merge_new_columns:
            self._log(
                "WARN", f"Table {name} in database {self._database} now has the partition keys {keys}: not updated"
            )
            return False
        self._glue.delete_table(DatabaseName=self._database, Name=name)
        self._glue.create_table(DatabaseName=self._database, TableInput=wanted)
        self._tables[name] = wanted
        self.changes.tables_updated.append(name)
        self._log("INFO", f"Recreated table {name} in database {self._database} with the partition keys {keys}")
        return True

    def _update(self, existing: dict[str, Any], wanted: dict[str, Any]) -> None:
        name = wanted["Name"]
        if self._policy.merge_new_columns:
            wanted = definition.with_columns_of(existing, wanted)
        if self._may_write(existing, wanted, f"Table {name} in database {self._database}"):
            self._glue.update_table(DatabaseName=self._database, TableInput=wanted)
            self._tables[name] = wanted
            self.changes.tables_updated.append(name)
            self._log("INFO", f"Updated table {name} in database {self._database}")

    def _may_write(self, existing: dict[str, Any], wanted: dict[str, Any], what: str) -> bool:
        if substance(existing) == substance(wanted):
            return statistics(existing) != statistics(wanted)
        if self._policy.update == "LOG":
            self._log("WARN", f"{what} changed: not updated, as configured")
            return False
        return True

    def _write_partitions(self, table: str, wanted: list[dict[str, Any]]) -> None:
        pages = self._glue.get_paginator("get_partitions").paginate(DatabaseName=self._database, TableName=table)
        existing = {tuple(partition["Values"]): partition for page in pages for partition in page["Partitions"]}
        new, changed = [], []
        for partition in wanted:
            before = existing.pop(tuple(partition["Values"]), None)
            if before is None:
                new.append(partition)
                continue
            if self._policy.merge_new_columns and not self._policy.inherit:
                partition = definition.with_columns_of(before, partition)
            if self._may_write(before, partition, f"Partition {partition['Values']} of table {table}"):
                changed.append(partition)
        names = {"DatabaseName": self._database, "TableName": table}
        for batch in _batches(new, _BATCH):
            _check(self._glue.batch_create_partition(**names, PartitionInputList=batch))
        for batch in _batches(changed, _BATCH):
            entries = [{"PartitionValueList": entry["Values"], "PartitionInput": entry} for entry in batch]
            _check(self._glue.batch_update_partition(**names, Entries=entries))
        self.changes.partitions_created += self._logged("Created", table, new)
        self.changes.partitions_updated += self._logged("Updated", table, changed)
        if existing:
            self._drop_partitions(table, list(existing.values()))

    def _drop_partitions(self, table: str, gone: list[dict[str, Any]]) -> None:
        if self._policy.delete != "DELETE_FROM_DATABASE":
            values = [partition["Values"] for partition in gone]
            self._log("WARN", f"Partitions {values} of table {table} are no longer in S3: kept, as configured")
            return
        for batch in _batches(gone, _DELETE_BATCH):
            values = [{"Values": partition["Values"]} for partition in batch]
            answer = self._glue.batch_delete_partition(
                DatabaseName=self._database, TableName=table, PartitionsToDelete=values
            )
            _check(answer)
        self.changes.partitions_deleted += self._logged("Deleted", table, gone)

    def _logged(self, verb: str, table: str, partitions: list[dict[str, Any]]) -> list[str]:
        if partitions:
            values = [partition["Values"] for partition in partitions]
            self._log("INFO", f"{verb} partitions with values {values} for table {table} in database {self._database}")
        return ["/".join([table, *partition["Values"]]) for partition in partitions]

    def remove_missing(self, crawler: str, covered: Iterable[str]) -> None:
        """
        Treat this crawler's tables whose data is gone as DeleteBehavior says.

        :param covered: URIs of the targets that were listed: a table elsewhere is none of this crawl's business.
        """
        roots = tuple(f"{uri.rstrip('/')}/" for uri in covered)
        for name, table in list(self._tables.items()):
            ours = table.get("Parameters", {}).get("UPDATED_BY_CRAWLER") == crawler
            location = table["StorageDescriptor"].get("Location", "")
            if ours and name not in self._written and f"{location.rstrip('/')}/".startswith(roots):
                self._remove(table)

    def _remove(self, table: dict[str, Any]) -> None:
        name = table["Name"]
        match self._policy.delete:
            case "DELETE_FROM_DATABASE":
                self._glue.delete_table(DatabaseName=self._database, Name=name)
                self.changes.tables_deleted.append(name)
                self._log("INFO", f"Deleted table {name} in database {self._database}")
            case "DEPRECATE_IN_DATABASE":
                self._deprecate(table)
            case _:
                self._log("WARN", f"Data of table {name} in database {self._database} is gone: kept, as configured")

    def _deprecate(self, table: dict[str, Any]) -> None:
        if "DEPRECATED_BY_CRAWLER" in table["Parameters"]:
            return
        marked = {key: table[key] for key in _INPUT_MEMBERS if key in table}
        # Glue's mark is the time, in milliseconds.
        marked["Parameters"] = table["Parameters"] | {"DEPRECATED_BY_CRAWLER": str(time.time_ns() // 1_000_000)}
        self._glue.update_table(DatabaseName=self._database, TableInput=marked)
        self.changes.tables_updated.append(table["Name"])
        self._log("INFO", f"Deprecated table {table['Name']} in database {self._database}")


def _keys(table: dict[str, Any]) -> list[str]:
    return [key["Name"] for key in table.get("PartitionKeys", ())]


def _batches(entries: list[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(entries)
    while batch := list(islice(iterator, size)):
        yield batch


def _check(answer: dict[str, Any]) -> None:
    """
    Check the answer to a batch, whose HTTP status is 200 in any case.

    :raises RuntimeError: it has errors.
    """
    if answer.get("Errors"):
        raise RuntimeError(f"the catalog refused partitions: {answer['Errors'][:3]}")
