"""The raw reviews: fetched, sampled if wanted, and put where the DAGs look for them."""

from __future__ import annotations

import csv
import hashlib
import json
import random
import tempfile
from pathlib import Path
from typing import Any

#: characters of a field, as the transform job has it.
_LONGEST_FIELD = 16 * 1024**2


def upload(source: str, *, to: str, note: str, sample: int = 0, seed: int = 42) -> dict[str, Any]:
    """
    Bring the raw reviews into S3.

    Returns ``{"uri", "source", "synthetic"}``.

    :param source: a path or S3 URI; empty for the public data set, or else made-up reviews.
    :param to: S3 URI of the object; replaced whole, or not at all.
    :param note: S3 URI of a JSON object that says where they came from: whether they are made up must not get lost.
    :param sample: so many rows, chosen with ``seed``; 0 keeps them all.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    from include.reviews import fetch

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "reviews.csv"
        found = fetch(source, file)
        print(f"{'SYNTHETIC reviews, made up' if found.synthetic else 'Reviews'}: {found.source}")
        if sample:
            keep_sample(file, sample, seed)
        S3Hook().load_file(str(file), key=to, replace=True)
    result = {"uri": to, "source": found.source, "synthetic": found.synthetic}
    S3Hook().load_string(json.dumps(result), key=note, replace=True)
    return result


def origin(note: str) -> dict[str, Any]:
    """What :func:`upload` noted about the present raw reviews."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    return dict(json.loads(S3Hook().read_key(note)))


def keep_sample(file: Path, rows: int, seed: int) -> None:
    """
    Reduce a CSV file to its header and ``rows`` of its rows, in their order.

    Bytes that are not UTF-8 stay as they are, and what is no CSV at all is left whole: the transform job judges both.
    """
    # A review may be longer than csv's own limit.
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        with open(file, newline="", encoding="utf-8", errors="surrogateescape") as lines:
            header, *all_rows = csv.reader(lines)
    except (csv.Error, ValueError):
        print("Not sampled: the file is no CSV")
        return
    chosen = sorted(random.Random(seed).sample(range(len(all_rows)), min(rows, len(all_rows))))
    with open(file, "w", newline="", encoding="utf-8", errors="surrogateescape") as lines:
        csv.writer(lines).writerows([header, *(all_rows[index] for index in chosen)])
    print(f"Keeping {len(chosen)} rows")


def version(uri: str, *, may_be_empty: bool = False) -> str:
    """
    A digest of names and contents of the objects under an S3 prefix.

    :param may_be_empty: nothing is as good as anything there.
    :raises ValueError: there is nothing.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    found = sorted((each["Key"], each["ETag"]) for each in S3Hook().iter_file_metadata(prefix, bucket))
    if not found and not may_be_empty:
        raise ValueError(f"there is nothing in {uri}")
    return hashlib.sha256(repr(found).encode()).hexdigest()[:16]
