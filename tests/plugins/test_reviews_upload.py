"""What is uploaded, and what is there when it is read: a lost or replaced file is never used in silence."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.reviews.origin import expected_raw, expected_table, note_table, origin, origin_of_table
from include.reviews.upload import upload

CSV = 'id,text\n1,good\n\n2,"two\nlines"\n3,bad\n'


@pytest.fixture
def place(aws: Any, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """S3 URIs in a bucket of this test's own."""
    bucket = f"raw-{hashlib.sha256(request.node.name.encode()).hexdigest()[:20]}"
    aws("s3").create_bucket(Bucket=bucket)
    return lambda key: f"s3://{bucket}/{key}"


@pytest.fixture
def uploaded(place: Callable[[str], str], tmp_path: Path) -> dict[str, Any]:
    source = tmp_path / "reviews.csv"
    source.write_text(CSV)
    return upload(str(source), to=place("raw/reviews.csv"), note=place("origin.json"))


def put(aws: Any, uri: str, body: bytes) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    aws("s3").put_object(Bucket=bucket, Key=key, Body=body)


def test_an_upload_says_what_it_put(uploaded: dict[str, Any], place: Any) -> None:
    assert uploaded["rows"] == 3
    assert uploaded["sha256"] == hashlib.sha256(CSV.encode()).hexdigest()
    assert uploaded["etag"] == hashlib.md5(CSV.encode(), usedforsecurity=False).hexdigest()
    assert origin(place("origin.json")) == uploaded


def test_replaced_reviews_are_refused_with_what_was_expected_and_what_is_there(
    aws: Any, uploaded: dict[str, Any], place: Any
) -> None:
    put(aws, uploaded["uri"], b"id,text\n1,stale\n")
    stale = hashlib.md5(b"id,text\n1,stale\n", usedforsecurity=False).hexdigest()
    with pytest.raises(ValueError, match=f"3 rows with ETag {uploaded['etag']}.* ETag {stale}: run ingest_reviews"):
        origin(place("origin.json"))


def test_lost_reviews_are_refused(aws: Any, uploaded: dict[str, Any], place: Any) -> None:
    bucket, _, key = uploaded["uri"].removeprefix("s3://").partition("/")
    aws("s3").delete_object(Bucket=bucket, Key=key)
    with pytest.raises(ValueError, match="there is nothing: run ingest_reviews"):
        origin(place("origin.json"))


@pytest.mark.parametrize(("note", "said"), [(None, "there is no s3://"), (b"{}", "does not say which reviews")])
def test_reviews_without_a_note_of_them_are_refused(aws: Any, place: Any, note: bytes | None, said: str) -> None:
    if note is not None:
        put(aws, place("origin.json"), note)
    with pytest.raises(ValueError, match=said):
        origin(place("origin.json"))


def test_a_table_is_taken_as_long_as_it_is_that_of_the_reviews(aws: Any, uploaded: dict[str, Any], place: Any) -> None:
    notes = place("origin.json"), place("table.json")
    files = place("table/reviews.parquet"), place("reviews/reviews.csv")
    made = {"sha256": "digest of the table", "rows": 3}

    def note(raw: dict[str, Any] = uploaded) -> None:
        note_table(dict.fromkeys(files, 3), notes[1], made=made, raw=raw)

    for file in files:
        put(aws, file, b"3 rows")
    note()
    assert origin_of_table(*notes) == {**uploaded, "table": made}
    note({**uploaded, "sha256": "of other reviews"})
    with pytest.raises(ValueError, match=r"made of other reviews than those in .*3 rows.*: run ingest_reviews"):
        origin_of_table(*notes)
    for file in files:
        note()
        put(aws, file, b"another")
        with pytest.raises(ValueError, match="the table of the reviews, 3 rows"):
            origin_of_table(*notes)


def test_jobs_are_told_which_reviews_and_which_table() -> None:
    assert expected_raw("upload_raw") == {
        "raw-sha256": "{{ ti.xcom_pull(task_ids='upload_raw')['sha256'] }}",
        "raw-rows": "{{ ti.xcom_pull(task_ids='upload_raw')['rows'] }}",
    }
    assert expected_table("find_reviews")["reviews-sha256"].endswith("['table']['sha256'] }}")
