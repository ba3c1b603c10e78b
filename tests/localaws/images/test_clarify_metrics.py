"""Pre-training bias: the metrics against their definitions, worked out by hand, and against smclarify itself."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from clarify_kit import HEADERS, METRICS, ROWS, analyse, by_value, config, lines
from smclarify.bias.report import FacetColumn, LabelColumn, StageType, bias_report


def by_definition(rows: list[tuple[int, str, str]], value: str) -> dict[str, float]:
    """The metrics of one product against the rest, as the notes define them; outcome 1 is positive."""
    group = [outcome == 1 for outcome, product, _ in rows if product == value]
    rest = [outcome == 1 for outcome, product, _ in rows if product != value]
    p, q = sum(rest) / len(rest), sum(group) / len(group)
    pairs = [(p, q), (1 - p, 1 - q)]

    def divergence(pairs: list[tuple[float, float]]) -> float:
        return sum(a * math.log(a / b) for a, b in pairs)

    middle = [(a + b) / 2 for a, b in pairs]
    return {
        "CI": (len(rest) - len(group)) / len(rows),
        "DPL": p - q,
        "KL": divergence(pairs),
        "JS": (
            divergence([(a, m) for (a, _), m in zip(pairs, middle, strict=True)])
            + divergence([(b, m) for (_, b), m in zip(pairs, middle, strict=True)])
        )
        / 2,
        "LP": math.sqrt(2) * abs(p - q),
        "TVD": abs(p - q),
        "KS": abs(p - q),
    }


def test_each_metric_is_what_its_definition_gives(tmp_path: Path) -> None:
    found = by_value(analyse(tmp_path, config(), lines()))
    assert list(found) == ["Dresses", "Knits", "Jeans"]
    for value, metrics in found.items():
        assert metrics == pytest.approx(by_definition(ROWS, value)), value
    # And once in plain figures: 5 dresses of 20 rows; 2 of 5 against 9 of 15 positive.
    assert found["Dresses"]["CI"] == pytest.approx(10 / 20)
    assert found["Dresses"]["DPL"] == pytest.approx(9 / 15 - 2 / 5)
    assert found["Dresses"]["KL"] == pytest.approx(0.6 * math.log(0.6 / 0.4) + 0.4 * math.log(0.4 / 0.6))


def test_cddl_is_the_disparity_of_each_group_averaged_by_its_size(tmp_path: Path) -> None:
    methods = {"pre_training_bias": {"methods": ["CDDL"]}}
    found = by_value(analyse(tmp_path, config(methods=methods, group_variable="shop"), lines()))
    expected = 0.0
    for shop in ("x", "y"):
        here = [(outcome == 1, product == "Dresses") for outcome, product, place in ROWS if place == shop]
        accepted = [dress for good, dress in here if good]
        rejected = [dress for good, dress in here if not good]
        expected += len(here) / len(ROWS) * (sum(rejected) / len(rejected) - sum(accepted) / len(accepted))
    assert found["Dresses"] == {"CDDL": pytest.approx(expected)}
    assert expected == pytest.approx((9 * (1 / 2 - 1 / 7) + 11 * (2 / 7 - 1 / 4)) / 20, abs=1e-9)


def test_metrics_are_smclarify_s_to_the_last_digit(tmp_path: Path) -> None:
    # So many rows that smclarify by itself takes the outcomes for categories.
    rows = ROWS * 4
    table = pd.DataFrame(rows, columns=HEADERS).astype({"product": object, "shop": object})
    direct = bias_report(
        table,
        FacetColumn("product"),
        LabelColumn("outcome", table["outcome"], [1]),
        StageType.PRE_TRAINING,
        metrics=["all"],
        group_variable=table["shop"],
    )
    methods = {"pre_training_bias": {"methods": "all"}}
    analysis = analyse(tmp_path, config(methods=methods, group_variable="shop"), lines(rows))
    assert analysis["pre_training_bias_metrics"] == {
        "label": "outcome",
        "label_value_or_threshold": "1",
        "facets": {"product": direct},
    }
    assert analysis["version"] == "1.0"
    assert [metric["name"] for metric in direct[0]["metrics"]] == sorted([*METRICS, "CDDL"])
    assert set(direct[0]["metrics"][0]) == {"name", "description", "value"}


def test_all_metrics_without_a_group_variable_say_why_cddl_has_no_value(tmp_path: Path) -> None:
    analysis = analyse(tmp_path, config(methods={"pre_training_bias": {"methods": "all"}}), lines())
    for entry in analysis["pre_training_bias_metrics"]["facets"]["product"]:
        without = [metric for metric in entry["metrics"] if metric["value"] is None]
        assert [(metric["name"], metric["error"]) for metric in without] == [
            ("CDDL", "Group variable is empty or not provided")
        ]


def test_named_facet_values_form_one_group(tmp_path: Path) -> None:
    facet = [{"name_or_index": "product", "value_or_threshold": ["Dresses", "Jeans"]}]
    found = by_value(analyse(tmp_path, config(facet=facet), lines()))
    merged = [(outcome, "Knits" if product == "Knits" else "Other", shop) for outcome, product, shop in ROWS]
    assert found == {"Dresses,Jeans": pytest.approx(by_definition(merged, "Other"))}


def test_several_facets_are_each_analysed(tmp_path: Path) -> None:
    facets = [{"name_or_index": "product", "value_or_threshold": ["Knits"]}, {"name_or_index": 2}]
    analysis = analyse(tmp_path, config(facet=facets), lines())
    assert list(by_value(analysis)) == ["Knits"]
    assert list(by_value(analysis, "shop")) == ["x", "y"]


def test_several_positive_values_are_one_outcome(tmp_path: Path) -> None:
    analysis = analyse(tmp_path, config(label_values_or_threshold=[0, "1"]), lines())
    assert analysis["pre_training_bias_metrics"]["label_value_or_threshold"] == "0,1"
    merged = [(int(outcome >= 0), product, shop) for outcome, product, shop in ROWS]
    assert by_value(analysis)["Knits"] == pytest.approx(by_definition(merged, "Knits"))


def test_a_threshold_splits_a_continuous_label_and_facet(tmp_path: Path) -> None:
    rows = [(number / 20, "abc"[number % 3], 20 + number) for number in range(40)]
    facet = [{"name_or_index": "shop", "value_or_threshold": [40]}]
    analysis = analyse(tmp_path, config(label_values_or_threshold=[0.5], facet=facet), lines(rows))
    assert analysis["pre_training_bias_metrics"]["label_value_or_threshold"] == "(0.5, 1.95]"
    # Above 0.5 are rows 11 to 39, above 40 rows 21 to 39, which are all positive; of the others 10 of 21 are.
    found = by_value(analysis, "shop")["(40.0, 59.0]"]
    assert found["CI"] == pytest.approx((21 - 19) / 40)
    assert found["DPL"] == pytest.approx(10 / 21 - 1)


@pytest.mark.parametrize("copies", [1, 30])
def test_a_balanced_set_has_ci_of_eight_ninths_and_no_other_bias(tmp_path: Path, copies: int) -> None:
    """18 categories of equal size and split: (17 - 1) / 18 = 8/9; in a small set just as in a large one."""
    categories = [f"category {number}" for number in range(18)]
    rows = [(outcome, category, "x") for category in categories for outcome in (-1, 0, 1)] * copies
    found = by_value(analyse(tmp_path, config(), lines(rows)))
    assert len(found) == 18
    for metrics in found.values():
        assert metrics["CI"] == pytest.approx(8 / 9)
        assert {name: value for name, value in metrics.items() if name != "CI"} == pytest.approx(
            dict.fromkeys(["DPL", "JS", "KL", "KS", "LP", "TVD"], 0.0), abs=1e-12
        )


@pytest.fixture(scope="module")
def reviews(reviews_file: Path) -> list[tuple[int, str, str]]:
    """The real reviews as the transform job leaves them: sentiment, category and nothing else."""
    with zipfile.ZipFile(reviews_file) as archive:
        member = next(name for name in archive.namelist() if name.endswith(".csv") and "MACOSX" not in name)
        table = list(csv.DictReader(io.TextIOWrapper(archive.open(member), encoding="utf-8", newline="")))
    usable = [row for row in table if row["Review Text"].strip() and row["Class Name"].strip()]
    sizes = Counter(row["Class Name"] for row in usable)
    sentiment = {"1": -1, "2": -1, "3": 0, "4": 1, "5": 1}
    return [(sentiment[row["Rating"]], row["Class Name"], "x") for row in usable if sizes[row["Class Name"]] > 10]


@pytest.mark.real_data
def test_the_real_reviews_give_what_smclarify_gives(tmp_path: Path, reviews: list[tuple[int, str, str]]) -> None:
    assert Counter(outcome for outcome, _, _ in reviews) == {-1: 2370, 0: 2823, 1: 17433}
    analysis = analyse(tmp_path, config(), lines(reviews))
    table = pd.DataFrame(reviews, columns=HEADERS).astype({"product": object})
    direct: list[dict[str, Any]] = bias_report(
        table,
        FacetColumn("product"),
        LabelColumn("outcome", table["outcome"], [1]),
        StageType.PRE_TRAINING,
        metrics=METRICS,
    )
    assert analysis["pre_training_bias_metrics"]["facets"]["product"] == json.loads(json.dumps(direct))
    found = by_value(analysis)
    assert len(found) == 18
    # 6,145 of 22,626 are dresses.
    assert found["Dresses"]["CI"] == pytest.approx((22626 - 2 * 6145) / 22626)
    for value in itertools.islice(found, 3):
        assert found[value] == pytest.approx(by_definition(reviews, value))
