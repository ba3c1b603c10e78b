"""The offline store: a batch of records as Parquet objects in S3, in AWS's layout, with partitions in Glue."""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from localaws.core.context import Context
from localaws.sagemaker.feature_store import groups, values
from localaws.sagemaker.feature_store.groups import Group
from localaws.sagemaker.feature_store.online import Batch, Outgoing

DATABASE = "sagemaker_featurestore"
PARTITION_KEYS = ("year", "month", "day", "hour")
#: columns that Feature Store adds to every record.
ADDED = {"write_time": "timestamp", "api_invocation_time": "timestamp", "is_deleted": "boolean"}

_HIVE = {"Integral": "bigint", "Fractional": "double", "String": "string"}
_ARROW = {"Integral": pa.int64(), "Fractional": pa.float64(), "String": pa.string()}
_MILLISECONDS = pa.timestamp("ms")


def resolved_uri(ctx: Context, uri: str, name: str, created: datetime) -> str:
    """Return where a group's data goes."""
    folder = f"{name}-{int(created.timestamp())}"
    return f"{uri.rstrip('/')}/{ctx.account_id}/sagemaker/{ctx.region}/offline-store/{folder}/data"


def table_name(name: str, created: datetime) -> str:
    """Return the Glue table's name for a request that gives none."""
    return f"{name.lower().replace('-', '_')}_{int(created.timestamp())}"


def write(ctx: Context, group: Group, batch: Batch, records: list[Outgoing]) -> int:
    """
    Put a batch into S3, an object an hour of event time, and its partitions into Glue; the number of objects.

    The key follows from the batch: a repeated write overwrites.

    :raises ClientError: S3 or Glue refuses.
    """
    hours: dict[datetime, list[Outgoing]] = defaultdict(list)
    for record in records:
        hours[values.moment(record.event_time).replace(minute=0, second=0, microsecond=0)].append(record)
    bucket, _, prefix = _base(group).removeprefix("s3://").partition("/")
    s3 = ctx.client("s3")
    for hour, members in hours.items():
        key = f"{prefix}/{_folder(hour)}/{_file_name(batch, hour, members)}"
        s3.put_object(Bucket=bucket, Key=key, Body=_parquet(group, batch, members))
        if "DataCatalogConfig" in group["OfflineStoreConfig"]:
            _add_partition(ctx, group, hour)
    return len(hours)


def check_bucket(ctx: Context, group: Group) -> None:
    """
    See that the bucket is there.

    :raises ClientError: it is not.
    """
    ctx.client("s3").head_bucket(Bucket=_base(group).removeprefix("s3://").partition("/")[0])


def _base(group: Group) -> str:
    return str(group["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"])


def _folder(hour: datetime) -> str:
    return "/".join(f"{key}={value}" for key, value in zip(PARTITION_KEYS, _partition(hour), strict=True))


def _partition(hour: datetime) -> list[str]:
    return [f"{hour.year:04}", f"{hour.month:02}", f"{hour.day:02}", f"{hour.hour:02}"]


def _file_name(batch: Batch, hour: datetime, members: list[Outgoing]) -> str:
    latest = values.moment(max(record.event_time for record in members))
    digest = hashlib.sha256(f"{batch.name}\n{hour.isoformat()}".encode()).hexdigest()[:16]
    return f"{latest.strftime('%Y%m%dT%H%M%SZ')}_{digest}.parquet"


def _parquet(group: Group, batch: Batch, records: list[Outgoing]) -> bytes:
    columns: dict[str, pa.Array] = {}
    for name, kind in groups.types(group).items():
        texts = [record.body.get(name) for record in records]
        parsed = [None if text is None else values.parse(kind, text) for text in texts]
        columns[name] = pa.array(parsed, _ARROW[kind])
    columns["write_time"] = pa.array([batch.written // 1000] * len(records), _MILLISECONDS)
    columns["api_invocation_time"] = pa.array([record.invoked // 1000 for record in records], _MILLISECONDS)
    columns["is_deleted"] = pa.array([record.deleted for record in records], pa.bool_())
    target = io.BytesIO()
    pq.write_table(pa.table(columns), target, compression="snappy")
    return target.getvalue()


def ensure_table(ctx: Context, group: Group) -> None:
    """Make the database and the table, unless they are there."""
    glue, catalog = ctx.client("glue"), group["OfflineStoreConfig"]["DataCatalogConfig"]
    _unless_there(glue.create_database, DatabaseInput={"Name": catalog["Database"]})
    _unless_there(glue.create_table, DatabaseName=catalog["Database"], TableInput=_table(group))


def update_table(ctx: Context, group: Group) -> None:
    """Bring the table's columns to the group's features."""
    ensure_table(ctx, group)
    database = group["OfflineStoreConfig"]["DataCatalogConfig"]["Database"]
    ctx.client("glue").update_table(DatabaseName=database, TableInput=_table(group))


def _unless_there(create: Any, **request: Any) -> None:
    try:
        create(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise


def _table(group: Group) -> dict[str, Any]:
    return {
        "Name": group["OfflineStoreConfig"]["DataCatalogConfig"]["TableName"],
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in PARTITION_KEYS],
        "StorageDescriptor": _descriptor(group, _base(group)),
    }


def _descriptor(group: Group, location: str) -> dict[str, Any]:
    features = {name.lower(): _HIVE[kind] for name, kind in groups.types(group).items()}
    return {
        "Columns": [{"Name": name, "Type": kind} for name, kind in (features | ADDED).items()],
        "Location": location,
        "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "SerdeInfo": {
            "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
            "Parameters": {"serialization.format": "1"},
        },
    }


def _add_partition(ctx: Context, group: Group, hour: datetime) -> None:
    catalog = group["OfflineStoreConfig"]["DataCatalogConfig"]
    place = {"DatabaseName": catalog["Database"], "TableName": catalog["TableName"]}
    partition = {
        "Values": _partition(hour),
        "StorageDescriptor": _descriptor(group, f"{_base(group)}/{_folder(hour)}"),
    }
    create = ctx.client("glue").create_partition
    try:
        _unless_there(create, **place, PartitionInput=partition)
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise
        # A table made within a second before a kill -9 can be lost: without it the records would be out of reach.
        ensure_table(ctx, group)
        _unless_there(create, **place, PartitionInput=partition)
