"""The raw reviews: fetched, sampled if wanted, and put where the DAGs look for them."""

from __future__ import annotations

import csv
import hashlib
import json
import random
import tempfile
from pathlib import Path
from typing import Any


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
            print(f"Keeping {keep_sample(file, sample, seed)} rows")
        S3Hook().load_file(str(file), key=to, replace=True)
    result = {"uri": to, "source": found.source, "synthetic": found.synthetic}
    S3Hook().load_string(json.dumps(result), key=note, replace=True)
    return result


def origin(note: str) -> dict[str, Any]:
    """What :func:`upload` noted about the present raw reviews."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    return dict(json.loads(S3Hook().read_key(note)))


def keep_sample(file: Path, rows: int, seed: int) -> int:
    """
    Reduce a CSV file to its header and ``rows`` of its rows, in their order; how many it then has.

    What csv cannot read (NUL bytes, other encodings) is left as it is for the transform job to judge.
    """
    try:
        with open(file, newline="", encoding="utf-8") as lines:
            header, *all_rows = csv.reader(lines)
    except (csv.Error, UnicodeDecodeError, ValueError):
        print("Not sampled: the file is not plain CSV")
        return 0
    chosen = sorted(random.Random(seed).sample(range(len(all_rows)), min(rows, len(all_rows))))
    with open(file, "w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows([header, *(all_rows[index] for index in chosen)])
    return len(chosen)


def version(uri: str) -> str:
    """A digest of names and contents of the objects under an S3 prefix. ValueError where there are none."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    found = sorted((each["Key"], each["ETag"]) for each in S3Hook().iter_file_metadata(prefix, bucket))
    if not found:
        raise ValueError(f"there is nothing in {uri}")
    return hashlib.sha256(repr(found).encode()).hexdigest()[:16]
