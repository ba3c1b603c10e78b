"""The raw reviews: fetched, sampled if wanted, and put where the DAGs look for them."""

from __future__ import annotations

import csv
import hashlib
import json
import random
import tempfile
from pathlib import Path
from typing import Any

from include.reviews.origin import etag

#: characters of a field, as the transform job has it.
_LONGEST_FIELD = 16 * 1024**2


def upload(source: str, *, to: str, note: str, sample: int = 0, seed: int = 42) -> dict[str, Any]:
    """
    Bring the raw reviews into S3.

    Returns ``{"uri", "source", "synthetic", "rows", "sha256", "etag"}``, of which ``origin.expected_raw`` hands on what
    the jobs that read them need to refuse any other file. ``rows`` is None where the file is no CSV.

    :param source: a path or S3 URI; empty for the public data set, or else made-up reviews.
    :param to: S3 URI of the object; replaced whole, or not at all.
    :param note: S3 URI of a JSON object that says where they came from: whether they are made up must not get lost.
    :param sample: number of rows to keep, chosen with ``seed``; 0 keeps them all.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    from include.reviews.source import fetch

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "reviews.csv"
        found = fetch(source, file)
        print(f"{'SYNTHETIC reviews, made up' if found.synthetic else 'Reviews'}: {found.source}")
        if sample:
            keep_sample(file, sample, seed)
        with file.open("rb") as binary:
            content = {"rows": count_rows(file), "sha256": hashlib.file_digest(binary, "sha256").hexdigest()}
        S3Hook().load_file(str(file), key=to, replace=True)
    result = {"uri": to, "source": found.source, "synthetic": found.synthetic, **content, "etag": etag(to)}
    print(f"{result['rows']} rows are {to}, ETag {result['etag']}")
    S3Hook().load_string(json.dumps(result), key=note, replace=True)
    return result


def count_rows(file: Path) -> int | None:
    """Count the rows of a CSV file, without header and blank lines; None where it is no CSV."""
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        with open(file, newline="", encoding="utf-8-sig", errors="surrogateescape") as lines:
            # The csv module of Python 3.10 refuses NULs.
            return max(0, sum(1 for row in csv.reader(line.replace("\0", "") for line in lines) if row) - 1)
    except (csv.Error, ValueError):
        return None


def keep_sample(file: Path, rows: int, seed: int) -> None:
    """
    Reduce a CSV file to its header and ``rows`` of its rows, in their order.

    Bytes that are not UTF-8 stay as they are. What is no CSV, or has a quotation mark that is not closed, is left
    whole: rewritten, its rows would look right. The transform job judges all of these.
    """
    # A review may be longer than csv's own limit.
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        with open(file, newline="", encoding="utf-8", errors="surrogateescape") as lines:
            header, *all_rows = csv.reader(lines, strict=True)
    except (csv.Error, ValueError) as error:
        print(f"Not sampled: the file is no CSV ({error})")
        return
    chosen = sorted(random.Random(seed).sample(range(len(all_rows)), min(rows, len(all_rows))))
    with open(file, "w", newline="", encoding="utf-8", errors="surrogateescape") as lines:
        csv.writer(lines).writerows([header, *(all_rows[index] for index in chosen)])
    print(f"Keeping {len(chosen)} rows")
