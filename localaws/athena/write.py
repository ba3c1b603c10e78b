# ruff: noqa: S608 - this writes SQL: every name in it is quoted, every literal escaped, by localaws.athena.types.
"""CTAS, INSERT and UNLOAD: a query's rows to data files in S3, all of them or none, and the catalog told last."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws.athena import engine, files, results, types
from localaws.athena.ddl import nodes, tables
from localaws.athena.errors import QueryError
from localaws.athena.job import Job, Outcome
from localaws.athena.queries import Running, names_of, running
from localaws.athena.sql import casts, literals
from localaws.athena.sql.scope import Value
from localaws.athena.sql.tables import columns as table_columns
from localaws.athena.sql.tables import refuse_iceberg
from localaws.athena.tables import buckets
from localaws.athena.tables.buckets import Buckets
from localaws.athena.tables.cache import list_objects, split_location
from localaws.athena.tables.partitions import NULL_PARTITION, escape, partition_keys
from localaws.athena.types import Type, column_info
from localaws.athena.views import is_view

#: as many partitions as Athena writes in one statement.
MOST_PARTITIONS = 100
#: the column of a row's bucket while it is written; a query's result has none of such a name.
_BUCKET = "$bucket"
_ROWS = [column_info("rows", types.BIGINT)]


@dataclass(frozen=True)
class Written:
    """What was uploaded: the values of its partition (none where there are no partitions) and the URI of each file."""

    files: list[tuple[tuple[str, ...], str]]
    rows: int


def create_table_as(statement: nodes.CreateTableAs, job: Job) -> Outcome:
    """CREATE TABLE AS SELECT."""
    database, name = tables.qualify(statement.name, job)
    given = dict(statement.properties)
    if str(given.get("table_type", "HIVE")).upper() != "HIVE":
        raise QueryError("NOT_SUPPORTED", f"Table type {given['table_type']} is not supported by localaws")
    writer = files.writer(given)
    if job.catalog.table(database, name) is not None:
        if statement.exists_ok:
            return Outcome(_ROWS, update_type="CREATE TABLE", update_count=0, manifest=[])
        raise QueryError("TABLE_ALREADY_EXISTS", f"Table 'awsdatacatalog.{database}.{name}' already exists", (1, 1))
    tables.require_database(database, job)
    location = str(given.get("external_location") or f"{job.output.rstrip('/')}/tables/{job.id}/")
    require_empty(location, f"Target directory for table '{database}.{name}'", job)
    partitioned = [str(column).lower() for column in given.get("partitioned_by") or ()]
    with running(statement.sql, job) as query:
        columns = _target_columns(query, partitioned)
        bucketed = _buckets(given, columns[: len(columns) - len(partitioned)])
        if statement.with_data:
            written = _write(query, columns, len(partitioned), writer, location, job, bucketed=bucketed)
        else:
            written = Written([], 0)
        scanned = query.scanned
    table = writer.table(name, columns[: len(columns) - len(partitioned)], location)
    tables.set_comment(table, statement.comment)
    if bucketed is not None:
        names = [name for name, _ in bucketed.columns]
        table["StorageDescriptor"].update(BucketColumns=names, NumberOfBuckets=bucketed.count)
    table["PartitionKeys"] = [{"Name": c, "Type": types.hive(k)} for c, k in columns[len(columns) - len(partitioned) :]]
    _create(database, name, table, job)
    _register(database, name, table["StorageDescriptor"], written, [c for c, _ in columns[-len(partitioned) :]], job)
    return _outcome("CREATE TABLE", written, scanned)


def _create(database: str, name: str, table: dict[str, Any], job: Job) -> None:
    try:
        job.glue.create_table(DatabaseName=database, TableInput=table)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise
        # Another statement made it meanwhile.
        raise QueryError("TABLE_ALREADY_EXISTS", f"Table 'awsdatacatalog.{database}.{name}' already exists") from error
    job.plan(_created=[database, name])


def _outcome(update: str, written: Written, scanned: int) -> Outcome:
    manifest = [uri for _, uri in written.files]
    return Outcome(_ROWS, update_type=update, update_count=written.rows, manifest=manifest, scanned=scanned)


def _target_columns(query: Running, partitioned: list[str]) -> list[tuple[str, Type]]:
    """
    Return the columns of the table to create.

    :raises QueryError: a column has no name or no type, two have the same name, or the partition columns are not the
        last.
    """
    columns: list[tuple[str, Type]] = []
    for index, (name, kind) in enumerate(zip(query.relation.names, query.relation.types, strict=True), start=1):
        if not name:
            raise QueryError("MISSING_COLUMN_NAME", f"Column name not specified at position {index}", (1, 1))
        if name.lower() in (column for column, _ in columns):
            raise QueryError("DUPLICATE_COLUMN_NAME", f"Column name '{name.lower()}' specified more than once", (1, 1))
        if kind.base == "unknown":
            raise QueryError("COLUMN_TYPE_UNKNOWN", f"Column type is unknown at position {index}", (1, 1))
        columns.append((name.lower(), stored_type(kind)))
    names = [name for name, _ in columns]
    missing = [name for name in partitioned if name not in names]
    if missing:
        raise QueryError("INVALID_TABLE_PROPERTY", f"Partition columns {missing} not present in schema")
    if partitioned and (names[-len(partitioned) :] != partitioned or len(partitioned) == len(names)):
        rule = "Partition keys must be the last columns in the table and in the same order as the table properties"
        raise QueryError("HIVE_COLUMN_ORDER_MISMATCH", f"{rule}: {partitioned}")
    for _, kind in columns:
        types.hive(kind)
    return columns


def _buckets(given: dict[str, Any], columns: list[tuple[str, Type]]) -> Buckets | None:
    """
    Return the buckets that a CTAS asks for, or ``None`` if it asks for none.

    :raises QueryError: the properties are incomplete, or a column is missing or of a type that is not hashed here.
    """
    names, count = [str(name).lower() for name in given.get("bucketed_by") or ()], given.get("bucket_count")
    if not names and count is None:
        return None
    if not names or not isinstance(count, int) or count < 1:
        rule = "bucketed_by and bucket_count must be specified together, bucket_count greater than zero"
        raise QueryError("INVALID_TABLE_PROPERTY", rule)
    known = dict(columns)
    missing = [name for name in names if name not in known]
    if missing:
        raise QueryError("INVALID_TABLE_PROPERTY", f"Bucketing columns {missing} not present in schema")
    foreign = [name for name in names if known[name].base not in buckets.HASHED]
    if foreign:
        message = f"Bucketing by the column {foreign[0]} of type {known[foreign[0]]} is not supported by localaws"
        raise QueryError("NOT_SUPPORTED", message)
    return Buckets(tuple((name, known[name]) for name in names), count)


def stored_type(kind: Type) -> Type:
    """Return the type that a table stores; the length of a varchar literal is dropped."""
    return types.transform(kind, lambda part: types.VARCHAR if part.base == "varchar" else part)


def require_empty(location: str, what: str, job: Job) -> None:
    """
    Nothing may be at the place that is to be written.

    :raises QueryError: HIVE_PATH_ALREADY_EXISTS.
    """
    if list_objects(job.s3, location):
        raise QueryError(
            "HIVE_PATH_ALREADY_EXISTS",
            f"{what} already exists: {location}. You may need to manually clean the data at location"
            f" '{location}' before retrying. Athena will not delete data in your account.",
        )


def insert(statement: nodes.Insert, job: Job) -> Outcome:
    """INSERT INTO."""
    database, name = tables.qualify(statement.name, job)
    table = tables.require_table(database, name, job)
    if is_view(table):
        raise QueryError("NOT_SUPPORTED", "Inserting into views is not supported", (1, 1))
    refuse_iceberg(table)
    if table["StorageDescriptor"].get("BucketColumns"):
        raise QueryError("NOT_SUPPORTED", f"Inserting into the bucketed table {database}.{name} is not supported")
    writer = files.writer_of(table)
    columns, keys = table_columns(table), partition_keys(table)
    named = statement.columns or [column for column, _ in columns]
    with running(statement.sql, job) as query:
        texts = _as_columns(query, columns, named, statement.sql)
        written = _write(query, columns, len(keys), writer, table["StorageDescriptor"]["Location"], job, texts)
        scanned = query.scanned
    _register(database, name, table["StorageDescriptor"], written, [key for key, _ in keys], job)
    return _outcome("INSERT", written, scanned)


def _as_columns(query: Running, columns: list[tuple[str, Type]], named: list[str], sql: str) -> list[str]:
    """
    Return SQL for each table column, made from the query's columns. A column that the statement does not name is NULL.

    :raises QueryError: a name, the number of columns or a type does not fit.
    """
    known = dict(columns)
    unknown = [name for name in named if name not in known]
    if unknown:
        raise QueryError("COLUMN_NOT_FOUND", f"Insert column name does not exist in target table: {unknown[0]}", (1, 1))
    given = query.relation.types
    wanted = [known[name] for name in named]
    written = literals.decimal_columns(sql)
    pairs = enumerate(zip(given, wanted, strict=False))
    fits = [_fits(have, want, written.get(index)) for index, (have, want) in pairs]
    if len(given) != len(wanted) or not all(fits):
        shown = ", ".join(str(kind) for kind in wanted), ", ".join(str(kind) for kind in given)
        message = f"Insert query has mismatched column types: Table: [{shown[0]}], Query: [{shown[1]}]"
        raise QueryError("TYPE_MISMATCH", message, (1, 1))
    places = {name: index for index, name in enumerate(named)}
    return [
        casts.coerce(Value(f"c{places[name]}", given[places[name]]), kind) if name in places else "NULL"
        for name, kind in columns
    ]


def _fits(have: Type, want: Type, written: Type | None) -> bool:
    """Return True if a value fits a column without a cast; a numeric literal fits where a decimal does."""
    if types.common(have, want) == want or (have.is_text and want.is_text):
        return True
    return have == types.DOUBLE and written is not None and types.common(written, want) == want


def unload(statement: nodes.Unload, job: Job) -> Outcome:
    """Run UNLOAD."""
    writer = files.writer(statement.properties, default=None)
    split_location(statement.location)
    require_empty(statement.location, "Target directory", job)
    partitioned = [str(column).lower() for column in statement.properties.get("partitioned_by") or ()]
    with running(statement.sql, job) as query:
        query.relation.names[:] = names_of(query.relation)
        columns = _target_columns(query, partitioned)
        written = _write(query, columns, len(partitioned), writer, statement.location, job)
        return _outcome("UNLOAD", written, query.scanned)


def _write(
    query: Running,
    columns: list[tuple[str, Type]],
    partitioned: int,
    writer: files.Writer,
    location: str,
    job: Job,
    texts: list[str] | None = None,
    bucketed: Buckets | None = None,
) -> Written:
    """Write files locally, then upload them; if one upload fails, the others are deleted."""
    texts = texts or [f"c{index}" for index in range(len(columns))]
    listed = ", ".join(
        f"CAST({text} AS {types.duckdb(kind)}) AS {types.quote(name)}"
        for text, (name, kind) in zip(texts, columns, strict=True)
    )
    sql = f"CREATE TEMP TABLE written AS SELECT {listed} FROM ({query.relation.sql})"
    query.connection.execute(engine.define(query.connection, sql))
    data, keys = columns[: len(columns) - partitioned], columns[len(columns) - partitioned :]
    local: dict[tuple[str, ...], Path] = {}
    rows = 0
    split = keys
    if bucketed is not None:
        buckets.assign(bucketed, query.connection, _BUCKET)
        split = [*keys, (_BUCKET, types.INTEGER)]
    for values, condition in _partitions_of(query, split):
        job.control.check()
        path = job.folder / uuid.uuid4().hex
        count = writer.write(query.connection, data, condition, path)
        if count:
            local[values] = path
        rows += count
    return Written(_upload(local, [name for name, _ in keys], location, writer, job), rows)


def _partitions_of(query: Running, keys: list[tuple[str, Type]]) -> list[tuple[tuple[str, ...], str]]:
    """Return the partitions that the rows are in, as their values and the condition that selects their rows."""
    if not keys:
        return [((), "true")]
    texts = [f"CAST({types.quote(name)} AS VARCHAR)" for name, _ in keys]
    found = query.connection.execute(f"SELECT DISTINCT {', '.join(texts)} FROM written ORDER BY ALL").fetchall()
    if len(found) > MOST_PARTITIONS:
        message = f"Exceeded limit of {MOST_PARTITIONS} open writers for partitions/buckets"
        raise QueryError("HIVE_TOO_MANY_OPEN_PARTITIONS", message)
    result = []
    for values in found:
        conditions = [
            f"{text} IS NOT DISTINCT FROM {'NULL' if value is None else types.text(value)}"
            for text, value in zip(texts, values, strict=True)
        ]
        result.append(
            (tuple(NULL_PARTITION if value in (None, "") else value for value in values), " AND ".join(conditions))
        )
    return result


def _upload(
    local: dict[tuple[str, ...], Path], keys: list[str], location: str, writer: files.Writer, job: Job
) -> list[tuple[tuple[str, ...], str]]:
    """
    Upload files.

    :param local: by the values of the partition, and the number of the bucket behind them where there are buckets.
    """
    bucket, prefix = split_location(location)
    stamp = time.strftime("%Y%m%d_%H%M%S", time.gmtime())
    planned = {}
    for number, values in enumerate(local):
        folders = "".join(f"{escape(key)}={escape(value)}/" for key, value in zip(keys, values, strict=False))
        own = f"bucket-{int(values[-1]):05}" if len(values) > len(keys) else str(uuid.uuid4())
        name = f"{stamp}_{number:05}_{job.id[:5]}_{own}{writer.suffix}"
        planned[values] = f"s3://{bucket}/{prefix}{folders}{name}"
    job.plan(_planned=list(planned.values()))
    try:
        for values, uri in planned.items():
            job.control.check()
            results.upload(job.s3, local[values], uri)
    except BaseException:
        remove(job.s3, list(planned.values()))
        raise
    return [(values[: len(keys)], uri) for values, uri in planned.items()]


def remove(s3: Any, uris: list[str]) -> None:
    """Take back what was uploaded; what is not there does not matter."""
    for uri in uris:
        bucket, key = results.split(uri)
        s3.delete_object(Bucket=bucket, Key=key)


def _register(
    database: str, name: str, descriptor: dict[str, Any], written: Written, keys: list[str], job: Job
) -> None:
    """Tell the catalog of the partitions that were written to and that it does not know."""
    folders = {values: uri.rsplit("/", 1)[0] + "/" for values, uri in written.files if values}
    if not folders:
        return
    job.catalog.forget()
    known = {tuple(partition["Values"]) for partition in job.catalog.partitions(database, name)}
    for values, folder in folders.items():
        if values not in known:
            tables.create_partition(database, name, descriptor, list(values), folder, job)
