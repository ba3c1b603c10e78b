"""
Processing job: raw reviews -> the one cleaned table that every later job reads, and its CSV for Athena.

Reads the raw CSV files in ``--input`` and drops rows that are of no use, by the filter ``--drop``: ``needed`` drops
rows with a blank text, rating or category, and categories with ten reviews or fewer; ``reference`` drops rows with a
blank in any column. Turns stars into sentiment (1-2 -> -1, 3 -> 0, 4-5 -> 1). Writes::

    OUTPUT/table/reviews.parquet  review_id, title ("" where there is none), body, rating, sentiment, category; its
                                  metadata has ``drop``, so that later jobs know by which filter it was made
    OUTPUT/reviews/reviews.csv    sentiment,review_body,product_category (header line; no comma or line break in a text)
    OUTPUT/report/report.json     {"rows_in", "rows", "drop", "dropped": {reason: n}, "by_sentiment", "by_category",
                                   "table": {"sha256", "rows"}, "parts": [{"name", "sha256", "rows"}], "synthetic"}

Both have the same reviews in the order of the input. More than about ``--part-rows`` reviews become several parts,
``reviews-00001.parquet``, ``reviews-00002.parquet``, ..., and as many of the CSV; ``parts`` in the report has the
SHA-256 and rows of each, and ``table`` the digest of those digests.

The ``review_id`` is a hash of all values of the raw row, with a number behind it for the second and later rows that are
the same: it is the same in every run, and in every sample.

Memory does not grow with the number of rows, but for eight bytes each. Exit status 2, and one sentence, when the input
cannot be used; nothing is written then.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import shutil
import sys
import tempfile
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from expectation import add_expectation, combined, require, sha256
from job import BadInput, is_synthetic, processing_parser, run
from raw_csv import Drops, Row, count_rows, input_files, read_rows
from review_body import as_in_the_table
from review_table import BATCH, SCHEMA

TITLE, TEXT, RATING, CATEGORY = "Title", "Review Text", "Rating", "Class Name"
NEEDED = (TEXT, RATING, CATEGORY)
HEADER = ("sentiment", "review_body", "product_category")
SMALL_CATEGORY = 10
#: reviews that go into one part of the table: about 70 MB of Parquet and as much CSV.
PART_ROWS = 250_000


@dataclass(frozen=True)
class Filter:
    """
    Which rows are dropped.

    :param columns: those that must not be blank; none for all that the file has.
    :param small_categories: whether categories with ``SMALL_CATEGORY`` reviews or fewer stay.
    """

    columns: tuple[str, ...] = ()
    small_categories: bool = True


FILTERS = {"needed": Filter(NEEDED, small_categories=False), "reference": Filter()}


class Record(NamedTuple):
    """A row that can be used: what the table has of it, its hash, and its place in the input."""

    sentiment: int
    row_hash: int
    title: str
    body: str
    rating: int
    category: str
    place: str

    @property
    def product_category(self) -> str:
        """The category as the CSV has it, and as reviews are counted by it."""
        return as_in_the_table(self.category)

    @property
    def csv_row(self) -> tuple[int, str, str]:
        """The columns of ``HEADER``."""
        return self.sentiment, as_in_the_table(self.body), self.product_category


def cleaned(row: Row, columns: Sequence[str], drops: Drops) -> Record | None:
    """Return the record; None, and a count in ``drops``, when the row has no use."""
    blank = row.blank(columns or tuple(row.values))
    if blank is not None:
        drops.add(f"blank {blank or 'first column'}", row.place)
        return None
    sentiment = row.sentiment()
    if sentiment is None:
        drops.add("rating outside 1-5", row.place)
        return None
    return Record(
        sentiment,
        row_hash(row),
        row.values.get(TITLE, "").strip(),
        row.values[TEXT],
        int(float(row.values[RATING])),
        row.values[CATEGORY].strip(),
        row.place,
    )


def row_hash(row: Row) -> int:
    """Return 64 bits of a hash of all values, whatever the order of the columns."""
    values = json.dumps(sorted(row.values.items()), ensure_ascii=False)
    return int.from_bytes(hashlib.blake2b(values.encode(), digest_size=8).digest(), "big")


class ReviewIds:
    """Names rows by their hashes; of rows with one hash the later ones get a number, in the order of the input."""

    def __init__(self, hashes: array[int]) -> None:
        values = np.array(hashes, np.uint64)
        # In place, unlike np.unique, which takes four times the memory.
        values.sort()
        self._seen = dict.fromkeys(values[1:][values[1:] == values[:-1]].tolist(), 0)

    def name(self, row_hash: int) -> str:
        """Return the id of the next row with this hash."""
        if row_hash not in self._seen:
            return f"{row_hash:016x}"
        self._seen[row_hash] += 1
        number = self._seen[row_hash]
        return f"{row_hash:016x}" if number == 1 else f"{row_hash:016x}-{number}"


def transform(files: list[Path], target: Path, drop: str, synthetic: bool, part_rows: int) -> dict[str, Any]:
    """Write table, CSV and report below ``target``, all or none; the report."""
    drops = Drops()
    target.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".transform-", dir=target))
    try:
        usable = scratch / "usable.csv"
        sizes, hashes = _spool(usable, _records(files, FILTERS[drop], drops))
        small = set() if FILTERS[drop].small_categories else {name for name, n in sizes.items() if n <= SMALL_CATEGORY}
        rows = sum(n for name, n in sizes.items() if name not in small)
        written = Written(scratch, ReviewIds(hashes), drop, Parts(rows, part_rows))
        del hashes
        for batch in _batches(_without(small, usable, drops)):
            written.add(batch)
        written.close()
        if len(written.by_sentiment) < 2:
            raise BadInput(_too_little(written.by_sentiment, drops))
        report = {
            "rows_in": written.rows + drops.counts.total(),
            "rows": written.rows,
            "drop": drop,
            "dropped": dict(drops.counts),
            "first_dropped": drops.first,
            "by_sentiment": {str(sentiment): written.by_sentiment[sentiment] for sentiment in (-1, 0, 1)},
            "by_category": dict(written.by_category.most_common()),
            "table": {"sha256": combined([part["sha256"] for part in written.parts]), "rows": written.rows},
            "parts": written.parts,
            "synthetic": synthetic,
            "files": [path.name for path in files],
        }
        for part in written.parts:
            stem = Path(part["name"]).stem
            _publish(scratch / f"{stem}.parquet", target / "table" / f"{stem}.parquet")
            _publish(scratch / f"{stem}.csv", target / "reviews" / f"{stem}.csv")
        _publish_json(report, scratch, target / "report" / "report.json")
    finally:
        shutil.rmtree(scratch)
    for line in drops.lines():
        print(line)
    return report


@dataclass(frozen=True)
class Parts:
    """
    How the table is cut: into parts of whole batches, as many as it takes.

    :param rows: of the table.
    :param most: rows that a part is to have at most; a part has one batch at least.
    """

    rows: int
    most: int

    @property
    def batches(self) -> int:
        """How many batches a part has."""
        return max(1, self.most // BATCH)

    def stem(self, number: int) -> str:
        """Return the name of a part, counted from 1, without its ending: ``reviews`` where it is the only one."""
        return "reviews" if self.rows <= self.batches * BATCH else f"reviews-{number:05}"


class Written:
    """The parts of the table and of its CSV in ``folder``, and what has gone into them."""

    def __init__(self, folder: Path, ids: ReviewIds, drop: str, cut: Parts) -> None:
        self.parts: list[dict[str, Any]] = []
        self.by_sentiment: Counter[int] = Counter()
        self.by_category: Counter[str] = Counter()
        self._folder, self._ids, self._cut = folder, ids, cut
        self._schema = SCHEMA.with_metadata({"drop": drop})
        self._part: Part | None = None

    @property
    def rows(self) -> int:
        """How many reviews there are."""
        return self.by_sentiment.total()

    def add(self, records: Sequence[Record]) -> None:
        """Write one batch."""
        if self._part and self._part.batches == self._cut.batches:
            self.close()
        if self._part is None:
            self._part = Part(self._folder / self._cut.stem(len(self.parts) + 1), self._schema)
        columns = {
            "review_id": [self._ids.name(record.row_hash) for record in records],
            **{name: [getattr(record, name) for record in records] for name in SCHEMA.names[1:]},
        }
        self._part.write(pa.record_batch(columns, schema=SCHEMA), [record.csv_row for record in records])
        self.by_sentiment.update(record.sentiment for record in records)
        self.by_category.update(record.product_category for record in records)

    def close(self) -> None:
        """Finish the part that is being written, if any."""
        if self._part:
            self.parts.append(self._part.close())
            self._part = None


class Part:
    """
    A part of the table, and the same reviews as CSV.

    :param stem: path of both without an ending.
    """

    def __init__(self, stem: Path, schema: pa.Schema) -> None:
        self.batches, self._rows = 0, 0
        self._table = stem.with_name(f"{stem.name}.parquet")
        self._parquet = pq.ParquetWriter(self._table, schema)
        self._text = stem.with_name(f"{stem.name}.csv").open("w", encoding="utf-8", newline="")
        self._csv = csv.writer(self._text, lineterminator="\n")
        self._csv.writerow(HEADER)

    def write(self, batch: pa.RecordBatch, csv_rows: Sequence[tuple[int, str, str]]) -> None:
        """Write one batch."""
        self._parquet.write_batch(batch)
        self._csv.writerows(csv_rows)
        self.batches, self._rows = self.batches + 1, self._rows + len(csv_rows)

    def close(self) -> dict[str, Any]:
        """Finish both files; the table's name, digest and rows."""
        self._parquet.close()
        self._text.close()
        return {"name": self._table.name, "sha256": sha256(self._table), "rows": self._rows}


def _records(files: list[Path], rule: Filter, drops: Drops) -> Iterator[Record]:
    for row in read_rows(files, NEEDED, drops):
        record = cleaned(row, rule.columns, drops)
        if record:
            yield record


def _spool(path: Path, records: Iterator[Record]) -> tuple[Counter[str], array[int]]:
    """Write the records to a scratch file; how many of each category there are, and their hashes."""
    by_category: Counter[str] = Counter()
    hashes = array("Q")
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        for record in records:
            by_category[record.product_category] += 1
            hashes.append(record.row_hash)
            writer.writerow(record)
    return by_category, hashes


def _without(small: set[str], usable: Path, drops: Drops) -> Iterator[Record]:
    with usable.open(encoding="utf-8", newline="") as text:
        for fields in csv.reader(text):
            record = Record(*fields)  # type: ignore[arg-type] # the numbers come back as text
            if record.product_category in small:
                place = f"{record.place}, {record.product_category!r}"
                drops.add(f"category with {SMALL_CATEGORY} reviews or fewer", place)
            else:
                yield record._replace(
                    sentiment=int(record.sentiment), row_hash=int(record.row_hash), rating=int(record.rating)
                )


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    while batch := list(islice(records, BATCH)):
        yield batch


def _too_little(by_sentiment: Counter[int], drops: Drops) -> str:
    dropped = "; ".join(drops.lines()) or "none was dropped"
    if not by_sentiment:
        return f"none of the {drops.counts.total()} rows can be used: {dropped}"
    sentiment, n = next(iter(by_sentiment.items()))
    return f"all {n} usable reviews have the sentiment {sentiment} (column {RATING}): nothing to tell apart; {dropped}"


def _publish(written: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    written.replace(target)


def _publish_json(report: dict[str, Any], scratch: Path, target: Path) -> None:
    written = scratch / target.name
    written.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _publish(written, target)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("raw reviews -> the cleaned table", reads="raw")
    add_expectation(parser, "raw")
    parser.add_argument("--drop", default="needed", choices=sorted(FILTERS), help="which rows are of no use")
    parser.add_argument("--part-rows", type=_positive, default=PART_ROWS, help="reviews in one file of the table")
    options = parser.parse_args(arguments)

    def work() -> None:
        files = input_files(options.input)
        require(files, options, "raw", "raw reviews", count_rows)
        report = transform(files, options.output, options.drop, is_synthetic(options), options.part_rows)
        print(f"{report['rows_in']} rows in, {report['rows']} out: {report['by_sentiment']}")

    return run("transform", work, options.reason)


if __name__ == "__main__":
    sys.exit(main())
