"""ALTER TABLE ADD, DROP and RENAME PARTITION, and MSCK REPAIR TABLE."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from localaws.athena.ddl import nodes
from localaws.athena.ddl.tables import create_partition, hive_table, type_of, update
from localaws.athena.errors import HiveError
from localaws.athena.job import Job, Outcome
from localaws.athena.tables.cache import list_objects, split_location
from localaws.athena.tables.partitions import escape

_TASK = "Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask."
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "<>": operator.ne,
    "!=": operator.ne,
}


def _keys(table: dict[str, Any], spec: object) -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = table.get("PartitionKeys") or []
    if not keys:
        raise HiveError(f"SemanticException table is not partitioned but partition spec exists: {_shown(spec)}")
    return keys


def _shown(spec: object) -> str:
    return "{" + ", ".join(f"{k}={v}" for k, v in spec.items()) + "}" if isinstance(spec, dict) else str(spec)


def _values(table: dict[str, Any], spec: dict[str, str]) -> list[str]:
    """Return the values of a spec in the order of the table's partition columns."""
    names = [key["Name"].lower() for key in _keys(table, spec)]
    if set(spec) != set(names):
        raise HiveError(
            f"SemanticException Partition spec {_shown(spec)} contains non-partition columns or misses some"
        )
    return [spec[name] for name in names]


def add(statement: nodes.AddPartitions, job: Job) -> Outcome:
    """ALTER TABLE ADD PARTITION."""
    database, name, table = hive_table(statement.name, job)
    descriptor = table["StorageDescriptor"]
    known = {tuple(partition["Values"]) for partition in job.catalog.partitions(database, name)}
    wanted = [(_values(table, spec), spec, location) for spec, location in statement.partitions]
    if not statement.exists_ok and any(tuple(values) in known for values, _, _ in wanted):
        raise HiveError(f"{_TASK} AlreadyExistsException(message:Partition already exists)")
    for values, spec, location in wanted:
        if tuple(values) not in known:
            folder = location or _folder(table, spec)
            split_location(folder)
            create_partition(database, name, descriptor, values, folder, job)
    return Outcome(lines=[])


def _folder(table: dict[str, Any], spec: dict[str, str]) -> str:
    base = table["StorageDescriptor"]["Location"].rstrip("/")
    names = [key["Name"].lower() for key in table["PartitionKeys"]]
    return "/".join([base, *(f"{escape(key)}={escape(spec[key])}" for key in names)]) + "/"


def drop(statement: nodes.DropPartitions, job: Job) -> Outcome:
    """ALTER TABLE DROP PARTITION: the files stay."""
    database, name, table = hive_table(statement.name, job)
    known = job.catalog.partitions(database, name)
    for spec in statement.specs:
        keys = {key["Name"].lower(): index for index, key in enumerate(_keys(table, spec))}
        if any(column not in keys for column, _, _ in spec):
            raise HiveError(f"SemanticException Partition spec contains non-partition columns: {spec}")
        tests = [
            (keys[column], _COMPARE[sign], value, type_of(table["PartitionKeys"][keys[column]]))
            for column, sign, value in spec
        ]
        chosen = [
            p for p in known if all(test(*_comparable(p["Values"][i], value, kind)) for i, test, value, kind in tests)
        ]
        if not chosen and not statement.missing_ok:
            shown = ", ".join(f"{column}{sign}{value}" for column, sign, value in spec)
            raise HiveError(f"SemanticException [Error 10006]: Partition not found {{{shown}}}")
        for partition in chosen:
            job.glue.delete_partition(DatabaseName=database, TableName=name, PartitionValues=partition["Values"])
        known = [partition for partition in known if partition not in chosen]
    return Outcome(lines=[])


def _comparable(have: str, want: str, kind: Any) -> tuple[Any, Any]:
    if kind.is_integer:
        try:
            return int(have), int(want)
        except ValueError:
            return have, want
    return have, want


def set_location(statement: nodes.SetLocation, job: Job) -> Outcome:
    """ALTER TABLE [PARTITION (...)] SET LOCATION."""
    database, name, table = hive_table(statement.name, job)
    split_location(statement.location)
    if statement.partition is not None:
        _move(database, name, table, statement.partition, statement.location, job)
        return Outcome(lines=[])
    descriptor = {**table["StorageDescriptor"], "Location": statement.location}
    update(database, table, lambda given: given.update(StorageDescriptor=descriptor), job)
    return Outcome(lines=[])


def _move(database: str, name: str, table: dict[str, Any], spec: dict[str, str], location: str, job: Job) -> None:
    """Give a partition another location."""
    partition = _find(database, name, table, spec, job)
    given = {
        "Values": partition["Values"],
        "StorageDescriptor": {**partition["StorageDescriptor"], "Location": location},
    }
    job.glue.update_partition(
        DatabaseName=database, TableName=name, PartitionValueList=partition["Values"], PartitionInput=given
    )


def rename(statement: nodes.RenamePartition, job: Job) -> Outcome:
    """ALTER TABLE PARTITION RENAME TO PARTITION: the files stay where they are."""
    database, name, table = hive_table(statement.name, job)
    partition = _find(database, name, table, statement.old, job)
    given = {"Values": _values(table, statement.new), "StorageDescriptor": partition["StorageDescriptor"]}
    job.glue.update_partition(
        DatabaseName=database, TableName=name, PartitionValueList=partition["Values"], PartitionInput=given
    )
    return Outcome(lines=[])


def _find(database: str, name: str, table: dict[str, Any], spec: dict[str, str], job: Job) -> dict[str, Any]:
    values = _values(table, spec)
    found = [partition for partition in job.catalog.partitions(database, name) if partition["Values"] == values]
    if not found:
        raise HiveError(f"SemanticException [Error 10006]: Partition not found {_shown(spec)}")
    return found[0]


def repair(statement: nodes.RepairTable, job: Job) -> Outcome:
    """MSCK REPAIR TABLE: folders ``key=value/...`` that the catalog does not know become partitions."""
    database, name, table = hive_table(statement.name, job)
    names = [key["Name"].lower() for key in table.get("PartitionKeys") or ()]
    if not names:
        return Outcome(lines=[])
    location = table["StorageDescriptor"]["Location"]
    bucket, prefix = split_location(location)
    known = {tuple(partition["Values"]) for partition in job.catalog.partitions(database, name)}
    folders: dict[tuple[str, ...], str] = {}
    for item in list_objects(job.s3, location):
        parts = item.key[len(prefix) :].split("/")[: len(names)]
        values = _from_folders(parts, names)
        if values is not None and values not in known:
            folders.setdefault(values, "/".join(parts))
    for values, folder in folders.items():
        job.control.check()
        create_partition(
            database, name, table["StorageDescriptor"], list(values), f"s3://{bucket}/{prefix}{folder}/", job
        )
    if not folders:
        return Outcome(lines=[])
    missing = "".join(f"\t{name}:{folder}" for folder in folders.values())
    added = [f"Repair: Added partition to metastore {name}:{folder}" for folder in folders.values()]
    return Outcome(lines=[f"Partitions not in metastore:{missing}", *added])


def _from_folders(parts: list[str], names: list[str]) -> tuple[str, ...] | None:
    """Return the values in ``a=1``, ``b=2`` if these are the partition columns in their order."""
    if len(parts) != len(names):
        return None
    values = []
    for part, name in zip(parts, names, strict=True):
        key, separator, value = part.partition("=")
        if not separator or key.lower() != name:
            return None
        values.append(unquote(value))
    return tuple(values)
