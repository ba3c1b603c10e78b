"""The leader board: which models it compares, in what order and with what doubt, and how it shows them."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jobs_kit import files, load, run
from PIL import Image

OURS, OTHER = "a" * 64, "b" * 64


def evaluation(model: str, accuracy: float = 0.7, **changes: Any) -> dict[str, Any]:
    """As the evaluate_endpoint job writes it."""
    return {
        "model": model,
        "kind": f"kind of {model}",
        "metrics": {"accuracy": {"value": accuracy}, "macro_f1": {"value": accuracy - 0.01}},
        "reviews": 300,
        "test_split": {"sha256": OURS, "reviews": 300},
        "latency_ms": {"p50": 9.31, "p95": 14.2, "requests": 100},
        "training_seconds": 391.2,
        "model_bytes": 84_900_000,
        "evaluated_at": "2026-11-24T10:00:00+00:00",
        "synthetic": False,
        **changes,
    }


def put(folder: Path, *evaluations: dict[str, Any]) -> None:
    for each in evaluations:
        path = folder / "in" / "models" / each["model"] / "evaluation.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(each))


def compare(folder: Path) -> int:
    return run("leader_board", input=folder / "in", output=folder / "out", reason=folder / "a/b/message")


def board(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "out" / "board" / "leader_board.json").read_text()))


def page(folder: Path, kind: str) -> str:
    return (folder / "out" / "board" / f"leader_board.{kind}").read_text()


def test_the_most_accurate_comes_first_then_macro_f1_then_the_fastest(tmp_path: Path) -> None:
    fast: dict[str, Any] = {"latency_ms": {"p50": 1.0, "p95": 2.0, "requests": 100}}
    better: dict[str, Any] = {"metrics": {"accuracy": {"value": 0.7}, "macro_f1": {"value": 0.71}}}
    put(
        tmp_path,
        evaluation("d-slow"),
        evaluation("c-fast", **fast),
        evaluation("b-f1", **better),
        evaluation("a-worst", 0.5),
        evaluation("e-best", 0.8),
    )
    assert compare(tmp_path) == 0
    said = board(tmp_path)
    assert [row["model"] for row in said["models"]] == ["e-best", "b-f1", "c-fast", "d-slow", "a-worst"]
    assert [row["rank"] for row in said["models"]] == [1, 2, 3, 4, 5]
    assert said["test_split"] == {"sha256": OURS, "reviews": 300}
    assert files(tmp_path / "out") == [f"board/leader_board.{kind}" for kind in ("html", "json", "md", "png")]
    first = said["models"][0]
    assert (first["training_seconds"], first["latency_ms"]["p50"], first["model_bytes"]) == (391.2, 9.31, 84_900_000)


def test_the_interval_is_wilson_s() -> None:
    # Newcombe (1998), table I: 81 of 263 and 15 of 148.
    interval = load("leader_board").interval
    assert interval(81 / 263, 263) == pytest.approx([0.2553, 0.3662], abs=5e-5)
    assert interval(15 / 148, 148) == pytest.approx([0.0624, 0.1605], abs=5e-5)
    assert interval(0.0, 20)[0] == 0.0
    assert interval(1.0, 20)[1] == 1.0


def test_models_within_the_leader_s_margin_are_named(tmp_path: Path) -> None:
    put(tmp_path, evaluation("best", 0.72), evaluation("near", 0.69), evaluation("far", 0.5))
    assert compare(tmp_path) == 0
    assert board(tmp_path)["undecided"] == ["near"]
    assert "Within its margin of chance on these reviews: near." in page(tmp_path, "md")
    assert "Within its margin of chance on these reviews: near." in page(tmp_path, "html")


def test_only_what_was_judged_by_the_latest_evaluation_s_split_is_compared(tmp_path: Path) -> None:
    old = {"test_split": {"sha256": OTHER, "reviews": 290}, "evaluated_at": "2026-11-20T10:00:00+00:00"}
    put(tmp_path, evaluation("now", 0.6), evaluation("before", 0.9, **old), evaluation("also-before", 0.9, **old))
    assert compare(tmp_path) == 0
    said = board(tmp_path)
    assert [row["model"] for row in said["models"]] == ["now"]
    assert {one["model"] for one in said["left_out"]} == {"before", "also-before"}
    reason = "judged by another test split (290 reviews, bbbbbbbb), with an accuracy of 0.9000 there"
    assert {one["reason"] for one in said["left_out"]} == {reason}
    for kind in ("md", "html"):
        assert "Not compared" in page(tmp_path, kind)
        assert reason in page(tmp_path, kind)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "evaluation.json is not JSON"),
        ("[]", "is not an evaluation of an endpoint"),
        (json.dumps({"metrics": {}}), "is not an evaluation of an endpoint: KeyError"),
        (json.dumps(evaluation("x", 1.2)), "1.2 is not a share from 0 to 1"),
        (json.dumps(evaluation("x", True)), "True is not a share from 0 to 1"),
        (json.dumps(evaluation("x", training_seconds="long")), "long is not a finite number, 0 or more"),
        (json.dumps(evaluation("x", training_seconds=float("inf"))), "inf is not a finite number, 0 or more"),
        (json.dumps(evaluation("x", model_bytes=-1)), "-1 is not a finite number, 0 or more"),
        (json.dumps(evaluation("x", test_split={"sha256": OURS, "reviews": 0})), "counts no reviews"),
        (b"\xff\xfe", "evaluation.json is not JSON"),
    ],
)
def test_an_evaluation_that_is_something_else_is_listed_and_the_others_are_compared(
    tmp_path: Path, content: str | bytes, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, {"model": "wrong"})
    (tmp_path / "in/models/wrong/evaluation.json").write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )
    assert compare(tmp_path) == 2
    assert "there is no usable evaluation" in (said := capsys.readouterr().err)
    assert f"wrong: {reason[:20]}" in said or reason in said
    assert files(tmp_path / "out") == []
    put(tmp_path, evaluation("right"))
    assert compare(tmp_path) == 0
    (left_out,) = board(tmp_path)["left_out"]
    assert left_out["model"] == "wrong"
    assert reason in left_out["reason"]


def test_without_any_evaluation_there_is_no_board(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(tmp_path) == 2
    assert "there is no usable evaluation" in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_what_was_not_measured_is_said_to_be_unknown(tmp_path: Path) -> None:
    put(tmp_path, evaluation("bare", training_seconds=None, model_bytes=None))
    assert compare(tmp_path) == 0
    (line,) = [line for line in page(tmp_path, "md").splitlines() if line.startswith("| 1 |")]
    assert line.count("unknown") == 2


class Page(HTMLParser):
    """What a reader, sighted or not, gets of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_stands_by_itself_and_can_be_read_without_seeing_it(tmp_path: Path) -> None:
    put(tmp_path, evaluation("best", 0.72), evaluation('<b>"odd" & | $x$', 0.69))
    assert compare(tmp_path) == 0
    text = page(tmp_path, "html")
    found = Page(text)
    assert found.open == []
    assert found.of("html")[0]["lang"] == "en"
    assert len(found.of("h1")) == len(found.of("title")) == len(found.of("caption")) == 1
    assert {attributes["scope"] for attributes in found.of("th")} == {"col", "row"}
    (image,) = found.of("img")
    assert "best 72.0%, trained in 6 min 31 s, 9.3 ms a review, 85 MB" in str(image["alt"])
    assert str(image["src"]).startswith("data:image/png;base64,")
    assert "http" not in text.replace(str(image["src"]), ""), "the page would ask for something elsewhere"
    assert not found.of("b"), "a model's name became markup"
    assert not found.of("script") and not found.of("link")
    (odd,) = [line for line in page(tmp_path, "md").splitlines() if line.startswith("| 2 |")]
    assert "\\|" in odd


def test_the_picture_has_room_for_every_model(tmp_path: Path) -> None:
    heights = []
    for count in (1, 12):
        folder = tmp_path / str(count)
        put(folder, *(evaluation(f"model-{number}", 0.6 + number / 100) for number in range(count)))
        assert compare(folder) == 0
        picture = Image.open(io.BytesIO((folder / "out/board/leader_board.png").read_bytes()))
        assert picture.width > 1000
        heights.append(picture.height)
    assert heights[1] > 3 * heights[0]


def test_made_up_reviews_are_marked_everywhere(tmp_path: Path) -> None:
    put(tmp_path, evaluation("best", synthetic=True))
    assert compare(tmp_path) == 0
    assert board(tmp_path)["synthetic"] is True
    assert page(tmp_path, "md").startswith("# SYNTHETIC: ")
    assert "SYNTHETIC REVIEWS" in page(tmp_path, "html")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "unknown"),
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (391.2, "6 min 31 s"),
        (3599.7, "1 h"),
        (3900, "1 h 5 min"),
    ],
)
def test_durations_read_well(seconds: float | None, words: str) -> None:
    assert load("leader_board", "wording").duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (None, "unknown"),
        (1200, "1.2 kB"),
        (999_400, "999 kB"),
        (999_600, "1.0 MB"),
        (84.9e6, "85 MB"),
        (2.5e12, "2500 GB"),
    ],
)
def test_sizes_read_well(count: float | None, words: str) -> None:
    assert load("leader_board", "wording").size(count) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "unknown"), (0.421, "0.42 ms"), (9.31, "9.3 ms"), (128.4, "128 ms"), (1234.0, "1,234 ms")],
)
def test_amounts_read_well(value: float | None, words: str) -> None:
    assert load("leader_board", "wording").amount(value, "ms") == words
