"""BlazingText's job: the tokens, and the lines to learn from."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs_kit import cleaned, files, load, run, write_table


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("I don't", "i do n't"),
        ("I don\u2019t love it.", "i do n't love it ."),
        ("It's great, she'll say; I'd've known!", "it 's great she 'll say ; i 'd 've known !"),
        ('"Perfect", they\'re "so" soft', "perfect they 're so soft"),
        ("cannot gonna", "can not gon na"),
        ("wait... what?! (no)", "wait ... what ? ! ( no )"),
        ("I'm 5'8, 34dd and 10-12; $3.50 at 10:30", "i 'm 5'8 34dd and 10-12 ; $ 3.50 at 10:30"),
        ("well-made s/m top--lovely", "well-made s/m top -- lovely"),
        ("e.g. the U.S. size", "e.g. the u.s. size"),
        ("soft👗 ❤", "soft 👗 ❤"),
        ("شال جميل", "شال جميل"),
        ("it is. And, so", "it is . and so"),
        (' \t\n,,"" ', ""),
        ("__label__1 sneaks in", "label 1 sneaks in"),
    ],
)
def test_tokens_are_the_treebank_s_without_commas_and_quotes(text: str, tokens: str) -> None:
    assert load("blazingtext_prepare", "tokens").tokenise(text) == tokens


def test_tokens_of_a_long_text_take_no_longer_than_its_length_asks(tmp_path: Path) -> None:
    tokenise = load("blazingtext_prepare", "tokens").tokenise
    for text in ("a" * 300_000, "a-" * 150_000, "n't" * 100_000, "." * 300_000, "1." * 150_000, "a.b" * 100_000):
        assert tokenise(text)


# -- prepare


def reviews(sizes: tuple[int, int, int]) -> list[list[Any]]:
    """So many reviews of each sentiment, all different."""
    return [
        [sentiment, f"I don't know, number {n} of {sentiment}", "Dresses"]
        for sentiment, count in zip((-1, 0, 1), sizes, strict=True)
        for n in range(count)
    ]


def hold_out(folder: Path, ids: list[str]) -> None:
    """A test split as the features job writes it."""
    (folder / "test").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"review_id": ids}), folder / "test" / "part-algo-1.parquet")


def prepare(folder: Path, table: list[list[Any]], **arguments: Any) -> int:
    write_table(folder / "in" / "reviews" / "reviews.parquet", table)
    reason = folder / "a" / "b" / "message"
    return run("blazingtext_prepare", input=folder / "in", output=folder / "out", reason=reason, **arguments)


def written(folder: Path, split: str) -> list[str]:
    return (folder / "out" / split / f"{split}.txt").read_text().splitlines()


def report(folder: Path, name: str = "report") -> dict[str, Any]:
    return dict(json.loads((folder / "out" / "report" / f"{name}.json").read_text()))


def test_lines_are_balanced_tokenised_and_split_alike_in_each_class(tmp_path: Path) -> None:
    assert prepare(tmp_path, reviews((20, 35, 90)), repeats=1) == 0
    train, validation = written(tmp_path, "train"), written(tmp_path, "validation")
    assert Counter(line.split()[0] for line in train) == dict.fromkeys(["__label__-1", "__label__0", "__label__1"], 18)
    assert Counter(line.split()[0] for line in validation) == dict.fromkeys(
        ["__label__-1", "__label__0", "__label__1"], 2
    )
    assert all(" i do n't know number " in line for line in [*train, *validation])
    assert len({*train, *validation}) == 60
    said = report(tmp_path)
    assert (said["rows_in"], said["rows"], said["train"], said["validation"]) == (145, 60, 54, 6)
    assert said["by_sentiment"] == {"-1": 20, "0": 35, "1": 90}
    assert said["tokens"] == sum(len(line.split()) - 1 for line in [*train, *validation])


def test_the_rarest_sentiment_is_repeated_where_the_others_have_more_reviews(tmp_path: Path) -> None:
    assert prepare(tmp_path, reviews((20, 35, 90)), repeats=3) == 0
    train, validation = Counter(written(tmp_path, "train")), written(tmp_path, "validation")
    repeated: dict[str, list[int]] = {sentiment: [] for sentiment in ("-1", "0", "1")}
    for line, times in train.items():
        repeated[line.split()[0].removeprefix("__label__")].append(times)
    assert {sentiment: sum(times) for sentiment, times in repeated.items()} == dict.fromkeys(repeated, 54)
    assert repeated["-1"] == [3] * 18 and sorted(repeated["0"]) == [1] * 12 + [2] * 21 and repeated["1"] == [1] * 54
    assert len(validation) == len({*validation}) == 6 and not train.keys() & {*validation}
    said = report(tmp_path)
    assert (said["rows"], said["train"], said["validation"], said["repeats"]) == (168, 162, 6, 3)


@pytest.mark.parametrize("repeats", [0, 101])
def test_repeats_out_of_range_are_refused(tmp_path: Path, repeats: int) -> None:
    with pytest.raises(SystemExit):
        prepare(tmp_path, reviews((20, 20, 20)), repeats=repeats)


def test_the_seed_decides_which_and_where(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        assert prepare(tmp_path / name, reviews((20, 35, 90)), seed=seed) == 0
    a, b, c = (written(tmp_path / name, "validation") for name in "abc")
    assert a == b
    assert a != c


def test_what_the_model_will_be_judged_by_is_not_learnt_from(tmp_path: Path) -> None:
    # The same words again are held out with the review that is in the test split.
    again = [1, "I DON'T know,\r\nnumber 3  of 1", "Dresses"]
    hold_out(tmp_path / "in", ["reviews-43", "reviews-44"])
    assert prepare(tmp_path, [*reviews((20, 20, 20)), again]) == 0
    lines = [*written(tmp_path, "train"), *written(tmp_path, "validation")]
    assert not [line for line in lines if line.endswith(("number 3 of 1", "number 4 of 1"))]
    said = report(tmp_path)
    # 18 of the sentiment 1 are left: 2 to validate, and 16 to train, twice.
    assert (said["held_out"], said["rows"]) == (3, 3 * (2 + 2 * 16))


def test_a_test_split_of_another_table_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hold_out(tmp_path / "in", ["reviews-1", "unknown"])
    assert prepare(tmp_path, reviews((20, 20, 20))) == 2
    assert "1 of 2 reviews of the test split are not in the reviews table" in capsys.readouterr().err


def test_the_title_is_learnt_too_unless_the_body_alone_is_wanted(tmp_path: Path) -> None:
    rows = reviews((20, 20, 20))
    for text, said in (("title_body", True), ("body", False)):
        folder = tmp_path / text
        write_table(folder / "in" / "reviews" / "reviews.parquet", rows, title=["Great"] * 30 + [""] * 30)
        assert run("blazingtext_prepare", input=folder / "in", output=folder / "out", text=text) == 0
        lines = [*written(folder, "train"), *written(folder, "validation")]
        assert len({line for line in lines if " great . i do n't " in line}) == 30 * said


def test_a_review_of_nothing_but_commas_is_counted_and_left_out(tmp_path: Path) -> None:
    assert prepare(tmp_path, [*reviews((20, 20, 20)), [1, ",,", "Dresses"]]) == 0
    assert report(tmp_path)["without_tokens"] == 1


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([], "no review has the sentiment -1, 0, 1"),
        (reviews((20, 0, 20)), "no review has the sentiment 0"),
        (reviews((20, 2, 20)), "the rarest sentiment has 2 reviews"),
        ([[7, "a", "b"]], "the sentiment 7 is not one of -1, 0, 1"),
    ],
)
def test_too_little_to_learn_from_is_refused_and_nothing_is_written(
    tmp_path: Path, table: list[list[Any]], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare(tmp_path, table) == 2
    assert reason in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_inputs_that_are_something_else_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("blazingtext_prepare", input=tmp_path, output=tmp_path / "out") == 2
    assert "there is no .parquet file" in capsys.readouterr().err
    (tmp_path / "in" / "test").mkdir(parents=True)
    (tmp_path / "in" / "test" / "part.parquet").write_bytes(b"no parquet")
    assert prepare(tmp_path, reviews((20, 20, 20))) == 2
    assert "part.parquet is not a test split" in capsys.readouterr().err


@pytest.mark.real_data
def test_the_real_reviews_give_13509_lines(tmp_path: Path, reviews_file: Path) -> None:
    import zipfile

    with zipfile.ZipFile(reviews_file) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".csv") and "MACOSX" not in name)
        (tmp_path / "raw").mkdir()
        (tmp_path / "raw" / "reviews.csv").write_bytes(archive.read(name))
    cleaned(tmp_path / "raw", tmp_path / "cleaned").rename(tmp_path / "reviews")
    assert run("blazingtext_prepare", input=tmp_path, output=tmp_path / "out") == 0
    said = report(tmp_path)
    assert (said["rows_in"], said["rows"], said["train"], said["validation"]) == (22626, 13509, 12798, 711)
