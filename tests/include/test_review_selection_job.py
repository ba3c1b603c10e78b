"""Which reviews people are asked about: a random control share, and those that the model knows least."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs_kit import files, load, run

COUNT = 200


def prepare(folder: Path, probabilities: list[float] | None = None, texts: dict[int, str] | None = None) -> Path:
    """Candidates ``r000``, ...; by default the probability rises from 0.4 to 1."""
    probabilities = probabilities or [0.4 + 0.6 * at / COUNT for at in range(COUNT)]
    rows = []
    for at in range(len(probabilities)):
        text = (texts or {}).get(at, f"words that only number {at} of all has {at * 7} {at * 13}")
        row = {"review_id": f"r{at:03d}", "title": "", "body": text, "text": text}
        rows.append({**row, "request": str(at // 10), "line": at % 10})
    (folder / "candidates").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "candidates" / "c.parquet")
    (folder / "answers").mkdir()
    lines = []
    for start in range(0, len(rows), 10):
        said = [
            json.dumps({"predicted_label": at % 3 - 1, "probability": probabilities[at]})
            for at in range(start, min(start + 10, len(rows)))
        ]
        lines.append(
            {"id": str(start // 10), "variant": "v", "latency_ms": 1, "status": 200, "answer": "\n".join(said)}
        )
    write_answers(folder, lines)
    return folder


def write_answers(folder: Path, lines: list[dict[str, Any]]) -> None:
    (folder / "answers" / "part-000000.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def build(folder: Path, target: Path, **arguments: Any) -> dict[str, Any]:
    given = {name.replace("_", "-"): value for name, value in arguments.items()}
    assert run("review_selection", input=folder, output=target, **given) == 0
    return dict(json.loads((target / "report/report.json").read_text()))


def selected(target: Path) -> dict[str, dict[str, Any]]:
    return {row["review_id"]: row for row in pq.read_table(target / "selected/selected.parquet").to_pylist()}


def items(target: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (target / "items/items.jsonl").read_text().splitlines()]


def test_the_least_sure_predictions_below_the_threshold_are_chosen_within_the_budget(tmp_path: Path) -> None:
    report = build(prepare(tmp_path / "in"), tmp_path / "out", budget=30, control_share=0, threshold=0.9)
    assert selected(tmp_path / "out").keys() == {f"r{at:03d}" for at in range(30)}
    assert (report["items"], report["uncertain"], report["control"]) == (30, 30, 0)
    assert report["below_threshold"] == 167


def test_only_predictions_below_the_threshold_are_uncertain_ones(tmp_path: Path) -> None:
    report = build(prepare(tmp_path / "in"), tmp_path / "out", budget=100, control_share=0.1, threshold=0.5)
    chosen = selected(tmp_path / "out").values()
    assert max(row["probability"] for row in chosen if row["share"] == "uncertain") < 0.5
    assert (report["control"], report["items"]) == (10, 10 + report["uncertain"])
    assert report["uncertain"] < 40


def test_the_control_share_is_drawn_from_all_reviews_whatever_the_model_says(tmp_path: Path) -> None:
    build(prepare(tmp_path / "in"), tmp_path / "out", budget=80, control_share=0.5, threshold=0.9)
    control = {
        name: row["probability"] for name, row in selected(tmp_path / "out").items() if row["share"] == "control"
    }
    assert len(control) == 40
    assert max(control.values()) > 0.9
    # The mean of a random sample: 0.7 with a standard error of 0.025.
    assert 0.6 < sum(control.values()) / 40 < 0.8
    # What was drawn does not hang on what the endpoint says.
    other = prepare(tmp_path / "other", probabilities=[0.99] * COUNT)
    build(other, tmp_path / "sure", budget=80, control_share=0.5, threshold=0.9)
    assert selected(tmp_path / "sure").keys() == control.keys()


def test_near_duplicates_are_asked_about_once(tmp_path: Path) -> None:
    texts = {at: f"The very same dress, it fits so well and I love the colour! {at}" for at in range(10)}
    report = build(prepare(tmp_path / "in", texts=texts), tmp_path / "out", budget=20, control_share=0)
    assert sum(name < "r010" for name in selected(tmp_path / "out")) == 1
    assert (report["near_duplicates"], report["items"]) == (9, 20)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("a b c", "A, b c!", 1.0), ("a b c", "d e f", 0.0), ("a b c d", "a b c e", 0.5), ("", "", 1.0), ("a", "a b", 0.0)],
)
def test_likeness_is_the_share_of_word_pairs_that_both_have(one: str, other: str, expected: float) -> None:
    module = load("review_selection", "likeness")
    assert module.likeness(module.word_pairs(one), module.word_pairs(other)) == expected


def test_people_see_the_review_and_the_model_s_label_and_not_its_probability(tmp_path: Path) -> None:
    build(prepare(tmp_path / "in"), tmp_path / "out", budget=10, control_share=0.2)
    for item in items(tmp_path / "out"):
        assert item["input"].keys() == {"initialValue", "taskObject", "title", "body"}
        row = selected(tmp_path / "out")[item["id"]]
        assert item["input"]["initialValue"] == {-1: "Negative", 0: "Neutral", 1: "Positive"}[row["predicted_label"]]
        assert item["input"]["taskObject"].startswith("words that only number")


def test_the_order_of_the_items_does_not_tell_how_sure_the_model_is(tmp_path: Path) -> None:
    build(prepare(tmp_path / "in"), tmp_path / "out", budget=30, control_share=0)
    names = [item["id"] for item in items(tmp_path / "out")]
    assert names != sorted(names)


def test_the_same_seed_chooses_the_same_reviews_and_another_one_another_control_share(tmp_path: Path) -> None:
    folder, found = prepare(tmp_path / "in"), []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        build(folder, tmp_path / name, budget=20, seed=seed)
        found.append((tmp_path / name / "items/items.jsonl").read_text())
    assert found[0] == found[1] != found[2]


def test_requests_that_failed_are_counted_and_few_of_them_are_borne(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "in")
    path = folder / "answers" / "part-000000.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[0] |= {"status": 500, "answer": "out of memory"}
    write_answers(folder, lines)
    report = build(folder, tmp_path / "out", budget=10, control_share=0)
    assert (report["scored"], report["unscored"]) == (190, 10)
    assert not {f"r{at:03d}" for at in range(10)} & selected(tmp_path / "out").keys()


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([], "the endpoint has answered 0 of 200 candidates"),
        ([{"id": "0", "status": 200, "answer": '{"label": 1}'}], "does not answer like jsonlines"),
        ([{"id": "0", "status": 200, "answer": '{"predicted_label": 7, "probability": 1}'}], "answered label 7"),
    ],
)
def test_answers_that_cannot_be_used_end_the_job(
    tmp_path: Path, answers: list[dict[str, Any]], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = prepare(tmp_path / "in")
    write_answers(folder, answers)
    assert run("review_selection", input=folder, output=tmp_path / "out") == 2
    assert reason in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_a_model_that_is_sure_of_all_leaves_the_control_share(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "in", probabilities=[0.95] * COUNT)
    report = build(folder, tmp_path / "out", budget=20, control_share=0.25, synthetic="True")
    assert (report["items"], report["below_threshold"], report["synthetic"]) == (5, 0, True)
