"""Feature Store through boto3: records from files in S3 into a feature group, many at a time."""

from __future__ import annotations

import csv
import io
import math
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from amazon_ml.hooks.base import ServiceHook
from amazon_ml.hooks.s3 import split

if TYPE_CHECKING:
    from amazon_ml.hooks.s3 import ObjectsHook

Row = dict[str, str]

#: records that one thread sends before it looks for more.
CHUNK = 50
#: bytes of an object in memory at a time.
_BLOCK = 1 << 20


class BadRecords(AirflowFailException):
    """The data does not fit the feature group, or is in no format that is known. A retry would find the same."""


class FeatureStoreHook(ServiceHook):
    """The records of feature groups."""

    service = "sagemaker-featurestore-runtime"

    def put_record(self, group: str, row: Mapping[str, str], stores: Sequence[str] = ()) -> None:
        """
        Put a record, feature -> value as text.

        :param stores: "OnlineStore", "OfflineStore"; none for all that the group has.
        """
        record = [{"FeatureName": name, "ValueAsString": text} for name, text in row.items()]
        target = {"TargetStores": list(stores)} if stores else {}
        self._call("put_record", FeatureGroupName=group, Record=record, **target)


def rows(s3: ObjectsHook, uri: str) -> Iterator[Row]:
    """
    Yield the rows of a ``.parquet``, ``.csv`` or ``.tsv`` object, or of all under a prefix in the keys' order.

    Values are text as Feature Store takes it; what has no value is absent.

    :raises BadRecords: there is nothing under the URI.
    """
    bucket, prefix = split(uri)
    keys = [key for key in _keys(s3, bucket, prefix) if _reader(key)]
    if not keys:
        raise BadRecords(f"There is no .parquet, .csv or .tsv object under {uri}")
    for key in keys:
        # Through a file: an object may be larger than a worker's memory.
        with tempfile.TemporaryFile() as file:
            with s3.get_object(bucket, key)["Body"] as body:
                shutil.copyfileobj(body, file, _BLOCK)
            file.seek(0)
            reader = _reader(key)
            if reader:
                yield from reader(file)


def _keys(s3: ObjectsHook, bucket: str, prefix: str) -> Iterator[str]:
    for item in s3.list_objects(bucket, prefix):
        rest = item["Key"].removeprefix(prefix)
        # "data/train" must not take "data/training" with it.
        if not rest or not prefix or prefix.endswith("/") or rest.startswith("/"):
            yield item["Key"]


def _reader(key: str) -> Callable[[IO[bytes]], Iterator[Row]] | None:
    if key.endswith(".parquet"):
        return _parquet
    if key.endswith(".csv"):
        return lambda content: _separated(content, ",")
    if key.endswith(".tsv"):
        return lambda content: _separated(content, "\t")
    return None


def _parquet(content: IO[bytes]) -> Iterator[Row]:
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(content).iter_batches(1024):
        for row in batch.to_pylist():
            yield {name: text for name, value in row.items() if (text := as_text(value)) is not None}


def _separated(content: IO[bytes], delimiter: str) -> Iterator[Row]:
    for row in csv.DictReader(io.TextIOWrapper(content, "utf-8-sig", newline=""), delimiter=delimiter):
        if None in row or None in row.values():
            raise BadRecords(f"A line has another number of fields than the header: {str(row)[:200]}")
        yield {name: value for name, value in row.items() if value}


def as_text(value: Any) -> str | None:
    """Format a value for Feature Store, None if it is missing. A list becomes its items, separated by spaces."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z"
    if isinstance(value, list):
        return " ".join(as_text(item) or "" for item in value)
    return str(value)


def iso(moment: datetime) -> str:
    """Format a time as a String event time: ISO-8601 in UTC, to the millisecond."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def completed(
    found: Iterable[Row], group: Mapping[str, Any], event_time: str, constants: Mapping[str, str]
) -> Iterator[Row]:
    """
    Fill in constants and event time in the rows that have none.

    :param group: the answer of DescribeFeatureGroup.
    :raises BadRecords: a row has no identifier, or a column that is no feature.
    """
    features = {each["FeatureName"] for each in group["FeatureDefinitions"]}
    identifier, at = group["RecordIdentifierFeatureName"], group["EventTimeFeatureName"]
    for number, row in enumerate(found, 1):
        whole = {at: event_time, **constants, **row}
        if unknown := whole.keys() - features:
            raise BadRecords(f"Row {number}: feature group {group['FeatureGroupName']} has no {sorted(unknown)}")
        if not whole.get(identifier):
            raise BadRecords(f"Row {number} has no {identifier}, the record identifier")
        yield whole


def put_all(
    runtime: FeatureStoreHook,
    group: str,
    found: Iterable[Row],
    threads: int,
    progress: Callable[[int], None],
    stores: Sequence[str] = (),
) -> int:
    """
    Put each row by several threads, with few rows in memory, and return their number.

    :param progress: is told the number so far; what it raises ends the work.
    :param stores: as for :meth:`FeatureStoreHook.put_record`.
    :raises RequestRefused: AWS does not take a record.
    """
    from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

    def send(chunk: list[Row]) -> int:
        for row in chunk:
            runtime.put_record(group, row, stores)
        return len(chunk)

    done, source = 0, iter(found)
    running: set[Future[int]] = set()
    # The client is made before several threads would each make theirs.
    assert runtime.conn
    with ThreadPoolExecutor(threads) as pool:
        try:
            while True:
                while len(running) < 2 * threads and (chunk := list(islice(source, CHUNK))):
                    running.add(pool.submit(send, chunk))
                if not running:
                    return done
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                done += sum(future.result() for future in ended)
                progress(done)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
