"""The transform job: what it keeps, what it counts as dropped, and what it refuses."""

from __future__ import annotations

import csv
import hashlib
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from jobs_kit import files, load, plain_reviews, review, run, write_csv

from include.reviews.source import fetch


def transform(source: Path, target: Path, **arguments: Any) -> dict[str, Any]:
    assert run("transform", input=source, output=target, **arguments) == 0
    return dict(json.loads((target / "report" / "report.json").read_text()))


def table(target: Path) -> list[dict[str, str]]:
    with open(target / "reviews" / "reviews.csv", encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def cleaned(target: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(target / "table" / "reviews.parquet").to_pylist())


def refused(source: Path, target: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The sentence with which the job ends, having written nothing."""
    assert run("transform", input=source, output=target) == 2
    assert files(target) == []
    error = capsys.readouterr().err.strip()
    assert "Traceback" not in error and error.startswith("transform: ")
    return error


def test_stars_become_sentiments_and_columns_are_those_of_the_table(tmp_path: Path) -> None:
    rows = [review(f"review {n} of {stars}", stars) for stars in (1, 2, 3, 4, 5) for n in range(4)]
    write_csv(tmp_path / "raw" / "r.csv", rows)
    report = transform(tmp_path / "raw", tmp_path / "out")
    assert report["by_sentiment"] == {"-1": 8, "0": 4, "1": 8}
    assert report["rows_in"] == report["rows"] == 20 and report["dropped"] == {}
    assert list(table(tmp_path / "out")[0]) == ["sentiment", "review_body", "product_category"]
    assert table(tmp_path / "out")[0] == {
        "sentiment": "-1",
        "review_body": "review 0 of 1",
        "product_category": "Dresses",
    }


def test_each_comma_and_line_break_in_a_text_becomes_one_space(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "r.csv", [review('soft, warm\r\nand "nice"\nall in all', 5), *plain_reviews()])
    transform(tmp_path / "raw", tmp_path / "out")
    assert table(tmp_path / "out")[0]["review_body"] == 'soft  warm  and "nice" all in all'


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (review("", 5), "blank Review Text"),
        (review(" \n", 5), "blank Review Text"),
        (review("text", 5, category=""), "blank Class Name"),
        (review("text", ""), "blank Rating"),
        (review("text", 0), "rating outside 1-5"),
        (review("text", 6), "rating outside 1-5"),
        (review("text", "4.5"), "rating outside 1-5"),
        (review("text", "nan"), "rating outside 1-5"),
        (review("text", "five"), "rating outside 1-5"),
        (review("text", 5, category="Chemises"), "category with 10 reviews or fewer"),
        (review("a \0 text", 5), "a NUL byte"),
        (["too", "short"], "another number of fields than the header"),
    ],
)
def test_a_row_without_use_is_dropped_counted_and_located(tmp_path: Path, row: list[Any], reason: str) -> None:
    write_csv(tmp_path / "raw" / "r.csv", [*plain_reviews(20), row])
    report = transform(tmp_path / "raw", tmp_path / "out")
    assert report["dropped"] == {reason: 1}
    assert report["first_dropped"][reason].startswith("r.csv:61")
    assert (report["rows_in"], report["rows"]) == (61, 60)


def test_bytes_that_are_not_utf8_drop_their_row_only(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "raw" / "r.csv", plain_reviews())
    path.write_bytes(
        path.read_bytes() + b"61,T,caf\xe9 au lait,5,General,Dresses\n62,T,caf\xc3\xa9,5,General,Dresses\n"
    )
    report = transform(tmp_path / "raw", tmp_path / "out")
    assert report["dropped"] == {"bytes that are not UTF-8": 1}
    assert table(tmp_path / "out")[-1]["review_body"] == "café"


def test_emoji_and_right_to_left_text_and_a_long_review_come_through_whole(tmp_path: Path) -> None:
    texts = ["👗💖 so pretty 👩‍👩‍👧", "פריט יפה מאוד", "قماش ناعم ومريح", "word " * 200_000]
    write_csv(tmp_path / "raw" / "r.csv", [*[review(text, 5) for text in texts], *plain_reviews()])
    transform(tmp_path / "raw", tmp_path / "out")
    assert [row["review_body"] for row in table(tmp_path / "out")][:4] == texts


def test_several_files_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "a.csv", plain_reviews(10))
    second = write_csv(tmp_path / "raw" / "more" / "b.csv", plain_reviews(5))
    second.write_bytes(b"\xef\xbb\xbf" + second.read_bytes())
    (tmp_path / "raw" / ".hidden").write_text("not a review file")
    report = transform(tmp_path / "raw", tmp_path / "out")
    assert report["rows"] == 45 and report["files"] == ["a.csv", "b.csv"]


def test_made_up_reviews_are_labelled(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "r.csv", plain_reviews())
    assert transform(tmp_path / "raw", tmp_path / "out", synthetic="True")["synthetic"] is True
    assert transform(tmp_path / "raw", tmp_path / "out")["synthetic"] is False


def test_a_missing_folder_and_an_empty_one_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert str(tmp_path / "none") in refused(tmp_path / "none", tmp_path / "out", capsys)
    (tmp_path / "raw").mkdir()
    assert "there is no file" in refused(tmp_path / "raw", tmp_path / "out", capsys)


def test_missing_columns_are_named_with_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(tmp_path / "raw" / "r.csv", [["a", 5]], header=["text", "Rating"])
    error = refused(tmp_path / "raw", tmp_path / "out", capsys)
    assert "r.csv lacks the columns Review Text, Class Name" in error and "'text', 'Rating'" in error


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"PK\x03\x04rest", "a zip or Excel file"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b"PAR1xxxx", "a Parquet file"),
        ("Review Text,Rating,Class Name\n".encode("utf-16"), "UTF-16"),
        (b'{"Review Text": "json"}\n', "lacks the columns"),
        (b"\x00\x01\x02\x03\x04", "lacks the columns"),
        (b"<html><body>Not Found</body></html>", "lacks the columns"),
        (b"Review Text,Rating,Class Name,Rating\na,1,Dresses,1\n", "'Rating' more than once"),
    ],
)
def test_what_is_no_csv_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "r.csv").write_bytes(content)
    error = refused(tmp_path / "raw", tmp_path / "out", capsys)
    assert "r.csv" in error and said in error


def test_a_quotation_mark_that_is_never_closed_is_refused_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_csv(tmp_path / "raw" / "r.csv", plain_reviews())
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], '7,T,"never closed,5,General,Dresses\n', *lines[3:] * 100]))
    script = load("transform")
    monkeypatch.setitem(script.read_rows.__globals__, "LARGEST_FIELD", 100_000)
    before = csv.field_size_limit()
    try:
        assert script.main(["--input", str(tmp_path / "raw"), "--output", str(tmp_path / "out")]) == 2
    finally:
        csv.field_size_limit(before)
    error = capsys.readouterr().err
    assert "r.csv, line 4: a quotation mark is not closed" in error
    assert files(tmp_path / "out") == []


@pytest.mark.parametrize("last", [False, True])
def test_a_quotation_mark_that_the_end_of_the_file_leaves_open_is_named_whatever_its_length(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], last: bool
) -> None:
    path = write_csv(tmp_path / "raw" / "r.csv", plain_reviews())
    lines = path.read_text().splitlines(keepends=True)
    rest = [] if last else lines[3:]
    path.write_text("".join([*lines[:3], '7,T,"never closed,5,General,Dresses\n', *rest]))
    error = refused(tmp_path / "raw", tmp_path / "out", capsys)
    assert "r.csv, line 4: a quotation mark is not closed" in error


@pytest.mark.parametrize("next_text", ["other, quoted", "two\nlines, quoted"])
def test_a_quotation_mark_that_the_next_quoted_text_seems_to_close_is_refused_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], next_text: str
) -> None:
    path = write_csv(tmp_path / "raw" / "r.csv", [*plain_reviews(), review(next_text), *plain_reviews()])
    lines = path.read_text().splitlines(keepends=True)
    # Read leniently this row and the quoted one are one row, of the right number of fields and so not even dropped.
    path.write_text("".join([*lines[:50], '7,T,"never closed,5,General,Dresses\n', *lines[50:]]))
    error = refused(tmp_path / "raw", tmp_path / "out", capsys)
    assert "r.csv, line 51: a quotation mark is not closed" in error


def test_a_quotation_inside_a_line_that_is_not_doubled_loses_no_row(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "raw" / "r.csv", plain_reviews())
    path.write_text(f'{path.read_text()}7,T,"she said "hi" there",5,General,Dresses\n')
    assert transform(tmp_path / "raw", tmp_path / "out")["rows"] == 61


def test_the_file_that_was_uploaded_is_taken(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "raw" / "r.csv", plain_reviews())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    expected = {"raw-sha256": digest, "raw-rows": 60}
    assert transform(tmp_path / "raw", tmp_path / "out", **expected)["rows_in"] == 60


@pytest.mark.parametrize("beside", [False, True])
def test_another_file_than_was_uploaded_is_refused_with_both_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], beside: bool
) -> None:
    path = write_csv(tmp_path / "raw" / "r.csv", plain_reviews())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    expected: dict[str, object] = {"raw-sha256": digest, "raw-rows": 60}
    write_csv(tmp_path / "raw" / ("stale.csv" if beside else "r.csv"), plain_reviews(each=5))
    assert run("transform", input=tmp_path / "raw", output=tmp_path / "out", **expected) == 2
    error = capsys.readouterr().err
    assert (
        f"SHA-256 {digest[:12]}... and 60 rows" in error and "with 15 rows" in error and "run ingest_reviews" in error
    )
    assert files(tmp_path / "out") == []


def test_all_rows_blank_is_refused_with_the_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(tmp_path / "raw" / "r.csv", [review("", 5)] * 7)
    error = refused(tmp_path / "raw", tmp_path / "out", capsys)
    assert "none of the 7 rows" in error and "blank Review Text" in error


def test_no_rating_between_1_and_5_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(tmp_path / "raw" / "r.csv", [review("text", 9)] * 7)
    assert "dropped 7 rows: rating outside 1-5" in refused(tmp_path / "raw", tmp_path / "out", capsys)


def test_one_class_only_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(tmp_path / "raw" / "r.csv", [review(f"text {n}", 5) for n in range(30)])
    error = refused(tmp_path / "raw", tmp_path / "out", capsys)
    assert "all 30 usable reviews have the sentiment 1" in error and "Rating" in error


def test_unusable_input_leaves_an_earlier_result_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(tmp_path / "good" / "r.csv", plain_reviews())
    transform(tmp_path / "good", tmp_path / "out")
    before = (tmp_path / "out" / "reviews" / "reviews.csv").read_bytes()
    write_csv(tmp_path / "bad" / "r.csv", [review("", 5)])
    assert run("transform", input=tmp_path / "bad", output=tmp_path / "out") == 2
    assert (tmp_path / "out" / "reviews" / "reviews.csv").read_bytes() == before
    assert files(tmp_path / "out") == ["report/report.json", "reviews/reviews.csv", "table/reviews.parquet"]


def test_the_reason_is_left_where_sagemaker_looks_for_it(tmp_path: Path) -> None:
    reason = tmp_path / "ml" / "output" / "message"
    reason.parent.parent.mkdir()
    assert run("transform", input=tmp_path / "none", output=tmp_path / "out", reason=reason) == 2
    assert "does not exist" in reason.read_text()


def test_memory_stays_flat_when_the_rows_grow_tenfold(tmp_path: Path) -> None:
    peaks = []
    for each in (500, 5000):
        write_csv(tmp_path / str(each) / "r.csv", plain_reviews(each))
        tracemalloc.start()
        transform(tmp_path / str(each), tmp_path / "out")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_the_table_has_title_body_rating_and_the_rows_of_the_csv(tmp_path: Path) -> None:
    rows = [review("soft, warm\r\nand nice", 5, title=" Love it "), *plain_reviews(), review("no title", 2, title="")]
    write_csv(tmp_path / "raw" / "r.csv", rows)
    report = transform(tmp_path / "raw", tmp_path / "out")
    first, *_, last = cleaned(tmp_path / "out")
    assert {**first, "review_id": ""} == {
        "review_id": "",
        "title": "Love it",
        "body": "soft, warm\r\nand nice",
        "rating": 5,
        "sentiment": 1,
        "category": "Dresses",
    }
    assert (last["title"], last["body"], last["rating"], last["sentiment"]) == ("", "no title", 2, -1)
    assert [str(row["sentiment"]) for row in cleaned(tmp_path / "out")] == [
        row["sentiment"] for row in table(tmp_path / "out")
    ]
    content = (tmp_path / "out" / "table" / "reviews.parquet").read_bytes()
    assert report["table"] == {"sha256": hashlib.sha256(content).hexdigest(), "rows": 62}


def test_a_review_keeps_its_id_whatever_stands_around_it(tmp_path: Path) -> None:
    rows = [*plain_reviews(), review("twice", 5), review("twice", 5), review("twice", 5, index=1)]
    write_csv(tmp_path / "raw" / "r.csv", rows)
    write_csv(tmp_path / "other" / "r.csv", rows[:0:-1])
    transform(tmp_path / "raw", tmp_path / "out")
    transform(tmp_path / "other", tmp_path / "fewer")
    ids, fewer = ([row["review_id"] for row in cleaned(tmp_path / name)] for name in ("out", "fewer"))
    assert len(set(ids)) == 63 and set(fewer) == set(ids[1:])
    assert ids[61] == f"{ids[60]}-2" and ids[62][:16] != ids[60]


def test_the_reference_drops_rows_with_a_blank_anywhere_and_keeps_small_categories(tmp_path: Path) -> None:
    odd = [review("untitled", 5, title=""), review("no class", 5, category=" "), review("one", 5, category="Chemises")]
    write_csv(tmp_path / "raw" / "r.csv", [*plain_reviews(), *odd])
    report = transform(tmp_path / "raw", tmp_path / "out", drop="reference")
    assert report["dropped"] == {"blank Title": 1, "blank Class Name": 1}
    assert report["first_dropped"]["blank Title"] == "r.csv:61"
    assert (report["drop"], report["rows"], report["by_category"]["Chemises"]) == ("reference", 61, 1)
    assert transform(tmp_path / "raw", tmp_path / "out")["rows"] == 61


@pytest.mark.real_data
def test_the_real_reviews_give_the_counts_of_the_reference_notebook(reviews_file: Path, tmp_path: Path) -> None:
    fetch(str(reviews_file), tmp_path / "raw" / "reviews.csv")
    report = transform(tmp_path / "raw", tmp_path / "out", drop="reference")
    assert report["rows"] == 19_662 and min(report["by_sentiment"].values()) == 2_051
    assert report["dropped"] == {"blank Title": 3810, "blank Division Name": 13, "blank Review Text": 1}


@pytest.mark.real_data
def test_the_real_reviews_give_the_reference_counts(reviews_file: Path, tmp_path: Path) -> None:
    fetch(str(reviews_file), tmp_path / "raw" / "reviews.csv")
    report = transform(tmp_path / "raw", tmp_path / "out")
    assert (report["rows_in"], report["rows"]) == (23_486, 22_626)
    assert report["by_sentiment"] == {"-1": 2_370, "0": 2_823, "1": 17_433}
    assert [report["by_category"][name] for name in ("Dresses", "Knits", "Blouses")] == [6_145, 4_626, 2_983]
    assert report["dropped"]["category with 10 reviews or fewer"] == 2
    assert len(table(tmp_path / "out")) == 22_626


def test_a_large_table_is_cut_into_parts_that_have_the_rows_of_one(tmp_path: Path) -> None:
    rows = [*plain_reviews(1500), *[review("twice the same", 5, index=1)] * 2]
    write_csv(tmp_path / "raw" / "r.csv", rows)
    whole = transform(tmp_path / "raw", tmp_path / "one")
    cut = transform(tmp_path / "raw", tmp_path / "many", **{"part-rows": 2048})
    assert [(part["name"], part["rows"]) for part in cut["parts"]] == [
        ("reviews-00001.parquet", 2048),
        ("reviews-00002.parquet", 2048),
        ("reviews-00003.parquet", 406),
    ]
    tables = [pq.read_table(tmp_path / folder / "table") for folder in ("one", "many")]
    assert tables[0].equals(tables[1]) and tables[1].schema.metadata == {b"drop": b"needed"}
    one = (tmp_path / "one" / "reviews" / "reviews.csv").read_text()
    texts = [(tmp_path / "many" / "reviews" / f"reviews-0000{number}.csv").read_text() for number in (1, 2, 3)]
    header, _, _ = one.partition("\n")
    assert one == "".join([texts[0], *(text.removeprefix(f"{header}\n") for text in texts[1:])])
    digests = [
        hashlib.sha256((tmp_path / "many" / "table" / part["name"]).read_bytes()).hexdigest() for part in cut["parts"]
    ]
    assert digests == [part["sha256"] for part in cut["parts"]]
    lines = "".join(f"{digest}\n" for digest in digests)
    assert cut["table"] == {"sha256": hashlib.sha256(lines.encode()).hexdigest(), "rows": 4502}
    assert {**whole, "table": 0, "parts": 0} == {**cut, "table": 0, "parts": 0}
    assert len(whole["parts"]) == 1 and whole["table"]["sha256"] == whole["parts"][0]["sha256"]
