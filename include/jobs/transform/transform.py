"""
Processing job: raw reviews -> the table that Athena queries.

Reads the raw CSV files in ``--input``; keeps review text, rating and class; drops rows with a blank in these and
categories with ten reviews or fewer; turns stars into sentiment (1-2 -> -1, 3 -> 0, 4-5 -> 1). Writes::

    OUTPUT/reviews/reviews.csv   sentiment,review_body,product_category (header line; no comma or line break in a text)
    OUTPUT/report/report.json    {"rows_in", "rows", "dropped": {reason: n}, "by_sentiment", "by_category", "synthetic"}

Memory does not grow with the number of rows. Exit status 2, and one sentence, when the input cannot be used; nothing
is written then.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from job import BadInput, is_synthetic, processing_parser, run
from raw_csv import Drops, Row, input_files, read_rows
from review_body import as_in_the_table

TEXT, RATING, CATEGORY = "Review Text", "Rating", "Class Name"
COLUMNS = (TEXT, RATING, CATEGORY)
HEADER = ("sentiment", "review_body", "product_category")
SMALL_CATEGORY = 10

Record = tuple[int, str, str, str]


def cleaned(row: Row, drops: Drops) -> Record | None:
    """``(sentiment, review_body, product_category, place)``; None, and a count in ``drops``, when it has no use."""
    blank = row.blank(COLUMNS)
    if blank:
        drops.add(f"blank {blank}", row.place)
        return None
    sentiment = row.sentiment()
    if sentiment is None:
        drops.add("rating outside 1-5", row.place)
        return None
    text, category = as_in_the_table(row.values[TEXT]), as_in_the_table(row.values[CATEGORY].strip())
    return sentiment, text, category, row.place


def transform(source: Path, target: Path, synthetic: bool) -> dict[str, Any]:
    """Write the table and the report below ``target``, both or neither; the report."""
    drops = Drops()
    files = input_files(source)
    target.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".transform-", dir=target))
    try:
        usable = scratch / "usable.csv"
        sizes = _write(usable, _records(files, drops), (*HEADER, "place"))
        small = {category for category, n in sizes.items() if n <= SMALL_CATEGORY}
        table = scratch / "reviews" / "reviews.csv"
        table.parent.mkdir()
        by_sentiment: Counter[int] = Counter()
        by_category = _write(table, _without(small, usable, drops, by_sentiment), HEADER)
        if len(by_sentiment) < 2:
            raise BadInput(_too_little(by_sentiment, drops))
        report = {
            "rows_in": by_sentiment.total() + drops.counts.total(),
            "rows": by_sentiment.total(),
            "dropped": dict(drops.counts),
            "first_dropped": drops.first,
            "by_sentiment": {str(sentiment): by_sentiment[sentiment] for sentiment in (-1, 0, 1)},
            "by_category": dict(by_category.most_common()),
            "synthetic": synthetic,
            "files": [path.name for path in files],
        }
        _publish(table, target / "reviews" / "reviews.csv")
        _publish_json(report, scratch, target / "report" / "report.json")
    finally:
        shutil.rmtree(scratch)
    for line in drops.lines():
        print(line)
    return report


def _records(files: list[Path], drops: Drops) -> Iterator[Record]:
    for row in read_rows(files, COLUMNS, drops):
        record = cleaned(row, drops)
        if record:
            yield record


def _without(small: set[str], usable: Path, drops: Drops, by_sentiment: Counter[int]) -> Iterator[Record]:
    with usable.open(encoding="utf-8", newline="") as text:
        reader = csv.reader(text)
        next(reader)
        for sentiment, review_body, category, place in reader:
            if category in small:
                drops.add(f"category with {SMALL_CATEGORY} reviews or fewer", f"{place}, {category!r}")
            else:
                by_sentiment[int(sentiment)] += 1
                yield int(sentiment), review_body, category, place


def _write(path: Path, records: Iterator[Record], columns: Sequence[str]) -> Counter[str]:
    """Write the ``columns`` of ``records`` with a header; how many of each category there were."""
    by_category: Counter[str] = Counter()
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        for record in records:
            by_category[record[2]] += 1
            writer.writerow(record[: len(columns)])
    return by_category


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


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("raw reviews -> the table that Athena queries", reads="raw")
    options = parser.parse_args(arguments)

    def work() -> None:
        report = transform(options.input, options.output, is_synthetic(options))
        print(f"{report['rows_in']} rows in, {report['rows']} out: {report['by_sentiment']}")

    return run("transform", work, options.reason)


if __name__ == "__main__":
    sys.exit(main())
