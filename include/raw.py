"""The raw reviews: fetched, sampled if wanted, and put where the DAGs look for them."""

from __future__ import annotations

import csv
import random
import tempfile
from pathlib import Path
from typing import Any


def upload(source: str, *, to: str, sample: int = 0, seed: int = 42) -> dict[str, Any]:
    """
    Bring the raw reviews into S3.

    Returns ``{"uri", "source", "synthetic"}``.

    :param source: a path or S3 URI; empty for the public data set, or else made-up reviews.
    :param to: S3 URI of the object; replaced whole, or not at all.
    :param sample: so many rows, chosen with ``seed``; 0 keeps them all.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from include.reviews import fetch

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "reviews.csv"
        origin = fetch(source, file)
        print(f"{'SYNTHETIC reviews, made up' if origin.synthetic else 'Reviews'}: {origin.source}")
        if sample:
            print(f"Keeping {keep_sample(file, sample, seed)} rows")
        S3Hook().load_file(str(file), key=to, replace=True)
    return {"uri": to, "source": origin.source, "synthetic": origin.synthetic}


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
