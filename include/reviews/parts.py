"""The parts of the reviews table in S3: which there are, and that no others stay from an earlier, larger table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any


def keep_parts(transformed: Mapping[str, Any], table: str, csv: str) -> dict[str, int]:
    """
    Remove what is left of an earlier, larger table; the S3 URIs of the parts, and the rows of each.

    :param transformed: the transform job's report.
    :param table: S3 prefix of the Parquet files, ``csv`` that of the CSV files.
    """
    kept = uris(transformed["parts"], table, csv)
    removed = remove_others(kept, table, csv)
    print(f"{len(kept) // 2} parts; removed {', '.join(removed) or 'nothing'}")
    return kept


def uris(parts: Iterable[Mapping[str, Any]], table: str, csv: str) -> dict[str, int]:
    """
    Return the S3 URI of each part, as Parquet and as CSV, and its rows.

    :param parts: of the transform job's report.
    :param table: S3 prefix of the Parquet files, ``csv`` that of the CSV files.
    """
    found: dict[str, int] = {}
    for part in parts:
        name = PurePosixPath(part["name"])
        found |= {f"{table}{name}": part["rows"], f"{csv}{name.with_suffix('.csv')}": part["rows"]}
    return found


def remove_others(kept: Iterable[str], *prefixes: str) -> list[str]:
    """
    Delete the objects under these S3 prefixes that are not to be kept; their keys.

    :param kept: S3 URIs.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    hook, wanted, removed = S3Hook(), set(kept), []
    for prefix in prefixes:
        bucket, _, key = prefix.removeprefix("s3://").partition("/")
        others = [found for found in hook.list_keys(bucket, key) or [] if f"s3://{bucket}/{found}" not in wanted]
        if others:
            hook.delete_objects(bucket, others)
        removed += others
    return removed


def digest(parts: Sequence[Mapping[str, Any]]) -> str:
    """
    Return the digest of a table by those of its parts, as the jobs compute it.

    :param parts: ``{"name", "sha256"}`` each.
    """
    digests = [part["sha256"] for part in sorted(parts, key=lambda part: str(part["name"]))]
    if len(digests) == 1:
        return str(digests[0])
    return hashlib.sha256("".join(f"{each}\n" for each in digests).encode()).hexdigest()
