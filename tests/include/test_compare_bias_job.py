"""The comparison of two analyses: the table, the chart, and whether the second set is balanced."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from jobs_kit import files, load, run

BEFORE = {"Dresses": (0.2, 0.1), "Knits": (0.9, -0.05), "Jeans": (0.5, 0.0), "Trend": (0.99, 0.3)}
BALANCED = {"Dresses": (1 / 3, 0.0), "Knits": (1 / 3, 1e-16), "Jeans": (1 / 3, 0.0)}


def analysis(values: dict[str, tuple[Any, Any]], facet: str = "product_category") -> str:
    """An analysis.json of CI and DPL by category."""
    entries = [
        {
            "value_or_threshold": value,
            "metrics": [
                {"name": "CI", "description": "Class Imbalance (CI)", "value": ci},
                {"name": "DPL", "description": "Difference in Positive Proportions in Labels (DPL)", "value": dpl},
            ],
        }
        for value, (ci, dpl) in values.items()
    ]
    return json.dumps({"version": "1.0", "pre_training_bias_metrics": {"label": "x", "facets": {facet: entries}}})


def compare(folder: Path, before: Any, after: Any, **arguments: Any) -> int:
    for name, content in (("before", before), ("after", after)):
        (folder / "in" / name).mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else analysis(content)
        (folder / "in" / name / "analysis.json").write_text(text)
    return run("compare_bias", input=folder / "in", output=folder / "out", reason=folder / "a/b/message", **arguments)


def report(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "out" / "report" / "comparison.json").read_text()))


def test_categories_stand_side_by_side_the_commonest_first(tmp_path: Path) -> None:
    assert compare(tmp_path, BEFORE, BALANCED) == 0
    said = report(tmp_path)
    assert [row["category"] for row in said["categories"]] == ["Dresses", "Jeans", "Knits"]
    assert said["categories"][0] == {
        "category": "Dresses",
        "ci_before": 0.2,
        "ci_after": pytest.approx(1 / 3),
        "dpl_before": 0.1,
        "dpl_after": 0.0,
    }
    assert said["left_out"] == ["Trend"]
    assert (said["expected_ci"], said["balanced"]) == (pytest.approx(1 / 3), True)


def test_table_and_chart_say_the_same(tmp_path: Path) -> None:
    assert compare(tmp_path, BEFORE, BALANCED) == 0
    folder = tmp_path / "out" / "report"
    assert files(folder) == ["comparison.csv", "comparison.json", "comparison.md", "comparison.png"]
    with open(folder / "comparison.csv", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["category"] for row in rows] == ["Dresses", "Jeans", "Knits"]
    assert float(rows[2]["dpl_before"]) == -0.05
    text = (folder / "comparison.md").read_text()
    assert "| Dresses | 0.2000 | 0.3333 | 0.1000 | 0.0000 |" in text
    assert "**balanced**" in text
    assert "Left out for want of some sentiment: Trend." in text
    assert "SYNTHETIC" not in text
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("after", "equal_ci", "zero_dpl"),
    [
        ({**BALANCED, "Knits": (0.4, 0.0)}, False, True),
        ({**BALANCED, "Knits": (1 / 3, 0.01)}, True, False),
        ({"Dresses": (0.4, 0.0), "Knits": (0.4, 0.0)}, False, True),
        ({"Dresses": (0.0, 0.0), "Knits": (0.0, 0.0)}, True, True),
    ],
)
def test_balanced_is_equal_ci_and_no_dpl(
    tmp_path: Path, after: dict[str, tuple[float, float]], equal_ci: bool, zero_dpl: bool
) -> None:
    assert compare(tmp_path, BEFORE, after) == 0
    said = report(tmp_path)
    assert (said["equal_ci"], said["zero_dpl"], said["balanced"]) == (equal_ci, zero_dpl, equal_ci and zero_dpl)
    assert ("**NOT balanced**" in (tmp_path / "out/report/comparison.md").read_text()) == (not said["balanced"])


def test_made_up_reviews_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compare(tmp_path, BEFORE, BALANCED, synthetic="true") == 0
    assert report(tmp_path)["synthetic"] is True
    assert (tmp_path / "out/report/comparison.md").read_text().startswith("# SYNTHETIC: Bias")


def test_chart_shows_odd_names_and_a_single_category(tmp_path: Path) -> None:
    drawing = load("compare_bias", "drawing")
    row = {"category": "$x_1$ <b>", "ci_before": 0.1, "ci_after": -1.0, "dpl_before": 0.0, "dpl_after": 0.0}
    report = {"categories": [row], "expected_ci": -1.0, "synthetic": True}
    assert drawing.draw(report).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("{", BALANCED, "is not an analysis of the facet 'product_category'"),
        ("{}", BALANCED, "is not an analysis of the facet 'product_category'"),
        (analysis(BEFORE, "size"), BALANCED, "is not an analysis of the facet 'product_category'"),
        (BEFORE, {**BALANCED, "Knits": (None, 0.0)}, "has no CI for 'Knits'"),
        (BEFORE, {**BALANCED, "Socks": (0.1, 0.0)}, "categories that the other lacks: Socks"),
        (BEFORE, {}, "categories that the other lacks: none at all"),
    ],
)
def test_what_is_no_pair_of_analyses_is_refused(
    tmp_path: Path, before: Any, after: Any, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(tmp_path, before, after) == 2
    assert reason in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_a_missing_analysis_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compare_bias", input=tmp_path, output=tmp_path / "out") == 2
    assert "there is no analysis.json" in capsys.readouterr().err
