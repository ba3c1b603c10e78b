"""What people answered becomes labels: merged by review, ties left out, agreement with the model and each other."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs_kit import files, load, run

AT = "2026-05-01T10:00:0{}Z"
NAMES: dict[int | str, str] = {-1: "Negative", 0: "Neutral", 1: "Positive"}


def vote(worker: str, label: int | str, second: int = 0) -> dict[str, Any]:
    return {"worker": worker, "label": NAMES.get(label, label), "at": AT.format(second), "seconds": 2.5}


def prepare(folder: Path, selected: dict[str, tuple[str, int]], rounds: list[dict[str, list[Any]]]) -> Path:
    """``selected``: review -> (share, predicted label); ``rounds``: review -> votes."""
    (folder / "selected").mkdir(parents=True)
    rows = [
        {"review_id": name, "share": share, "predicted_label": label, "probability": 0.5}
        for name, (share, label) in selected.items()
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "selected" / "s.parquet")
    for number, answers in enumerate(rounds, 1):
        path = folder / "answers" / f"round-{number}" / "answers.jsonl"
        path.parent.mkdir(parents=True)
        lines = [
            {"id": name, "status": "answered" if votes else "expired", "reason": "nobody came", "answers": votes}
            for name, votes in answers.items()
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def build(folder: Path, target: Path, **arguments: Any) -> dict[str, Any]:
    assert run("human_labels", input=folder, output=target, batch="run-1", **arguments) == 0
    return dict(json.loads((target / "report/report.json").read_text()))


def labels(target: Path) -> dict[str, dict[str, Any]]:
    return {row["review_id"]: row for row in pq.read_table(target / "labels/run-1.parquet").to_pylist()}


SELECTED = {"a": ("uncertain", 0), "b": ("uncertain", 1), "c": ("control", 1), "d": ("control", -1)}


def test_one_answer_is_the_label_and_says_who_gave_it_and_when(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "in", SELECTED, [{name: [vote("w1", 1, 3)] for name in SELECTED}])
    report = build(folder, tmp_path / "out")
    row = labels(tmp_path / "out")["a"]
    assert row == {
        "review_id": "a",
        "label": 1,
        "votes": [1],
        "workers": ["w1"],
        "confidence": 1.0,
        "labelled_at": "2026-05-01T10:00:03Z",
        "batch": "run-1",
        "share": "uncertain",
        "predicted_label": 0,
        "probability": 0.5,
    }
    assert (report["asked"], report["answers"], report["labelled"], report["unlabelled"]) == (4, 4, 4, {})
    assert files(tmp_path / "out") == [
        "labels/run-1.parquet",
        "report/answers.csv",
        "report/people_and_model.png",
        "report/report.json",
        "report/report.md",
    ]


def test_most_votes_win_and_a_tie_stays_without_a_label(tmp_path: Path) -> None:
    answers = {
        "a": [vote("w1", 1), vote("w2", 1), vote("w3", -1)],
        "b": [vote("w1", 1), vote("w2", -1)],
        "c": [],
    }
    report = build(prepare(tmp_path / "in", SELECTED, [answers]), tmp_path / "out")
    found = labels(tmp_path / "out")
    assert found.keys() == {"a"}
    assert (found["a"]["label"], found["a"]["confidence"], found["a"]["votes"]) == (1, 0.6667, [1, 1, -1])
    assert report["unlabelled"] == {
        "nobody came": 1,
        "nobody has answered": 1,
        "the answers are even, and nobody decided": 1,
    }


def test_a_third_person_of_the_second_round_decides_a_tie(tmp_path: Path) -> None:
    rounds = [{"b": [vote("w1", 1), vote("w2", -1)]}, {"b": [vote("w3", -1, 9)]}]
    build(prepare(tmp_path / "in", SELECTED, rounds), tmp_path / "out")
    found = labels(tmp_path / "out")["b"]
    assert (found["label"], found["votes"], found["workers"]) == (-1, [1, -1, -1], ["w1", "w2", "w3"])


def test_a_worker_who_answers_twice_is_counted_once_by_the_last_answer(tmp_path: Path) -> None:
    rounds = [{"a": [vote("w1", 1, 1)]}, {"a": [vote("w1", -1, 2)]}]
    build(prepare(tmp_path / "in", SELECTED, rounds), tmp_path / "out")
    assert labels(tmp_path / "out")["a"]["votes"] == [-1]


def test_the_model_is_measured_by_the_control_share_apart_from_the_uncertain_ones(tmp_path: Path) -> None:
    answers = {"a": [vote("w", 1)], "b": [vote("w", 1)], "c": [vote("w", 1)], "d": [vote("w", -1)]}
    report = build(prepare(tmp_path / "in", SELECTED, [answers]), tmp_path / "out")
    control, uncertain = report["model"]["control"], report["model"]["uncertain"]
    assert (control["reviews"], control["accuracy"]) == (2, 1.0)
    assert (uncertain["reviews"], uncertain["accuracy"]) == (2, 0.5)
    # Wilson's interval for 1 of 2.
    assert uncertain["interval"] == [0.0945, 0.9055]
    assert report["model"]["all"]["confusion"] == [[1, 0, 0], [0, 0, 0], [0, 1, 2]]


def test_agreement_between_workers_is_fleiss_kappa(tmp_path: Path) -> None:
    agreeing = load("human_labels", "agreeing")
    # Two raters, 50 reviews: the example of Cohen's kappa with 20 yes/yes, 5 yes/no, 10 no/yes and 15 no/no. Fleiss'
    # kappa pools the raters' shares: (0.7 - 0.505) / (1 - 0.505).
    counts = {(1, 1): 20, (1, -1): 5, (-1, 1): 10, (-1, -1): 15}
    voted = [{"x": one, "y": other} for (one, other), count in counts.items() for _ in range(count)]
    assert agreeing.between_workers(voted) == {"reviews": 50, "agreement": 0.7, "kappa": 0.3939}
    assert agreeing.between_workers([{"x": 1}]) == {"reviews": 0, "agreement": None, "kappa": None}
    assert agreeing.between_workers([{"x": 1, "y": 1}])["kappa"] is None


def test_dawid_and_skene_trust_the_worker_who_is_right_elsewhere() -> None:
    merging = load("human_labels", "merging")
    generator = random.Random(3)
    truth = {f"r{number}": generator.choice((-1, 0, 1)) for number in range(150)}
    right = {"good": 0.95, "fair": 0.8, "bad": 0.3}
    items = {
        name: {
            worker: label if generator.random() < share else generator.choice([each for each in NAMES if each != label])
            for worker, share in right.items()
        }
        for name, label in truth.items()
    }
    found = merging.merge(items, "dawid_skene")
    by_model = sum(found[name] is not None and found[name][0] == label for name, label in truth.items())
    by_majority = sum(
        merged is not None and merged[0] == truth[name] for name, merged in merging.merge(items, "majority").items()
    )
    assert by_model > by_majority + 5
    assert all(0 < merged[1] <= 1 for merged in found.values() if merged)


def test_dawid_and_skene_decide_nothing_where_two_are_even() -> None:
    merging = load("human_labels", "merging")
    assert merging.dawid_skene({"a": {"x": 1, "y": -1}, "b": {}}) == {"a": None, "b": None}


def test_the_report_names_workers_and_the_answers_are_kept(tmp_path: Path) -> None:
    answers = {"a": [vote("w1", 1), vote("w2", 1)], "b": [vote("w1", 1), vote("w2", 0), vote("w3", 1)]}
    report = build(prepare(tmp_path / "in", SELECTED, [answers]), tmp_path / "out", synthetic="True")
    assert report["workers"]["w2"] == {"answers": 2, "judged": 2, "agree": 1, "agreement": 0.5}
    with (tmp_path / "out/report/answers.csv").open() as text:
        rows = list(csv.DictReader(text))
    assert len(rows) == 5 and rows[0] == {
        "review_id": "a",
        "worker": "w1",
        "label": "1",
        "at": AT.format(0),
        "seconds": "2.5",
    }
    shown = (tmp_path / "out/report/report.md").read_text()
    assert shown.startswith("# SYNTHETIC: Labels by people: 2 of 4 reviews")
    assert "| w2 | 2 | 1 | 50.0% |" in shown


def test_without_an_answer_there_is_a_report_and_no_file_of_labels(tmp_path: Path) -> None:
    report = build(prepare(tmp_path / "in", SELECTED, [{}]), tmp_path / "out")
    assert (report["labelled"], report["unlabelled"]) == (0, {"nobody has answered": 4})
    assert not (tmp_path / "out/labels").exists()


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"a": [vote("w", "Great")]}, "the answer 'Great' is not one of Negative, Neutral, Positive"),
        ({"z": [vote("w", 1)]}, "1 answered reviews were not asked about, such as z"),
        ({"a": [{"worker": "w"}]}, "is not an answer"),
    ],
)
def test_answers_that_cannot_be_used_end_the_job(
    tmp_path: Path, answers: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = prepare(tmp_path / "in", SELECTED, [answers])
    assert run("human_labels", input=folder, output=tmp_path / "out", batch="b") == 2
    assert reason in capsys.readouterr().err
    assert files(tmp_path / "out") == []
