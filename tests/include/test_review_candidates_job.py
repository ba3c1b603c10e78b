"""Which reviews people may be asked about: those of training without a label, never a held-out one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs_kit import run, write_table
from test_features_human_labels import write_labels

#: 60 reviews: 50 to train on, 5 in each held-out split.
SPLITS = {"train": range(50), "validation": range(50, 55), "test": range(55, 60)}


def prepare(folder: Path, bodies: dict[int, str] | None = None, titles: dict[int, str] | None = None) -> Path:
    rows = [(0, (bodies or {}).get(number, f"body {number}"), "Dresses") for number in range(60)]
    title = [(titles or {}).get(number, "") for number in range(60)]
    write_table(folder / "reviews" / "r.parquet", rows, title=title)
    for name, numbers in SPLITS.items():
        ids = [f"r-{number}" for number in numbers]
        texts = [f"text {number}" for number in numbers]
        (folder / name).mkdir()
        pq.write_table(pa.table({"review_id": ids, "review_body": texts}), folder / name / "part.parquet")
    return folder


def build(folder: Path, target: Path, **arguments: Any) -> dict[str, Any]:
    assert run("review_candidates", input=folder, output=target, **arguments) == 0
    return dict(json.loads((target / "report/report.json").read_text()))


def candidates(target: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(target / "candidates/candidates.parquet").to_pylist())


def test_candidates_are_the_training_reviews_and_never_held_out_ones(tmp_path: Path) -> None:
    report = build(prepare(tmp_path / "in", titles={3: "Lovely"}), tmp_path / "out")
    found = {row["review_id"]: row for row in candidates(tmp_path / "out")}
    assert found.keys() == {f"r-{number}" for number in SPLITS["train"]}
    assert (found["r-3"]["title"], found["r-3"]["body"], found["r-3"]["text"]) == ("Lovely", "body 3", "text 3")
    assert (report["candidates"], report["held_out_text"], report["labelled"]) == (50, 0, 0)


def test_a_text_that_a_held_out_split_has_too_is_left_out(tmp_path: Path) -> None:
    report = build(prepare(tmp_path / "in", bodies={7: " BODY   57"}), tmp_path / "out")
    assert "r-7" not in {row["review_id"] for row in candidates(tmp_path / "out")}
    assert report["held_out_text"] == 1


def test_a_review_that_people_have_labelled_is_not_asked_about_again(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "in")
    write_labels(folder / "labels" / "one.parquet", {"r-1": 1, "r-2": -1})
    report = build(folder, tmp_path / "out")
    assert not {"r-1", "r-2"} & {row["review_id"] for row in candidates(tmp_path / "out")}
    assert (report["labelled"], report["candidates"]) == (2, 48)


def test_every_candidate_is_a_line_of_one_request(tmp_path: Path) -> None:
    report = build(prepare(tmp_path / "in"), tmp_path / "out")
    lines = (tmp_path / "out/requests/requests.jsonl").read_text().splitlines()
    asked = {request["id"]: request["body"].splitlines() for request in map(json.loads, lines)}
    assert report["requests"] == len(asked) == 3
    for row in candidates(tmp_path / "out"):
        assert json.loads(asked[row["request"]][row["line"]]) == {"features": [row["text"]]}


def test_fewer_candidates_are_a_random_sample_that_the_seed_decides(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "in")
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        build(folder, tmp_path / name, candidates=10, seed=seed)
        found.append([row["review_id"] for row in candidates(tmp_path / name)])
    assert found[0] == found[1] != found[2]
    assert len(set(found[0])) == 10 and found[0] != sorted(found[0])


def test_a_review_in_two_splits_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = prepare(tmp_path / "in")
    pq.write_table(pa.table({"review_id": ["r-1"], "review_body": ["x"]}), folder / "test" / "part.parquet")
    assert run("review_candidates", input=folder, output=tmp_path / "out") == 2
    assert "1 reviews are in training and in a held-out split, such as r-1" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["train", "test", "reviews"])
def test_a_missing_input_is_named(tmp_path: Path, missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = prepare(tmp_path / "in")
    for part in (folder / missing).iterdir():
        part.unlink()
    assert run("review_candidates", input=folder, output=tmp_path / "out") == 2
    assert missing in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_when_all_are_labelled_the_job_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = prepare(tmp_path / "in")
    write_labels(folder / "labels" / "one.parquet", {f"r-{number}": 1 for number in range(50)})
    assert run("review_candidates", input=folder, output=tmp_path / "out") == 2
    assert "there is no review to ask about: 50 to train on, 50 labelled already" in capsys.readouterr().err
