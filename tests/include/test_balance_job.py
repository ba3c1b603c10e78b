"""The balance job: as many of each sentiment in each category, always the same ones, and nothing lost unnamed."""

from __future__ import annotations

import csv
import json
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs_kit import cleaned, files, load, run, write_table

HEADER = ["sentiment", "review_body", "product_category"]


def rows(sizes: dict[str, tuple[int, int, int]]) -> list[list[Any]]:
    """Reviews by category, with a number of each sentiment, mixed as they are in life."""
    found = [
        [sentiment, f"{category}, {sentiment} number {n}", category]
        for category, counts in sizes.items()
        for sentiment, count in zip((-1, 0, 1), counts, strict=True)
        for n in range(count)
    ]
    return sorted(found, key=lambda row: zlib.crc32(row[1].encode()))


def balance(folder: Path, table: list[list[Any]], **arguments: Any) -> int:
    write_table(folder / "in" / "reviews.parquet", table)
    reason = folder / "ml" / "output" / "message"
    reason.parent.parent.mkdir(exist_ok=True)
    words = {"input": folder / "in", "output": folder / "out", "held-out": folder / "test", "reason": reason}
    return run("balance", **words, **arguments)


def written(folder: Path) -> list[list[str]]:
    with open(folder / "out" / "reviews" / "reviews.csv", encoding="utf-8", newline="") as text:
        return list(csv.reader(text))


def report(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "out" / "report" / "report.json").read_text()))


SIZES = {"Dresses": (5, 9, 30), "Knits": (4, 6, 20), "Jeans": (7, 4, 8)}


def test_every_group_is_as_large_as_the_smallest(tmp_path: Path) -> None:
    assert balance(tmp_path, rows(SIZES)) == 0
    header, *kept = written(tmp_path)
    assert header == HEADER
    counts = Counter((category, sentiment) for sentiment, _, category in kept)
    assert set(counts.values()) == {4}
    assert len(counts) == 9
    said = report(tmp_path)
    assert (said["rows_in"], said["rows"], said["per_group"]) == (93, 36, 4)
    assert said["by_sentiment"] == {"-1": 12, "0": 12, "1": 12}
    assert said["by_category"] == {"Dresses": 12, "Jeans": 12, "Knits": 12}
    assert said["left_out"] == {}


def test_kept_rows_are_rows_of_the_input_unchanged_and_in_its_order(tmp_path: Path) -> None:
    table = rows(SIZES)
    assert balance(tmp_path, table) == 0
    places = [[str(sentiment), text.replace(",", " "), category] for sentiment, text, category in table]
    found = [places.index(row) for row in written(tmp_path)[1:]]
    assert found == sorted(found)
    assert len(set(found)) == len(found)


def test_the_seed_decides_which(tmp_path: Path) -> None:
    table = rows(SIZES)
    kept = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        assert balance(tmp_path / name, table, seed=seed) == 0
        kept[name] = written(tmp_path / name)
    assert kept["a"] == kept["b"]
    assert kept["a"] != kept["c"]


def test_a_category_that_lacks_a_sentiment_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert balance(tmp_path, rows({**SIZES, "Trend": (3, 0, 9)})) == 0
    assert report(tmp_path)["left_out"] == {"Trend": ["0"]}
    assert report(tmp_path)["per_group"] == 4
    assert "Trend" not in report(tmp_path)["by_category"]
    assert "left out 'Trend': no review of sentiment 0" in capsys.readouterr().out


def test_several_files_are_one_input(tmp_path: Path) -> None:
    table = rows(SIZES)
    write_table(tmp_path / "in" / "part-2.parquet", table[40:])
    assert balance(tmp_path, table[:40]) == 0
    assert report(tmp_path)["rows"] == 36


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([], "the reviews table has no rows"),
        (rows({"Dresses": (5, 9, 30)}), "fewer than two of 1 categories"),
        (rows({"Dresses": (5, 9, 30), "Knits": (0, 2, 2)}), "fewer than two of 2 categories"),
        ([[1, "a", "Dresses"], [5, "b", "Dresses"]], "reviews.parquet, rows 1 and on: the sentiment 5 is not one of"),
    ],
)
def test_what_cannot_be_balanced_is_refused_with_the_reason_and_nothing_is_written(
    tmp_path: Path, table: list[list[Any]], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert balance(tmp_path, table) == 2
    assert reason in capsys.readouterr().err
    assert reason in (tmp_path / "ml" / "output" / "message").read_text()
    assert files(tmp_path / "out") == []


def test_a_file_without_the_columns_and_no_file_at_all_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"review_id": ["1"], "title": [""], "body": ["x"]}), tmp_path / "in" / "a.parquet")
    assert run("balance", input=tmp_path / "in", output=tmp_path / "out") == 2
    assert "a.parquet is not the reviews table: it lacks rating, sentiment, category" in capsys.readouterr().err
    (tmp_path / "in" / "a.parquet").write_bytes(b"PAR1 and no more")
    assert run("balance", input=tmp_path / "in", output=tmp_path / "out") == 2
    assert "a.parquet is no Parquet file" in capsys.readouterr().err
    assert run("balance", input=tmp_path / "none", output=tmp_path / "out") == 2
    assert "there is no .parquet file" in capsys.readouterr().err


# -- by sentiment alone, for a model that will be judged by a test split


def hold_out(folder: Path, ids: list[str]) -> None:
    (folder / "test").mkdir()
    pq.write_table(pa.table({"review_id": ids}), folder / "test" / "part-algo-1.parquet")


def test_by_sentiment_alone_the_categories_may_be_what_they_are(tmp_path: Path) -> None:
    table = rows({"Dresses": (3, 9, 30), "Trend": (2, 0, 9)})
    arguments = ["--by", "sentiment", "--columns", "sentiment", "review_body"]
    places = ["--input", tmp_path / "in", "--output", tmp_path / "out", "--held-out", tmp_path / "test"]
    held = next(number for number, row in enumerate(table) if row[1] == "Dresses, -1 number 2")
    hold_out(tmp_path, [f"reviews-{held}"])
    write_table(tmp_path / "in" / "reviews.parquet", table)
    assert load("balance").main([str(word) for word in [*arguments, *places]]) == 0
    header, *kept = written(tmp_path)
    assert header == ["sentiment", "review_body"]
    assert Counter(sentiment for sentiment, _ in kept) == {"-1": 4, "0": 4, "1": 4}
    assert "Dresses  -1 number 2" not in {text for _, text in kept}
    said = report(tmp_path)
    assert (said["rows_in"], said["held_out"], said["rows"], said["per_group"]) == (53, 1, 12, 4)
    assert said["by_category"] == {}


def test_what_a_model_reads_has_the_title_where_that_is_wanted(tmp_path: Path) -> None:
    table = rows({"Dresses": (4, 4, 4)})
    write_table(tmp_path / "in" / "reviews.parquet", table, title=["Soft, warm"] * len(table))
    words = {"input": tmp_path / "in", "output": tmp_path / "out", "by": "sentiment", "text": "title_body"}
    assert run("balance", **words) == 0
    assert all(text.startswith("Soft  warm. Dresses  ") for _, text, _ in written(tmp_path)[1:])


def test_by_sentiment_every_sentiment_must_occur(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert balance(tmp_path, rows({"Dresses": (3, 0, 30)}), by="sentiment") == 2
    assert "no review has the sentiment 0" in capsys.readouterr().err
    assert balance(tmp_path, [[7, "a", "Dresses"]], by="sentiment") == 2
    assert "the sentiment 7 is not one of -1, 0, 1" in capsys.readouterr().err
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "part.parquet").write_bytes(b"no parquet")
    assert balance(tmp_path, rows(SIZES), by="sentiment") == 2
    assert "part.parquet is not a test split" in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_nothing_but_held_out_reviews_leaves_nothing_to_learn_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hold_out(tmp_path, ["reviews-0", "reviews-1"])
    assert balance(tmp_path, [[1, "a", "Dresses"], [0, "b", "Dresses"]], by="sentiment") == 2
    assert "every review is in the test split" in capsys.readouterr().err


@pytest.mark.real_data
def test_the_real_reviews_balance_to_9_a_group(tmp_path: Path, reviews_file: Path) -> None:
    import zipfile

    with zipfile.ZipFile(reviews_file) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".csv") and "MACOSX" not in name)
        (tmp_path / "raw").mkdir()
        (tmp_path / "raw" / "reviews.csv").write_bytes(archive.read(name))
    assert run("balance", input=cleaned(tmp_path / "raw", tmp_path / "cleaned"), output=tmp_path / "out") == 0
    said = report(tmp_path)
    assert (said["rows_in"], said["rows"], said["per_group"]) == (22626, 486, 9)
    assert set(said["by_sentiment"].values()) == {162}
    assert len(said["by_category"]) == 18
    assert set(said["by_category"].values()) == {27}
