"""What people said of reviews, in the features job: it counts in the training split, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs_kit import load, run, split

SPLITS = ("train", "validation", "test")


def write_labels(path: Path, labels: dict[str, int], when: str = "2026-01-01T00:00:00Z", batch: str = "one") -> Path:
    """A file of the data set of human labels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = len(labels)
    columns: dict[str, list[Any]] = {
        "review_id": list(labels),
        "label": list(labels.values()),
        "votes": [[label] for label in labels.values()],
        "workers": [["w"]] * count,
        "confidence": [1.0] * count,
        "labelled_at": [when] * count,
        "batch": [batch] * count,
        "share": ["uncertain"] * count,
        "predicted_label": [0] * count,
        "probability": [0.5] * count,
    }
    pq.write_table(pa.table(columns, schema=load("human_labels", "human_label_table").SCHEMA), path)
    return path


def build(table: Path, target: Path, tiny_bert: Path, labels: Path) -> dict[str, Any]:
    arguments = {"base-model": tiny_bert, "max-seq-length": 48, "labels": labels}
    assert run("features", input=table, output=target, **arguments) == 0
    return dict(json.loads((target / "report" / "report.json").read_text()))


def opposite(sentiment: int) -> int:
    return -1 if sentiment == 1 else 1


def test_a_label_replaces_the_sentiment_in_training_and_in_no_held_out_split(
    table: Path, features: Path, tiny_bert: Path, tmp_path: Path
) -> None:
    before = {name: {row["review_id"]: row for row in split(features, name)} for name in SPLITS}
    labels = {review: opposite(row["sentiment"]) for name in SPLITS for review, row in [*before[name].items()][:20]}
    write_labels(tmp_path / "labels" / "one.parquet", labels)
    report = build(table, tmp_path / "out", tiny_bert, tmp_path / "labels")
    after = {name: {row["review_id"]: row for row in split(tmp_path / "out", name)} for name in SPLITS}

    for name in ("validation", "test"):
        same = {review: {**row, "date": None} for review, row in before[name].items()}
        assert {review: {**row, "date": None} for review, row in after[name].items()} == same
    assert after["train"].keys() == before["train"].keys()
    for review, row in after["train"].items():
        expected = labels.get(review, before["train"][review]["sentiment"])
        assert (row["sentiment"], row["label_id"]) == (expected, expected + 1)
        assert row["input_ids"] == before["train"][review]["input_ids"]
    assert report["human_labels"] == {"given": 60, "in_training": 20, "changed": 20}
    stored = {row["review_id"]: row for row in split(tmp_path / "out", "feature_store") if row["split_type"] == "train"}
    assert all(row["sentiment"] == after["train"][review]["sentiment"] for review, row in stored.items())


def test_without_labels_nothing_changes(table: Path, features: Path, tiny_bert: Path, tmp_path: Path) -> None:
    report = build(table, tmp_path / "out", tiny_bert, tmp_path / "none")
    assert report["human_labels"] == {"given": 0, "in_training": 0, "changed": 0}
    assert report == json.loads((features / "report" / "report.json").read_text())


def test_the_label_that_was_given_last_counts(tmp_path: Path) -> None:
    write_labels(tmp_path / "b.parquet", {"r": 1, "s": 0}, when="2026-01-02T00:00:00Z", batch="b")
    write_labels(tmp_path / "z.parquet", {"r": -1}, when="2026-01-01T00:00:00Z", batch="z")
    assert load("features", "human_label_table").read_labels(tmp_path) == {"r": 1, "s": 0}


@pytest.mark.parametrize(
    ("labels", "reason"), [({"r": 3}, "the label 3 of review r"), (None, "not a file of human labels")]
)
def test_labels_that_cannot_be_used_end_the_job(
    table: Path,
    tiny_bert: Path,
    tmp_path: Path,
    labels: dict[str, int] | None,
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "labels" / "bad.parquet"
    if labels is None:
        path.parent.mkdir()
        path.write_bytes(b"nothing of the kind")
    else:
        write_labels(path, labels)
    arguments = {"base-model": tiny_bert, "labels": path.parent}
    assert run("features", input=table, output=tmp_path / "out", **arguments) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
