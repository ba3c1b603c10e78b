"""The parts of a large table, and the manifests of the instances that made its features."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from operator_kit import BUCKET

from include.reviews.parts import digest, keep_parts
from include.tasks.shards import NotCovered, check, merged

PARTS = [{"name": f"reviews-0000{number}.parquet", "sha256": f"{number}" * 64, "rows": 100} for number in (1, 2, 3)]
TABLE = hashlib.sha256("".join(f"{part['sha256']}\n" for part in PARTS).encode()).hexdigest()


def told(host: int, inputs: list[Any], rows: int, **changes: Any) -> dict[str, Any]:
    alone = {"host": f"algo-{host}", "hosts": 2, "sharded": True, "share": {"index": 0, "of": 1}}
    return {**alone, "inputs": inputs, "rows": rows, **changes}


def replicated(host: int, rows: int, **changes: Any) -> dict[str, Any]:
    return {**told(host, PARTS, rows, sharded=False, share={"index": host - 1, "of": 2}), **changes}


def test_parts_of_a_table_have_one_digest_in_whatever_order_they_are_told() -> None:
    assert digest(PARTS) == digest(PARTS[::-1]) == TABLE
    assert digest(PARTS[:1]) == PARTS[0]["sha256"]


@pytest.mark.parametrize(
    "manifests",
    [
        [told(1, PARTS[::2], 200), told(2, PARTS[1:2], 100)],
        [told(1, PARTS, 300), told(2, [], 0)],
        [replicated(1, 140), replicated(2, 160)],
        [told(1, PARTS, 300, hosts=1, sharded=False)],
    ],
    ids=["sharded", "one without parts", "replicated", "one instance"],
)
def test_instances_that_took_every_row_once_are_accepted(manifests: list[dict[str, Any]]) -> None:
    check(manifests, TABLE, 300)
    check(manifests, "", 300)


@pytest.mark.parametrize(
    ("manifests", "said"),
    [
        ([told(1, PARTS, 300)], "2 instances ran, and there are manifests of algo-1"),
        ([told(1, PARTS[:2], 200), told(1, PARTS[2:], 100)], "2 instances ran"),
        ([told(1, PARTS[:2], 200), told(2, PARTS[1:], 200)], "algo-1 and algo-2 have both read reviews-00002.parquet"),
        ([told(1, PARTS[:1], 100), told(2, PARTS[1:2], 100)], "read 200 reviews in 2 parts .*these are not the table"),
        ([told(1, PARTS[:2], 199), told(2, PARTS[2:], 100)], "took 299 reviews of 3 parts, which have 300"),
        ([told(1, [{**PARTS[0], "sha256": "f" * 64}, *PARTS[1:]], 300), told(2, [], 0)], "run ingest_reviews"),
        ([replicated(1, 150), replicated(2, 150, share={"index": 0, "of": 2})], r"took the shares \[0, 0\]"),
        ([replicated(1, 150), replicated(2, 150, inputs=PARTS[:2])], "have not read the same parts"),
    ],
)
def test_rows_that_are_missing_or_there_twice_are_told(manifests: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(NotCovered, match=said):
        check(manifests, TABLE, 300)


def test_reports_of_instances_are_added_up() -> None:
    def report(rows: int, splits: dict[str, dict[str, int]]) -> dict[str, Any]:
        labels = {"given": 5, "in_training": rows // 50, "changed": 0}
        counts = {"rows": rows, "held_out_unused": 1, "tokens": 10 * rows}
        return {**counts, "splits": splits, "feature_store": {"0": rows}, "human_labels": labels, "seed": 42}

    one, two = report(100, {"train": {"-1": 1, "0": 2}, "test": {}}), report(50, {"train": {"0": 5}, "test": {"1": 1}})
    assert merged([one]) == one
    assert merged([one, two]) == {
        "rows": 150,
        "held_out_unused": 2,
        "tokens": 1500,
        "splits": {"train": {"-1": 1, "0": 7}, "test": {"1": 1}},
        "feature_store": {"0": 150},
        "human_labels": {"given": 5, "in_training": 3, "changed": 0},
        "seed": 42,
    }


def test_parts_of_an_earlier_larger_table_are_removed(aws: Any) -> None:
    s3 = aws("s3")
    for key in ("t/reviews-00001.parquet", "t/reviews.parquet", "c/reviews-00001.csv", "c/reviews.csv", "cd/kept"):
        s3.put_object(Bucket=BUCKET, Key=f"parts/{key}", Body=b"x")
    places = [f"s3://{BUCKET}/parts/{folder}/" for folder in ("t", "c")]
    report = {"parts": [{"name": "reviews.parquet", "rows": 7}]}
    assert keep_parts(report, *places) == {f"{places[0]}reviews.parquet": 7, f"{places[1]}reviews.csv": 7}
    left = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix="parts/")["Contents"]]
    assert left == ["parts/c/reviews.csv", "parts/cd/kept", "parts/t/reviews.parquet"]
