"""The charts job: five pictures, the numbers in them, and answers it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jobs_kit import files, run, write_csv
from PIL import Image

NAMES = ["average_sentiment", "categories", "sentiments", "split", "words"]


def answers(folder: Path, **other: list[list[Any]]) -> Path:
    """The five answers of Athena for ten reviews; ``other`` replaces an answer."""
    rows: dict[str, list[list[Any]]] = {
        "sentiments": [["sentiment", "reviews"], [-1, 2], [0, 1], [1, 7]],
        "categories": [["product_category", "reviews"], ["Dresses", 6], ["Knits", 4]],
        "average_sentiment": [["product_category", "average_sentiment"], ["Knits", 0.75], ["Dresses", -0.25]],
        "split": [
            ["product_category", "sentiment", "reviews", "percentage"],
            ["Dresses", -1, 2, 33.3],
            ["Dresses", 1, 4, 66.7],
            ["Knits", 0, 1, 25.0],
            ["Knits", 1, 3, 75.0],
        ],
        "words": [["words", "reviews"], [3, 4], [10, 5], [300, 1]],
        **other,
    }
    for query, (header, *data) in rows.items():
        write_csv(folder / query / "0a1b.csv", data, header)
        (folder / query / "0a1b.csv.metadata").write_bytes(b"\x08\x01")
    return folder


def test_five_charts_and_their_numbers_are_written(tmp_path: Path) -> None:
    assert run("charts", input=answers(tmp_path / "in"), output=tmp_path / "out") == 0
    assert files(tmp_path / "out") == sorted(["charts/report.json", *(f"charts/{name}.png" for name in NAMES)])
    report = json.loads((tmp_path / "out" / "charts" / "report.json").read_text())
    assert report["rows"] == 10
    assert report["by_sentiment"] == {"-1": 2, "0": 1, "1": 7}
    assert report["by_category"] == {"Dresses": 6, "Knits": 4}
    assert report["words"]["max"] == 300
    # Of ten reviews, four have 3 words, five have 10 and one has 300: the median is between the fifth and the sixth.
    deciles = {"0.1": 3, "0.2": 3, "0.3": 3, "0.4": 7.2, "0.5": 10, "0.6": 10, "0.7": 10, "0.8": 10, "0.9": 39}
    assert report["words"]["deciles"] == pytest.approx(deciles)
    assert report["synthetic"] is False


def test_every_chart_shows_something_and_made_up_reviews_are_marked_in_each(tmp_path: Path) -> None:
    for synthetic in ("false", "true"):
        assert run("charts", input=answers(tmp_path / "in"), output=tmp_path / synthetic, synthetic=synthetic) == 0
    for name in NAMES:
        plain, marked = (
            Image.open(tmp_path / kind / "charts" / f"{name}.png").convert("RGB") for kind in ("false", "true")
        )
        assert plain.width > 800 and len(plain.getcolors(1 << 24) or ()) > 20
        assert plain.tobytes() != marked.tobytes()
    assert json.loads((tmp_path / "true" / "charts" / "report.json").read_text())["synthetic"] is True


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"categories": [["product_category", "reviews"], ["Dresses", 6], ["Knits", 5]]}, "do not count the same"),
        ({"categories": [["product_category", "reviews"], ["Dresses", 6], ["Jeans", 4]]}, "the same categories"),
        ({"words": [["words", "n"], [3, 10]]}, "the query words lacks the columns reviews"),
        ({"sentiments": [["sentiment", "reviews"], ["good", 10]]}, "no number"),
        (
            {
                name: [["sentiment", "product_category", "words", "reviews", "percentage", "average_sentiment"]]
                for name in NAMES
            },
            "no reviews",
        ),
    ],
)
def test_answers_that_contradict_or_say_nothing_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: dict[str, Any], said: str
) -> None:
    assert run("charts", input=answers(tmp_path / "in", **other), output=tmp_path / "out") == 2
    assert said in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_a_missing_answer_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers(tmp_path / "in")
    (tmp_path / "in" / "split" / "0a1b.csv").unlink()
    assert run("charts", input=tmp_path / "in", output=tmp_path / "out") == 2
    assert "no answer of the query split" in capsys.readouterr().err


def test_the_same_answer_twice_is_fine_and_two_different_ones_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(tmp_path / "in")
    second = tmp_path / "in" / "words" / "2c3d.csv"
    second.write_bytes((tmp_path / "in" / "words" / "0a1b.csv").read_bytes())
    assert run("charts", input=tmp_path / "in", output=tmp_path / "out") == 0
    write_csv(second, [[3, 10]], ["words", "reviews"])
    assert run("charts", input=tmp_path / "in", output=tmp_path / "out") == 2
    assert "2 answers that differ" in capsys.readouterr().err
