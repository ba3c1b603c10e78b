"""What the crawler writes into the catalog: TableInput and PartitionInput, as Glue's own crawlers word them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from localaws.glue.crawling.grouping import Group, Partition, Statistics
from localaws.glue.crawling.schema import Format
from localaws.glue.crawling.targets import Location
from localaws.glue.crawling.types import Column

_KEY_VALUE = re.compile(r"([^=]+)=(.*)", re.DOTALL)
#: Parameters that change from crawl to crawl while the table stays what it was.
VOLATILE = frozenset({"CRAWL_RUN_ID", "averageRecordSize", "objectCount", "recordCount", "sizeKey"})


@dataclass(frozen=True)
class Author:
    """Who writes: the crawler's name, the crawl's id, and the exclusions that go into the table."""

    crawler: str
    crawl_id: str
    exclusions: tuple[str, ...] = ()


def table_name(prefix: str, location: Location, root: str) -> str:
    """
    Return the table's name: the prefix and the name of its folder, object or bucket.

    In lower case, and ``_`` for everything but letters, digits and ``_``, as with Glue.
    """
    last = root.rstrip("/").rpartition("/")[2] or location.bucket
    return re.sub(r"[^a-z0-9_]", "_", f"{prefix}{last}".lower())


def distinct_name(name: str, uri: str) -> str:
    """Return the name with a hash of its location, where the plain one belongs to another table."""
    return f"{name}_{hashlib.md5(uri.encode(), usedforsecurity=False).hexdigest()}"


def partition_keys(paths: Sequence[tuple[str, ...]], columns: Iterable[Column]) -> list[str]:
    """
    Name the partition keys: ``key`` where all folders at a level are ``key=value``, else ``partition_N``.

    A key that is called like a column is ``partition_N`` as well: Athena reads no table with two columns of a name.
    """
    taken = {column.name for column in columns}
    keys = []
    for level, names in enumerate(zip(*paths, strict=True)):
        named = {match[1].lower() for name in names if (match := _KEY_VALUE.fullmatch(name))}
        plain = any(_KEY_VALUE.fullmatch(name) is None for name in names)
        key = f"partition_{level}" if plain or len(named) > 1 or named & taken else named.pop()
        keys.append(key)
        taken.add(key)
    return keys


def partition_values(path: tuple[str, ...], paths: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a partition's values: what stands after ``=``, or the whole folder name at levels of plain folders."""
    plain = [any("=" not in name for name in names) for names in zip(*paths, strict=True)]
    return [name if whole else name.partition("=")[2] for name, whole in zip(path, plain, strict=True)]


def table_input(name: str, group: Group, location: Location, author: Author) -> dict[str, Any]:
    """Return the TableInput of a group."""
    columns = group.columns
    paths = [partition.path for partition in group.partitions]
    parameters = _parameters(group.format, group.statistics, author) | {"UPDATED_BY_CRAWLER": author.crawler}
    if author.exclusions:
        parameters["exclusions"] = json.dumps(list(author.exclusions))
    return {
        "Name": name,
        "Owner": "owner",
        "Retention": 0,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in partition_keys(paths, columns)],
        "Parameters": parameters,
        "StorageDescriptor": _storage(location.uri(group.root), group.format, columns, parameters),
    }


def partition_inputs(group: Group, location: Location, author: Author) -> list[dict[str, Any]]:
    """Return the PartitionInputs of a group, each with its own columns; none where the table has no partition keys."""
    if not group.depth:
        return []
    paths = [partition.path for partition in group.partitions]
    return [_partition(group, partition, paths, location, author) for partition in group.partitions]


def _partition(
    group: Group, partition: Partition, paths: Sequence[tuple[str, ...]], location: Location, author: Author
) -> dict[str, Any]:
    uri = location.uri(f"{group.root}{'/'.join(partition.path)}/")
    parameters = _parameters(group.format, partition.statistics, author)
    return {
        "Values": partition_values(partition.path, paths),
        "Parameters": parameters,
        "StorageDescriptor": _storage(uri, group.format, partition.columns, parameters),
    }


def _parameters(encoding: Format, statistics: Statistics, author: Author) -> dict[str, str]:
    return {
        "CRAWL_RUN_ID": author.crawl_id,
        "CrawlerSchemaDeserializerVersion": "1.0",
        "CrawlerSchemaSerializerVersion": "1.0",
        "averageRecordSize": str(statistics.average_record_size),
        "classification": encoding.classification,
        "compressionType": encoding.compression,
        "objectCount": str(statistics.objects),
        "recordCount": str(statistics.records),
        "sizeKey": str(statistics.size),
        "typeOfData": "file",
        **dict(encoding.parameters),
    }


def _storage(uri: str, encoding: Format, columns: Sequence[Column], parameters: dict[str, str]) -> dict[str, Any]:
    serde_parameters = dict(encoding.serde_parameters)
    if encoding.classification == "json":
        serde_parameters["paths"] = ",".join(sorted(column.name for column in columns))
    serde = {"SerializationLibrary": encoding.serde, "Parameters": serde_parameters} if encoding.serde else {}
    return {
        "Columns": [{"Name": column.name, "Type": str(column.type)} for column in columns],
        "Location": uri,
        "InputFormat": encoding.input_format,
        "OutputFormat": encoding.output_format,
        "Compressed": encoding.compression != "none",
        "NumberOfBuckets": -1,
        "SerdeInfo": serde,
        "BucketColumns": [],
        "SortColumns": [],
        "Parameters": dict(parameters),
        "StoredAsSubDirectories": False,
    }


def substance(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what makes a table or partition what it is: all that the crawler writes but for its statistics."""
    storage = entry["StorageDescriptor"]
    return {
        "keys": [key["Name"] for key in entry.get("PartitionKeys", ())],
        "columns": [(column["Name"], column["Type"]) for column in storage["Columns"]],
        "location": storage["Location"],
        "formats": (storage.get("InputFormat", ""), storage.get("OutputFormat", "")),
        "serde": storage.get("SerdeInfo", {}),
        "parameters": {key: value for key, value in entry.get("Parameters", {}).items() if key not in VOLATILE},
    }


def statistics(entry: dict[str, Any]) -> tuple[str | None, ...]:
    """Return the object count, record count and size that a table's or partition's Parameters give."""
    parameters = entry.get("Parameters", {})
    return tuple(parameters.get(key) for key in ("objectCount", "recordCount", "sizeKey"))


def with_columns_of(existing: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the table or partition as wanted, but with the existing columns and only new ones added."""
    columns = list(existing["StorageDescriptor"]["Columns"])
    names = {column["Name"] for column in columns}
    columns += [column for column in wanted["StorageDescriptor"]["Columns"] if column["Name"] not in names]
    return {**wanted, "StorageDescriptor": {**wanted["StorageDescriptor"], "Columns": columns}}


def inheriting(table: dict[str, Any], partition: dict[str, Any]) -> dict[str, Any]:
    """Return the partition with the columns, formats and SerDe of its table: InheritFromTable."""
    own = partition["StorageDescriptor"]
    storage = {**table["StorageDescriptor"], "Location": own["Location"], "Parameters": own["Parameters"]}
    return {**partition, "StorageDescriptor": storage}
