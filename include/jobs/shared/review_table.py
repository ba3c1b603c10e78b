"""The cleaned table of the reviews, which the transform job writes and every later job reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from job import BadInput

#: review_id is a function of the raw row; title is empty where the review has none; rating 1 to 5; sentiment -1, 0, 1.
SCHEMA = pa.schema(
    [
        ("review_id", pa.string()),
        ("title", pa.string()),
        ("body", pa.string()),
        ("rating", pa.int8()),
        ("sentiment", pa.int8()),
        ("category", pa.string()),
    ]
)
SENTIMENTS = (-1, 0, 1)
BATCH = 2048


def folded(text: str) -> str:
    """
    Return the text without differences of letter case and spacing.

    Two reviews with the same are in one split, and out of what a model learns from where one of them judges it.
    """
    return " ".join(text.casefold().split())


def table_files(folder: Path) -> list[Path]:
    """
    Return the table's Parquet files, sorted.

    :raises BadInput: there is none, or one that lacks columns of the table.
    """
    files = sorted(folder.rglob("*.parquet")) if folder.is_dir() else []
    if not files:
        raise BadInput(f"there is no .parquet file of the reviews table in {folder}; run ingest_reviews")
    for path in files:
        _check(path)
    return files


def drop_of(files: Sequence[Path]) -> str:
    """Return the filter that the table was made by, ``needed`` where it does not say."""
    metadata = pq.read_schema(files[0]).metadata or {}
    return str(metadata.get(b"drop", b"needed").decode())


def count_rows(path: Path) -> str:
    """Return how many rows a file of the table has, for messages."""
    try:
        return str(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError):
        return "uncountable"


def read_reviews(files: Sequence[Path], columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """
    Return the rows, a tuple of ``columns`` each, a batch at a time in memory.

    :raises BadInput: a sentiment is not one of -1, 0, 1, or a file is damaged.
    """
    for path in files:
        for batch in _batches(path, columns):
            yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)


def _batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(path) as file:
            for number, batch in enumerate(file.iter_batches(BATCH, columns=list(columns))):
                _check_batch(batch, f"{path.name}, rows {number * BATCH + 1} and on")
                yield batch
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{path.name} cannot be read: {str(error).splitlines()[0]}") from error


def _check(path: Path) -> None:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{path.name} is no Parquet file: {str(error).splitlines()[0]}") from error
    wrong = [field.name for field in SCHEMA if field.name not in schema.names or schema.field(field.name) != field]
    if wrong:
        raise BadInput(f"{path.name} is not the reviews table: it lacks {', '.join(wrong)}, or has another type there")


def _check_batch(batch: pa.RecordBatch, place: str) -> None:
    for name in batch.schema.names:
        if batch.column(name).null_count:
            raise BadInput(f"{place}: {name} is null")
    if "sentiment" in batch.schema.names:
        odd = set(batch.column("sentiment").to_pylist()) - set(SENTIMENTS)
        if odd:
            raise BadInput(f"{place}: the sentiment {min(odd)} is not one of -1, 0, 1")
