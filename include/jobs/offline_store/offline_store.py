"""
Processing job: records of a feature group -> its offline store, as files in the layout that Feature Store writes.

For many records: PutRecord takes one at a time. Reads the Parquet files in ``--input``, a batch at a time, and writes::

    OUTPUT/offline/year=YYYY/month=MM/day=DD/hour=HH/<latest event time>_<16 characters>.parquet
        the features in their types, write_time, api_invocation_time (timestamp, ms) and is_deleted (false)
    OUTPUT/report/report-HOST.json    {"host", "rows", "partitions": {"YYYY/MM/DD/HH": rows}, "files"}

OUTPUT/offline belongs below the group's ResolvedOutputS3Uri; the partitions have to be added to the group's table. The
online store gets nothing. A file's name follows from the content that it was made of: a second run writes over it.

Values are what PutRecord would be given: a list becomes its items with spaces between. With inputs sharded by S3 key
each instance writes its own files. Exit status 2, and one sentence, when the input cannot be used; nothing is written
then.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from job import BadInput, processing_parser, run

TYPES = {"String": pa.string(), "Integral": pa.int64(), "Fractional": pa.float64()}
ADDED = [("write_time", pa.timestamp("ms")), ("api_invocation_time", pa.timestamp("ms")), ("is_deleted", pa.bool_())]
#: records in memory at a time, and in one row group.
BATCH = 16_384
#: hours of event time whose files are open at once.
OPEN = 64
DIGITS = 16


class Hour:
    """
    The file of one hour of event time.

    :param folder: of the partition.
    """

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._latest, self._digest = folder, "", hashlib.sha256()
        self._partial = folder / ".partial"
        self._writer = pq.ParquetWriter(self._partial, schema, compression="snappy")

    def add(self, records: pa.Table, source: str, latest: str) -> None:
        """Write records; ``source`` says which they are, ``latest`` is their last event time."""
        self._writer.write_table(records)
        self._latest = max(self._latest, latest)
        self._digest.update(source.encode())

    def close(self) -> None:
        """Give the file its name."""
        self._writer.close()
        self._partial.rename(self._folder / f"{self._latest}_{self._digest.hexdigest()[:DIGITS]}.parquet")


class Store:
    """What goes below ``folder``; ``partitions`` counts the records of each hour."""

    def __init__(self, folder: Path, features: Mapping[str, str], event_time: str, written: datetime) -> None:
        self.partitions: Counter[str] = Counter()
        self._folder, self._event_time, self._written = folder, event_time, written
        self._features = {name: TYPES[kind] for name, kind in features.items()}
        self._schema = pa.schema([*self._features.items(), *ADDED])
        self._open: dict[str, Hour] = {}

    def add(self, batch: pa.RecordBatch, source: str) -> None:
        """Write a batch; ``source`` says which it is."""
        records = self._records(batch)
        moments = _moments(records[self._event_time], source)
        hours = pc.strftime(moments, "%Y/%m/%d/%H")
        for hour in pc.unique(hours).to_pylist():
            here = pc.equal(hours, hour)
            latest = pc.max(pc.filter(moments, here)).as_py().strftime("%Y%m%dT%H%M%SZ")
            own = records.filter(here)
            self._file(hour).add(own, source, latest)
            self.partitions[hour] += len(own)

    def close(self) -> None:
        """Finish all files."""
        for hour in list(self._open):
            self._open.pop(hour).close()

    def _file(self, hour: str) -> Hour:
        if hour not in self._open:
            if len(self._open) == OPEN:
                # The first that was opened; should it be needed again, it gets a second file.
                self._open.pop(next(iter(self._open))).close()
            parts = zip(("year", "month", "day", "hour"), hour.split("/"), strict=True)
            self._open[hour] = Hour(self._folder.joinpath(*(f"{key}={value}" for key, value in parts)), self._schema)
        return self._open[hour]

    def _records(self, batch: pa.RecordBatch) -> pa.Table:
        rows = len(batch)
        own = [_as_feature(batch.column(name), kind) for name, kind in self._features.items()]
        now = pa.repeat(pa.scalar(self._written, pa.timestamp("ms")), rows)
        return pa.table([*own, now, now, pa.repeat(pa.scalar(False), rows)], schema=self._schema)


def _as_feature(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column as a feature of this type; a list as its items with spaces between."""
    if pa.types.is_list(column.type):
        column = pc.binary_join(column.cast(pa.list_(pa.string())), " ")
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return column.cast(kind)


def _moments(column: pa.ChunkedArray, source: str) -> pa.ChunkedArray:
    """Return event times, ISO 8601 in UTC or Unix seconds, as timestamps without a zone."""
    if column.null_count:
        raise BadInput(f"{source}: a record has no event time")
    if pa.types.is_floating(column.type):
        return pc.multiply(column, 1000).cast(pa.int64(), safe=False).cast(pa.timestamp("ms"))
    # What is cut off is a fraction of a second and the Z.
    try:
        return pc.strptime(pc.utf8_slice_codeunits(column, 0, 19), "%Y-%m-%dT%H:%M:%S", "s")
    except pa.ArrowInvalid as error:
        raise BadInput(f"{source}: an event time is not in ISO 8601: {str(error).splitlines()[0]}") from error


def batches(files: Sequence[Path], names: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, str]]:
    """Yield the records a batch at a time, and what tells the batch from others: its file's digest and its number."""
    for path in files:
        try:
            with pq.ParquetFile(path) as file:
                missing = set(names) - set(file.schema_arrow.names)
                if missing:
                    raise BadInput(f"{path.name} lacks the features {', '.join(sorted(missing))}")
                digest = _digest(path)
                for number, batch in enumerate(file.iter_batches(BATCH, columns=list(names))):
                    yield batch, f"{digest} {number}"
        except (pa.ArrowException, OSError) as error:
            raise BadInput(f"{path.name} cannot be read: {str(error).splitlines()[0]}") from error


def _digest(path: Path) -> str:
    with path.open("rb") as binary:
        digest = hashlib.sha256()
        for block in iter(lambda: binary.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def ingest(options: argparse.Namespace) -> dict[str, Any]:
    """Write all records below ``options.output``; the report."""
    if options.event_time not in options.features:
        raise BadInput(f"the event time {options.event_time} is no feature: {', '.join(options.features)}")
    files = sorted(options.input.rglob("*.parquet")) if options.input.is_dir() else []
    host, hosts = _host(options.config)
    if not files and hosts == 1:
        raise BadInput(f"there is no .parquet file in {options.input}")
    store = Store(options.output / "offline", options.features, options.event_time, datetime.now(timezone.utc))  # noqa: UP017 (Python 3.10)
    try:
        for batch, source in batches(files, list(options.features)):
            store.add(batch, source)
        store.close()
    except BaseException:
        shutil.rmtree(options.output / "offline", ignore_errors=True)
        raise
    report = {
        "host": host,
        "rows": store.partitions.total(),
        "partitions": dict(sorted(store.partitions.items())),
        "files": [path.name for path in files],
    }
    (options.output / "offline").mkdir(parents=True, exist_ok=True)
    (options.output / "report").mkdir(parents=True, exist_ok=True)
    (options.output / "report" / f"report-{host}.json").write_text(json.dumps(report, indent=2) + "\n")
    return report


def _host(config: Path) -> tuple[str, int]:
    """Return this instance's name, and how many there are."""
    path = config / "resourceconfig.json"
    if not path.exists():
        return "algo-1", 1
    known = json.loads(path.read_text())
    return str(known["current_host"]), len(known["hosts"])


def _features(text: str) -> dict[str, str]:
    """Parse ``name:Type,name:Type``."""
    found = dict(part.split(":", 1) for part in text.split(",") if ":" in part)
    if not found or set(found.values()) - set(TYPES):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:TYPE,... with the types {', '.join(TYPES)}")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("records -> the offline store of a feature group", reads="records", synthetic=False)
    parser.add_argument("--features", type=_features, required=True, help="NAME:TYPE,... in the group's order")
    parser.add_argument("--event-time", required=True, help="the feature that says when a record holds")
    parser.add_argument("--config", type=Path, default=Path("/opt/ml/config"))
    options = parser.parse_args(arguments)

    def work() -> None:
        report = ingest(options)
        print(f"{report['rows']} records of {len(report['files'])} files in {len(report['partitions'])} partitions")

    return run("offline_store", work, options.reason)


if __name__ == "__main__":
    sys.exit(main())
