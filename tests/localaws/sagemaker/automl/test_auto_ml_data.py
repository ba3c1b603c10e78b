"""Which data an AutoML job can learn from, how it finds text and target, and what it says of all other data."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from auto_ml_kit import rows, table

from localaws.images.autopilot import dataset
from localaws.images.autopilot.errors import AutopilotError


def _read(folder: Path, files: dict[str, str], form: str = "csv") -> pd.DataFrame:
    for name, text in files.items():
        (folder / name).write_text(text)
    return dataset.read(folder, form, False, "training")


def test_several_files_with_their_headers_are_one_table(tmp_path: Path) -> None:
    text = "\ufeff" + table(rows(2))
    found = _read(tmp_path, {"a.csv": text, "b.csv": 'review_body,sentiment,product_category\n"one, two",1,x\n'})
    assert list(found.columns) == ["sentiment", "review_body", "product_category"]
    assert list(found["review_body"])[-1] == "one, two"
    assert list(found["sentiment"]) == ["-1", "0", "1"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "the training channel has no file"),
        ({"a.csv": "x,y\n"}, "the training channel has no row"),
        ({"a.csv": ""}, "a.csv in the training channel cannot be read as csv"),
        ({"a.csv": "x,y\n1,2,3\n4,5,6\n"}, "more fields than its header"),
        ({"a.csv": "x,y\n1,2\n", "b.csv": "x,z\n1,2\n"}, "b.csv in the training channel has the columns x, z"),
    ],
)
def test_files_that_are_no_table_are_named(tmp_path: Path, files: dict[str, str], words: str) -> None:
    with pytest.raises(AutopilotError, match=words):
        _read(tmp_path, files)


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    with pytest.raises(AutopilotError, match=r"a.csv in the training channel cannot be read as parquet"):
        _read(tmp_path, {"a.csv": "x,y\n1,2\n"}, "parquet")


def test_the_column_with_the_longest_texts_is_the_text() -> None:
    frame = pd.DataFrame(rows(6))
    frame["title"] = "a title"
    frame["price"] = "1000000000000000000000000000000000000000000000000000000000000000000"
    columns = dataset.find_columns(frame, "sentiment", None)
    assert columns.text == "review_body"
    assert columns.ignored == ("product_category", "title", "price")


@pytest.mark.parametrize(
    ("target", "text", "words"),
    [
        ("mood", None, "the target column 'mood' is not in the data set, which has sentiment, review_body"),
        ("sentiment", "body", "the content column 'body' is not in the data set"),
        ("review_body", None, "no column beside the target 'review_body' has text"),
        ("sentiment", "sentiment", "cannot be both"),
    ],
)
def test_columns_that_are_missing_are_named(target: str, text: str | None, words: str) -> None:
    with pytest.raises(AutopilotError, match=words):
        dataset.find_columns(pd.DataFrame(rows(6)), target, text)


def test_rows_without_text_or_target_are_dropped_and_counted() -> None:
    frame = pd.DataFrame(
        {"label": ["1", "", "NaN", "1.0", "0", " 2 "], "text": ["a b", "a b", "a b", " c d ", "  ", "e"]}
    )
    found, dropped = dataset.labelled(frame, dataset.Columns(("label", "text"), "label", "text"))
    assert dropped == {"blank target": 2, "blank text": 1}
    assert list(found["label"]) == ["1", "1", "2"], "1 and 1.0 are the same class"
    assert list(found["text"]) == ["a b", "c d", "e"]


def test_two_classes_are_binary_and_more_are_multiclass() -> None:
    assert dataset.problem_type(pd.Series(["no", "yes"]), None, "y") == "BinaryClassification"
    assert dataset.problem_type(pd.Series(["10", "9", "-1"]), None, "y") == "MulticlassClassification"
    assert dataset.classes_of(pd.Series(["10", "9", "-1"])) == ["-1", "9", "10"]


@pytest.mark.parametrize(
    ("labels", "given", "words"),
    [
        ([str(number) for number in range(60)], None, "60 distinct numbers, which makes the problem type Regression"),
        ([f"{number / 8}" for number in range(20)], None, "Regression"),
        (["same", "same"], None, "has same alone: two classes are needed"),
        (["a", "b", "c"], "BinaryClassification", "the target 'y' has 3 classes"),
    ],
)
def test_targets_that_are_no_classes_are_refused(labels: list[str], given: str | None, words: str) -> None:
    with pytest.raises(AutopilotError, match=words):
        dataset.problem_type(pd.Series(labels), given, "y")


def test_a_class_with_too_few_rows_is_named() -> None:
    with pytest.raises(AutopilotError, match=r"needs 5 rows or more: 'rare' \(4\)"):
        dataset.check_rows(pd.Series(["often"] * 50 + ["rare"] * 4), "y")


def test_the_split_is_stratified_seeded_and_leaves_something_of_each_class_on_both_sides() -> None:
    labels = ["a"] * 100 + ["b"] * 20 + ["c"] * 2
    chosen = dataset.split(labels, 0.2, 42)
    counts = pd.Series(labels)[chosen].value_counts()
    assert counts.to_dict() == {"a": 20, "b": 4, "c": 1}
    assert (chosen == dataset.split(labels, 0.2, 42)).all()
    assert (chosen != dataset.split(labels, 0.2, 43)).any()
