"""Which reviews are in S3: what is noted of them at ingest, and what is refused later because it is not those."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

#: what to do where S3 does not have what was noted.
_REMEDY = "run ingest_reviews"


def expected_raw(task_id: str) -> dict[str, str]:
    """
    Return the arguments by which a job refuses other raw reviews than those of a task; templates.

    :param task_id: of a task that returns what :func:`include.reviews.upload.upload` does.
    """
    return _expected("raw", f"ti.xcom_pull(task_ids='{task_id}')")


def expected_table(task_id: str) -> dict[str, str]:
    """
    Return the arguments by which a job refuses another table of the reviews than that of a task; templates.

    :param task_id: of a task that returns what :func:`origin_of_table` does.
    """
    return _expected("reviews", f"ti.xcom_pull(task_ids='{task_id}')['table']")


def _expected(name: str, told: str) -> dict[str, str]:
    return {f"{name}-{part}": f"{{{{ {told}['{part}'] }}}}" for part in ("sha256", "rows")}


def origin(note: str) -> dict[str, Any]:
    """
    Return what :func:`include.reviews.upload.upload` noted about the present raw reviews.

    :raises ValueError: there is no note, or the raw reviews are not those that it speaks of.
    """
    found = _note(note)
    check_etag(found, "raw reviews")
    return found


def note_table(files: Mapping[str, int], note: str, *, made: Mapping[str, Any], raw: Mapping[str, Any]) -> None:
    """
    Note which table was made of these raw reviews, for :func:`origin_of_table`.

    :param files: S3 URI of each part, as Parquet and as CSV, and its rows.
    :param note: S3 URI of the JSON object.
    :param made: SHA-256 and rows, of the job that made it.
    :param raw: what :func:`include.reviews.upload.upload` returned.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    found = [{"uri": uri, "etag": etag(uri), "rows": rows} for uri, rows in files.items()]
    content = {"files": found, "sha256": made["sha256"], "rows": made["rows"], "raw": raw["sha256"]}
    S3Hook().load_string(json.dumps(content), key=note, replace=True)


def origin_of_table(note: str, table_note: str) -> dict[str, Any]:
    """
    Return what :func:`origin` does, and under ``table`` SHA-256 and rows of the table, for tasks that read it.

    :param note: that of the raw reviews; ``table_note`` that of :func:`note_table`.
    :raises ValueError: also where the table is another than was checked, or was made of other raw reviews.
    """
    found, table = origin(note), _note(table_note, "files")
    for file in table["files"]:
        check_etag(file, "table of the reviews")
    if table["raw"] != found["sha256"]:
        raise ValueError(
            f"{table['files'][0]['uri']} was made of other reviews than those in {found['uri']} ({found['rows']} rows, "
            f"ETag {found['etag']}): {_REMEDY}"
        )
    return {**found, "table": {"sha256": table["sha256"], "rows": table["rows"]}}


def etag(uri: str) -> str | None:
    """Return the ETag of an object, None where there is none."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    bucket, _, key = uri.removeprefix("s3://").partition("/")
    head = S3Hook().head_object(key, bucket)
    return head["ETag"].strip('"') if head else None


def check_etag(expected: Mapping[str, Any], what: str) -> None:
    """
    Check that an object is the one that a note or a task speaks of.

    :param expected: ``{"uri", "etag", "rows"}``.
    :raises ValueError: it is another, or gone.
    """
    found = etag(expected["uri"])
    if found != expected["etag"]:
        there = f"one with ETag {found}" if found else "nothing"
        raise ValueError(
            f"the {what}, {expected['rows']} rows with ETag {expected['etag']}, were expected in {expected['uri']}, "
            f"and there is {there}: {_REMEDY}"
        )


def _note(uri: str, told: str = "etag") -> dict[str, Any]:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not S3Hook().check_for_key(key, bucket):
        raise ValueError(f"there is no {uri}: {_REMEDY}")
    found = dict(json.loads(S3Hook().read_key(key, bucket)))
    if told not in found:
        raise ValueError(f"{uri} does not say which reviews it speaks of: {_REMEDY}")
    return found


def version(uri: str, *, may_be_empty: bool = False) -> str:
    """
    Return a digest of names and contents of the objects under an S3 prefix.

    :param may_be_empty: a prefix without objects has a digest too.
    :raises ValueError: there is nothing.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    found = sorted((each["Key"], each["ETag"]) for each in S3Hook().iter_file_metadata(prefix, bucket))
    if not found and not may_be_empty:
        raise ValueError(f"there is nothing in {uri}")
    return hashlib.sha256(repr(found).encode()).hexdigest()[:16]


def is_empty(uri: str) -> bool:
    """Say whether there is no object under an S3 prefix."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return not S3Hook().list_keys(bucket, prefix, max_items=1)
