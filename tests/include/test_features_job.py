"""The features job: splits that share nothing, balanced where they are held out, the same on every instance."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from jobs_kit import bundle, cleaned, files, job_folder, load, plain_reviews, review, run, split, write_csv, write_table
from transformers import AutoTokenizer

from include.reviews.source import fetch

SPLITS = ("train", "validation", "test")


def words(source: Path, target: Path, base_model: Path, **arguments: Any) -> list[str]:
    given = {"input": source, "output": target, "base_model": base_model, "max_seq_length": 48, **arguments}
    return [str(word) for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)]


def build(source: Path, target: Path, base_model: Path, **arguments: Any) -> dict[str, Any]:
    with job_folder(bundle("features")):
        assert load("features").main(words(source, target, base_model, **arguments)) == 0
    return dict(json.loads((target / "report" / "report.json").read_text()))


def ingest(folder: Path, rows: list[list[Any]]) -> Path:
    """The cleaned table of these raw reviews."""
    write_csv(folder / "raw" / "r.csv", rows)
    return cleaned(folder / "raw", folder / "cleaned")


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
    rows = [*plain_reviews(100), endless, *[review(f"of many {n}", 5) for n in range(200)]]
    report = build(ingest(tmp_path, rows), tmp_path / "out", tiny_bert)
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
    table: Path, tiny_bert: Path, features: Path, tmp_path: Path
) -> None:
    build(table, tmp_path / "same", tiny_bert)
    build(table, tmp_path / "other", tiny_bert, seed=7)
    assert texts(tmp_path / "same", "test") == texts(features, "test")
    assert texts(tmp_path / "other", "test") != texts(features, "test")


def test_the_model_reads_title_and_body_unless_the_body_alone_is_wanted(tmp_path: Path, tiny_bert: Path) -> None:
    titles = ["Great", "Why?", "", "  "]
    rows = [
        review(f"text {n} of {rating}", rating, title=titles[n % 4], index=n) for rating in (1, 3, 5) for n in range(40)
    ]
    source = ingest(tmp_path, rows)
    report = build(source, tmp_path / "both", tiny_bert)
    assert report["text"] == "title_body" and build(source, tmp_path / "body", tiny_bert, text="body")["text"] == "body"
    both, body = (
        {row["review_id"]: (name, row["review_body"]) for name in SPLITS for row in split(tmp_path / folder, name)}
        for folder in ("both", "body")
    )
    # What is read decides nothing about where a review goes.
    assert {key: name for key, (name, _) in both.items()} == {key: name for key, (name, _) in body.items()}
    kinds = {both[key][1].removesuffix(body[key][1]) for key in both}
    assert kinds == {"Great. ", "Why? ", ""}


def test_reviews_keep_the_ids_that_ingest_gave_them(features: Path, table: Path) -> None:
    known = {row["review_id"]: row for part in table.glob("*") for row in pq.read_table(part).to_pylist()}
    for name in SPLITS:
        assert all(known[row["review_id"]]["sentiment"] == row["sentiment"] for row in split(features, name))


def test_a_text_that_occurs_often_stays_in_one_split_and_once_where_held_out(tmp_path: Path, tiny_bert: Path) -> None:
    repeated = [review(f"  TEXT number {n} of 5   stars", 5, index=9000 + n) for n in range(100)]
    build(ingest(tmp_path, [*plain_reviews(100), *repeated]), tmp_path / "out", tiny_bert, text="body")
    found = [plain(texts(tmp_path / "out", name)) for name in SPLITS]
    assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]
    for name in ("validation", "test"):
        assert len(plain(texts(tmp_path / "out", name))) == len(split(tmp_path / "out", name))


def test_few_reviews_still_give_all_three_splits(tmp_path: Path, tiny_bert: Path) -> None:
    report = build(ingest(tmp_path, plain_reviews(20)), tmp_path / "out", tiny_bert)
    assert all(set(report["splits"][name]) == {"-1", "0", "1"} for name in SPLITS)


def configure(folder: Path, host: str, hosts: list[str], distribution: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "resourceconfig.json").write_text(json.dumps({"current_host": host, "hosts": hosts}))
    given = {"LocalPath": "/opt/ml/processing/input/reviews", "S3DataDistributionType": distribution}
    (folder / "processingjobconfig.json").write_text(
        json.dumps({"ProcessingInputs": [{"InputName": "reviews", "S3Input": given}]})
    )
    return folder


def test_instances_with_copies_of_all_files_share_them_out_without_a_leak(
    table: Path, tiny_bert: Path, features: Path, tmp_path: Path
) -> None:
    (tmp_path / "reviews").symlink_to(table)
    hosts = ["algo-1", "algo-2"]
    for host in hosts:
        config = configure(tmp_path / host, host, hosts, "FullyReplicated")
        assert (
            run(
                "features",
                input=tmp_path / "reviews",
                output=tmp_path / "out",
                config=config,
                **{"base-model": tiny_bert},
            )
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
        rated = [(row[3] // 2 - 1, row[2], row[5]) for row in part]
        write_table(tmp_path / host / "reviews" / f"{host}.parquet", rated)
        config = configure(tmp_path / host / "config", host, hosts, "ShardedByS3Key")
        assert (
            run(
                "features",
                input=tmp_path / host / "reviews",
                output=tmp_path / "out",
                config=config,
                **{"base-model": tiny_bert},
            )
            == 0
        )
    found = [texts(tmp_path / "out", name) for name in SPLITS]
    assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]
    assert sum(map(len, found)) > 500


def sharded(folder: Path, parts: list[Path], base_model: Path, hosts: int, **arguments: Any) -> list[dict[str, Any]]:
    """Run the job on so many instances, each with its share of the parts; the manifests."""
    names = [f"algo-{number + 1}" for number in range(hosts)]
    for number, host in enumerate(names):
        source = folder / host / "reviews"
        source.mkdir(parents=True)
        for part in parts[number::hosts]:
            (source / part.name).symlink_to(part)
        config = configure(folder / host / "config", host, names, "ShardedByS3Key")
        assert run("features", **settings(source, folder / "out", base_model), config=config, **arguments) == 0
    return [json.loads((folder / "out" / "manifest" / f"manifest-{host}.json").read_text()) for host in names]


def settings(source: Path, target: Path, base_model: Path) -> dict[str, Any]:
    return {"input": source, "output": target, "base-model": base_model}


def test_the_manifests_of_sharded_instances_have_every_part_and_row_once(tmp_path: Path, tiny_bert: Path) -> None:
    write_csv(tmp_path / "raw" / "r.csv", plain_reviews(1500))
    assert run("transform", input=tmp_path / "raw", output=tmp_path / "cleaned", **{"part-rows": 2048}) == 0
    report = json.loads((tmp_path / "cleaned" / "report" / "report.json").read_text())
    parts = [tmp_path / "cleaned" / "table" / part["name"] for part in report["parts"]]
    # Those of one instance are not the whole table: it cannot compare the digest, and leaves that to the manifests.
    found = sharded(tmp_path, parts, tiny_bert, 2, **{"reviews-sha256": report["table"]["sha256"]})
    assert [manifest["sharded"] for manifest in found] == [True, True]
    inputs = sorted((part for manifest in found for part in manifest["inputs"]), key=lambda part: part["name"])
    assert inputs == report["parts"] and len(found[0]["inputs"]) == 2
    assert sum(manifest["rows"] for manifest in found) == 4500
    for manifest in found:
        for output in manifest["outputs"]:
            content = (tmp_path / "out" / output["name"]).read_bytes()
            assert output["sha256"] == hashlib.sha256(content).hexdigest()
            assert output["rows"] == pq.read_metadata(tmp_path / "out" / output["name"]).num_rows > 0


def test_an_instance_for_which_there_is_no_part_says_so_in_its_manifest(tmp_path: Path, tiny_bert: Path) -> None:
    source = ingest(tmp_path, plain_reviews(20))
    found = sharded(tmp_path, list(source.glob("*")), tiny_bert, 2)
    assert [(len(manifest["inputs"]), manifest["rows"]) for manifest in found] == [(1, 60), (0, 0)]
    report = json.loads((tmp_path / "out" / "report" / "report-algo-2.json").read_text())
    assert report["splits"] == {"train": {}, "validation": {}, "test": {}} and found[1]["outputs"] == []


def test_emoji_and_a_megabyte_come_through(tmp_path: Path, tiny_bert: Path) -> None:
    odd = [review("👗 יפה", 1, index=990), review("long " * 200_000, 3, index=991)]
    report = build(ingest(tmp_path, [*plain_reviews(30), *odd]), tmp_path / "out", tiny_bert)
    kept = [row for name in SPLITS for row in split(tmp_path / "out", name)]
    assert max(len(row["input_ids"]) for row in kept) <= 48
    assert report["rows"] == 92


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[1, "text", "Dresses"]] * 40, "of one class (1, column sentiment)"),
        ([], "no usable review"),
        ([[-1, "a", "Dresses"], [0, "b", "Dresses"], [1, "c", "Dresses"]], "too few reviews to hold any out"),
        ([[4, "a", "Dresses"]], "the sentiment 4 is not one of -1, 0, 1"),
    ],
)
def test_reviews_that_cannot_be_split_are_refused(
    tmp_path: Path, tiny_bert: Path, capsys: pytest.CaptureFixture[str], rows: list[list[Any]], said: str
) -> None:
    write_table(tmp_path / "reviews" / "r.parquet", rows)
    assert run("features", input=tmp_path / "reviews", output=tmp_path / "out", **{"base-model": tiny_bert}) == 2
    assert said in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_another_table_than_was_ingested_is_refused_with_both_counts(
    tmp_path: Path, tiny_bert: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = ingest(tmp_path, plain_reviews(20))
    told = json.loads((tmp_path / "cleaned" / "report" / "report.json").read_text())["table"]
    expected = {"reviews-sha256": told["sha256"], "reviews-rows": told["rows"]}
    build(source, tmp_path / "out", tiny_bert, **expected)
    ingest(tmp_path, plain_reviews(19))
    words = {"input": source, "output": tmp_path / "again", "base-model": tiny_bert, **expected}
    assert run("features", **words) == 2
    error = capsys.readouterr().err
    assert "and 60 rows" in error and "with 57 rows" in error and "run ingest_reviews" in error
    assert files(tmp_path / "again") == []


def test_a_base_model_that_is_not_there_is_named(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("features", input=table, output=tmp_path / "out", **{"base-model": "nobody/no-such-model"}) == 2
    assert "'nobody/no-such-model'" in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_a_base_model_given_as_an_input_is_used(table: Path, tiny_bert: Path, tmp_path: Path) -> None:
    (tmp_path / "reviews").symlink_to(table)
    (tmp_path / "base_model").symlink_to(tiny_bert)
    build(tmp_path / "reviews", tmp_path / "out", Path("nobody/no-such-model"))


def test_memory_stays_flat_when_the_rows_grow_tenfold(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = {"test_share": 0.02, "validation_share": 0.02}
    peaks = []
    for each in (1000, 10_000):
        rated = [(row[3] // 2 - 1, row[2], row[5]) for row in plain_reviews(each)]
        write_table(tmp_path / str(each) / "r.parquet", rated)
        script = load("features")
        # Every row has a word of its own here: with the bound as it is, ten times these few rows would not reach it.
        monkeypatch.setitem(script.token_ids.__globals__, "MOST_WORDS", 400)
        tracemalloc.start()
        assert script.main(words(tmp_path / str(each), tmp_path / "out", tiny_bert, **shares)) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


@pytest.mark.real_data
@pytest.mark.parametrize("drop", ["needed", "reference"])
def test_the_real_reviews_are_split_as_many_of_each_class_held_out(
    reviews_file: Path, tiny_bert: Path, tmp_path: Path, drop: str
) -> None:
    fetch(str(reviews_file), tmp_path / "raw" / "reviews.csv")
    report = build(cleaned(tmp_path / "raw", tmp_path / "cleaned", drop=drop), tmp_path / "out", tiny_bert)
    if drop == "reference":
        assert report["rows"] == 19_662
        assert {name: sum(report["splits"][name].values()) for name in SPLITS} == {
            "train": 5_537,
            "validation": 307,
            "test": 309,
        }
        assert sum(sum(report["splits"][name][value] for name in SPLITS) for value in ("-1", "0", "1")) == 3 * 2_051
    else:
        assert report["rows"] == 22_626
        assert report["splits"]["test"] == {"-1": 271, "0": 271, "1": 271}
        assert report["splits"]["validation"] == {"-1": 128, "0": 128, "1": 128}
        assert report["splits"]["train"] == {"-1": 1971, "0": 2385, "1": 14_703}
    found = [plain(bodies(tmp_path / "out", name, tmp_path / "cleaned" / "table")) for name in SPLITS]
    assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]


def bodies(folder: Path, name: str, table: Path) -> set[str]:
    known = {row["review_id"]: row["body"] for part in table.glob("*") for row in pq.read_table(part).to_pylist()}
    return {known[row["review_id"]] for row in split(folder, name)}


def test_a_table_of_the_reference_is_split_as_the_reference_does(tmp_path: Path, tiny_bert: Path) -> None:
    write_csv(tmp_path / "raw" / "r.csv", [*plain_reviews(100), *plain_reviews(3), review("of many", 5, index=500)])
    source = cleaned(tmp_path / "raw", tmp_path / "cleaned", drop="reference")
    report = build(source, tmp_path / "out", tiny_bert)
    # 103 of each: 309, of which 31 are held out.
    assert {name: sum(report["splits"][name].values()) for name in SPLITS} == {
        "train": 278,
        "validation": 15,
        "test": 16,
    }
    found = [plain(texts(tmp_path / "out", name)) for name in SPLITS]
    assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]


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
