"""The features job: splits that share nothing, balanced where they are held out, the same on every instance."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobs_kit import JOBS, files, job_folder, load, plain_reviews, review, run, split, write_csv
from transformers import AutoTokenizer

from include.reviews import fetch

SPLITS = ("train", "validation", "test")


def words(source: Path, target: Path, base_model: Path, **arguments: Any) -> list[str]:
    given = {"input": source, "output": target, "base_model": base_model, "max_seq_length": 48, **arguments}
    return [str(word) for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)]


def build(source: Path, target: Path, base_model: Path, **arguments: Any) -> dict[str, Any]:
    with job_folder(JOBS / "features"):
        assert load("features").main(words(source, target, base_model, **arguments)) == 0
    return dict(json.loads((target / "report" / "report.json").read_text()))


def texts(folder: Path, name: str) -> set[str]:
    return {row["review_body"] for row in split(folder, name)}


def plain(rows: set[str]) -> set[str]:
    return {" ".join(text.casefold().split()) for text in rows}


def test_no_text_is_in_two_splits_and_the_held_out_ones_are_balanced(features: Path) -> None:
    train, validation, test = (plain(texts(features, name)) for name in SPLITS)
    assert not train & validation and not train & test and not validation & test
    for name in ("validation", "test"):
        counts = Counter(row["sentiment"] for row in split(features, name))
        assert len(counts) == 3 and len(set(counts.values())) == 1
    counts = Counter(row["sentiment"] for row in split(features, "train"))
    assert counts[1] > 2 * counts[-1]


def test_rows_carry_ids_labels_texts_date_and_tokens_as_the_tokenizer_gives_them(
    features: Path, tiny_bert: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    for row in split(features, "test"):
        assert list(row) == ["review_id", "sentiment", "label_id", "input_ids", "review_body", "date"]
        assert row["label_id"] == row["sentiment"] + 1
        assert row["input_ids"] == tokenizer.encode(row["review_body"], truncation=True, max_length=48)
        assert row["date"].endswith("Z")
    assert len({row["review_id"] for name in SPLITS for row in split(features, name)}) == sum(
        len(split(features, name)) for name in SPLITS
    )


def test_the_records_for_the_feature_store_are_balanced_in_each_split_and_on_one_line(
    tmp_path: Path, tiny_bert: Path
) -> None:
    endless = review("first, \r\nsecond " * 5_000, 1, index=999)
    write_csv(
        tmp_path / "raw" / "r.csv", [*plain_reviews(100), endless, *[review(f"of many {n}", 5) for n in range(200)]]
    )
    report = build(tmp_path / "raw", tmp_path / "out", tiny_bert)
    records = split(tmp_path / "out", "feature_store")
    assert list(records[0])[-1] == "split_type"
    for name in SPLITS:
        own = {tuple(row["input_ids"]) for row in split(tmp_path / "out", name)}
        stored = [row for row in records if row["split_type"] == name]
        counts = Counter(row["sentiment"] for row in stored)
        assert set(counts.values()) == {min(report["splits"][name].values())} and len(counts) == 3
        assert {tuple(row["input_ids"]) for row in stored} <= own
    assert len(records) == sum(report["feature_store"].values())
    assert not any("\n" in row["review_body"] or "," in row["review_body"] for row in records)
    assert max(len(row["review_body"]) for row in records) == 50_000


def test_the_same_reviews_and_seed_give_the_same_splits_another_seed_others(
    made_up: Path, tiny_bert: Path, features: Path, tmp_path: Path
) -> None:
    build(made_up, tmp_path / "same", tiny_bert)
    build(made_up, tmp_path / "other", tiny_bert, seed=7)
    assert texts(tmp_path / "same", "test") == texts(features, "test")
    assert texts(tmp_path / "other", "test") != texts(features, "test")


def test_rows_with_a_blank_anywhere_or_an_impossible_rating_are_dropped_and_counted(
    tmp_path: Path, tiny_bert: Path
) -> None:
    bad = [review("untitled", 5, title=""), review("nine stars", 9), review("no class", 5, category=" ")]
    write_csv(tmp_path / "raw" / "r.csv", [*plain_reviews(100), *bad])
    report = build(tmp_path / "raw", tmp_path / "out", tiny_bert)
    assert report["dropped"] == {"blank Title": 1, "rating outside 1-5": 1, "blank Class Name": 1}
    assert report["first_dropped"]["blank Title"] == "r.csv:301"
    assert (
        report["rows"] == 300 == report["held_out_unused"] + sum(len(split(tmp_path / "out", name)) for name in SPLITS)
    )


def test_a_text_that_occurs_often_stays_in_one_split_and_once_where_held_out(tmp_path: Path, tiny_bert: Path) -> None:
    repeated = [review(f"  TEXT number {n} of 5   stars", 5, index=9000 + n) for n in range(100)]
    write_csv(tmp_path / "raw" / "r.csv", [*plain_reviews(100), *repeated])
    build(tmp_path / "raw", tmp_path / "out", tiny_bert)
    found = [plain(texts(tmp_path / "out", name)) for name in SPLITS]
    assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]
    for name in ("validation", "test"):
        assert len(plain(texts(tmp_path / "out", name))) == len(split(tmp_path / "out", name))


def test_few_reviews_still_give_all_three_splits(tmp_path: Path, tiny_bert: Path) -> None:
    write_csv(tmp_path / "raw" / "r.csv", plain_reviews(20))
    report = build(tmp_path / "raw", tmp_path / "out", tiny_bert)
    assert all(set(report["splits"][name]) == {"-1", "0", "1"} for name in SPLITS)


def configure(folder: Path, host: str, hosts: list[str], distribution: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "resourceconfig.json").write_text(json.dumps({"current_host": host, "hosts": hosts}))
    given = {"LocalPath": "/opt/ml/processing/input/raw", "S3DataDistributionType": distribution}
    (folder / "processingjobconfig.json").write_text(
        json.dumps({"ProcessingInputs": [{"InputName": "raw", "S3Input": given}]})
    )
    return folder


def test_instances_with_copies_of_all_files_share_them_out_without_a_leak(
    made_up: Path, tiny_bert: Path, features: Path, tmp_path: Path
) -> None:
    (tmp_path / "raw").symlink_to(made_up)
    hosts = ["algo-1", "algo-2"]
    for host in hosts:
        config = configure(tmp_path / host, host, hosts, "FullyReplicated")
        assert (
            run("features", input=tmp_path / "raw", output=tmp_path / "out", config=config, **{"base-model": tiny_bert})
            == 0
        )
    assert [name for name in files(tmp_path / "out") if "report" in name] == [
        "report/report-algo-2.json",
        "report/report.json",
    ]
    assert [name for name in files(tmp_path / "out") if "test" in name] == [
        "test/part-algo-1.parquet",
        "test/part-algo-2.parquet",
    ]
    found = [plain(texts(tmp_path / "out", name)) for name in SPLITS]
    assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]
    ids = [row["review_id"] for name in SPLITS for row in split(tmp_path / "out", name)]
    assert len(ids) == len(set(ids))
    reports = [
        json.loads((tmp_path / "out" / "report" / name).read_text()) for name in ("report.json", "report-algo-2.json")
    ]
    assert (
        sum(report["rows"] for report in reports)
        == json.loads((features / "report" / "report.json").read_text())["rows"]
    )


def test_instances_with_files_of_their_own_agree_on_a_text_that_both_have(tmp_path: Path, tiny_bert: Path) -> None:
    rows = plain_reviews(200)
    hosts = ["algo-1", "algo-2"]
    for host, part in zip(hosts, (rows[::2] + rows[:300], rows[1::2] + rows[:300]), strict=True):
        write_csv(tmp_path / host / "raw" / f"{host}.csv", part)
        config = configure(tmp_path / host / "config", host, hosts, "ShardedByS3Key")
        assert (
            run(
                "features",
                input=tmp_path / host / "raw",
                output=tmp_path / "out",
                config=config,
                **{"base-model": tiny_bert},
            )
            == 0
        )
    found = [texts(tmp_path / "out", name) for name in SPLITS]
    assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]
    assert sum(map(len, found)) > 500


def test_bytes_nuls_emoji_and_a_megabyte_are_counted_or_come_through(tmp_path: Path, tiny_bert: Path) -> None:
    odd = [review("nul \0 here", 5), review("👗 יפה", 1, index=990), review("long " * 200_000, 3, index=991)]
    path = write_csv(tmp_path / "raw" / "r.csv", [*plain_reviews(30), *odd])
    path.write_bytes(path.read_bytes() + b"1,T,\xff\xfe,5,General,Dresses\n")
    report = build(tmp_path / "raw", tmp_path / "out", tiny_bert)
    assert report["dropped"] == {"a NUL byte": 1, "bytes that are not UTF-8": 1}
    kept = [row for name in SPLITS for row in split(tmp_path / "out", name)]
    assert max(len(row["input_ids"]) for row in kept) <= 48
    assert report["rows"] == 92


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([review("text", 5)] * 40, "of one class (1, column Rating)"),
        ([review("", 5)] * 40, "no usable review"),
        ([review("a", 1), review("b", 3), review("c", 5)], "too few reviews to hold any out"),
    ],
)
def test_reviews_that_cannot_be_split_are_refused(
    tmp_path: Path, tiny_bert: Path, capsys: pytest.CaptureFixture[str], rows: list[list[Any]], said: str
) -> None:
    write_csv(tmp_path / "raw" / "r.csv", rows)
    assert run("features", input=tmp_path / "raw", output=tmp_path / "out", **{"base-model": tiny_bert}) == 2
    assert said in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_a_base_model_that_is_not_there_is_named(
    made_up: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("features", input=made_up, output=tmp_path / "out", **{"base-model": "nobody/no-such-model"}) == 2
    assert "'nobody/no-such-model'" in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_a_base_model_given_as_an_input_is_used(made_up: Path, tiny_bert: Path, tmp_path: Path) -> None:
    (tmp_path / "raw").symlink_to(made_up)
    (tmp_path / "base_model").symlink_to(tiny_bert)
    build(tmp_path / "raw", tmp_path / "out", Path("nobody/no-such-model"))


def test_memory_stays_flat_when_the_rows_grow_tenfold(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_once = {"base_model": tiny_bert, "test_share": 0.02, "validation_share": 0.02}
    peaks = []
    for each in (1000, 10_000):
        write_csv(tmp_path / str(each) / "r.csv", plain_reviews(each))
        script = load("features")
        # Every row has a word of its own here: with the bound as it is, ten times these few rows would not reach it.
        monkeypatch.setitem(script.token_ids.__globals__, "MOST_WORDS", 400)
        tracemalloc.start()
        assert script.main(words(tmp_path / str(each), tmp_path / "out", **build_once)) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


@pytest.mark.real_data
def test_the_real_reviews_give_the_reference_count_and_600_balanced_test_reviews(
    reviews_file: Path, tiny_bert: Path, tmp_path: Path
) -> None:
    fetch(str(reviews_file), tmp_path / "raw" / "reviews.csv")
    report = build(tmp_path / "raw", tmp_path / "out", tiny_bert)
    assert report["rows"] == 19_662
    assert report["splits"]["test"] == {"-1": 242, "0": 242, "1": 242}
    assert report["splits"]["validation"] == {"-1": 112, "0": 112, "1": 112}
    assert report["splits"]["train"] == {"-1": 1697, "0": 2080, "1": 12_770}
    assert report["feature_store"] == {"-1": 2051, "0": 2051, "1": 2051}
    assert report["dropped"] == {"blank Title": 3810, "blank Division Name": 13, "blank Review Text": 1}


def test_a_review_stays_in_its_split_when_others_are_added() -> None:
    script = load("features")
    keys = np.array([script.text_key(f"text {n}", 42) for n in range(3000)], np.uint64)
    sentiments = np.resize(np.array([-1, 0, 1], np.int8), 3000)
    shares = {"test": 0.11, "validation": 0.05}
    few, many = (script.plan_splits(keys[:n], sentiments[:n], shares).splits for n in (1500, 3000))
    train, placed = script.SPLITS.index("train"), few != script.UNUSED
    assert ((few == train) == (many[:1500] == train)).all()
    kept = placed & (many[:1500] != script.UNUSED)
    assert (few[kept] == many[:1500][kept]).all() and kept.sum() > 0.95 * placed.sum()
    assert script.text_key("  Text\n1 ", 42) == script.text_key("text 1", 42) != script.text_key("text 1", 43)
