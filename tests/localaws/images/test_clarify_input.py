"""What Clarify reads, and what it refuses: by a sentence that names the column, the value or the member."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from clarify_kit import HEADERS, ROWS, analyse, by_value, config, lines

from localaws.images.clarify.errors import AnalysisError

PLAIN = [{"outcome": outcome, "product": product, "shop": shop} for outcome, product, shop in ROWS]


def json_lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def parquet(**options: Any) -> bytes:
    content = io.BytesIO()
    pd.DataFrame(PLAIN).to_parquet(content, **options)
    return content.getvalue()


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "first").mkdir()
    return by_value(analyse(tmp_path / "first", config(), lines()))


@pytest.mark.parametrize(
    ("changes", "data"),
    [
        pytest.param({}, lines(header=False), id="CSV without a header line, named by headers"),
        pytest.param({"headers": None}, lines(), id="CSV with a header line"),
        pytest.param({"headers": None, "label": 0, "facet": [{"name_or_index": 1}]}, lines(), id="columns by place"),
        pytest.param({"facet": {"name_or_index": "product"}}, lines(), id="one facet without a list"),
        pytest.param({"label_values_or_threshold": ["1"]}, lines(), id="a value in another type than the column's"),
        pytest.param({}, "\ufeff" + lines(), id="CSV with a byte order mark"),
        pytest.param({}, {"a.csv": lines(ROWS[:7]), "b/c.csv": "", "d.csv": lines(ROWS[7:])}, id="several files"),
        pytest.param({"dataset_type": "application/jsonlines", "headers": None}, json_lines(PLAIN), id="JSON Lines"),
        pytest.param(
            {"dataset_type": "application/jsonlines", "headers": ["product", "shop", "outcome"]}
            | {"features": "in.values", "label": "out"},
            json_lines([{"in": {"values": [product, shop]}, "out": outcome} for outcome, product, shop in ROWS]),
            id="JSON Lines with JMESPaths, the label's name last",
        ),
        pytest.param({"dataset_type": "application/x-parquet", "headers": None}, parquet(), id="Parquet"),
    ],
)
def test_all_forms_of_a_data_set_give_the_same(
    tmp_path: Path, expected: dict[str, Any], changes: dict[str, Any], data: Any
) -> None:
    if isinstance(data, dict):
        data = {name: content for name, content in data.items() if content}
    assert by_value(analyse(tmp_path, config(**changes), data)) == expected


def test_a_category_called_none_is_a_category(tmp_path: Path) -> None:
    rows = [(outcome, product.replace("Jeans", "None"), shop) for outcome, product, shop in ROWS]
    assert list(by_value(analyse(tmp_path, config(), lines(rows)))) == ["Dresses", "Knits", "None"]


def changed(place: int, column: str, value: Any) -> str:
    """The data set with one value replaced; ``place`` counts rows from 1."""
    rows = [list(row) for row in ROWS]
    rows[place - 1][HEADERS.index(column)] = value
    return lines(rows)


METHODS = {"pre_training_bias": {"methods": "all"}}


@pytest.mark.parametrize(
    ("document", "data", "reason"),
    [
        ("{not json", lines(), r"analysis_config\.json is not JSON: .*line 1 column 2"),
        ('{"label_values_or_threshold": [NaN]}', lines(), r"is not JSON: NaN"),
        ("[1, 2]", lines(), "not a JSON object"),
        (config(methods=None), lines(), "methods is missing"),
        (config(methods={"report": {}}), lines(), "nothing to compute: give pre_training_bias"),
        (config(methods={**METHODS, "shap": {}}), lines(), "shap: not implemented by localaws"),
        (
            config(methods={**METHODS, "post_training_bias": {"methods": "all"}}, predictor={"model_name": "m"}),
            lines(),
            "post_training_bias: not implemented by localaws",
        ),
        (config(methods={**METHODS, "pdp": {}}), lines(), "pdp: not implemented"),
        (config(predictor={"model_name": "m"}), lines(), "predictor in analysis_config.json: not implemented"),
        (config(dataset_uri="s3://bucket/key"), lines(), "dataset_uri in analysis_config.json: not implemented"),
        (config(dataset_type="application/x-image"), lines(), "'application/x-image' is not implemented"),
        (config(version="2.0"), lines(), "version '2.0'"),
        (config(methods={"pre_training_bias": {"methods": ["CI", "DI"]}}), lines(), "has 'DI': there are CDDL, CI"),
        (config(methods={"pre_training_bias": {"methods": ["CDDL"]}}), lines(), "CDDL needs a group_variable"),
        (config(label=None), lines(), "label is missing"),
        (config(label_values_or_threshold=[]), lines(), "label_values_or_threshold is missing"),
        (config(facet=[]), lines(), "facet is missing"),
        (config(facet=["product"]), lines(), "facet has 'product'"),
        (config(headers=["a", "b"]), lines(), "has 3 columns, and headers names 2"),
        (config(headers=["a", "a", "b"]), lines(), "headers has the column 'a' more than once"),
        (config(label="stars"), lines(), "the label column 'stars' is not in the data set, which has outcome, product"),
        (config(label=7), lines(), "the label column 7 is not in the data set"),
        (config(facet=[{"name_or_index": "size"}]), lines(), "the facet column 'size' is not in the data set"),
        (config(group_variable="size"), lines(), "the group_variable column 'size' is not in the data set"),
        (
            config(label_values_or_threshold=[5]),
            lines(),
            "the value 5 of the label column 'outcome' never occurs: it has 1, 0, -1",
        ),
        (
            config(facet=[{"name_or_index": "product", "value_or_threshold": ["Socks"]}]),
            lines(),
            "the value 'Socks' of the facet column 'product' never occurs: it has Dresses, Knits, Jeans",
        ),
        (
            config(facet=[{"name_or_index": "product", "value_or_threshold": ["Dresses", "Knits", "Jeans"]}]),
            lines(),
            "are all that there are",
        ),
        (config(), lines(ROWS[:5]), "'product' has one value only, 'Dresses'"),
        (config(), lines([row for row in ROWS if row[0] == 1]), "all 11 rows have the positive outcome 1"),
        (
            config(),
            changed(4, "outcome", ""),
            r"label column 'outcome' has no value \(NaN\) in 1 of 20 rows, first in row 4",
        ),
        (config(), changed(9, "outcome", "NaN"), r"label column 'outcome' has no value \(NaN\) .* row 9"),
        (config(), changed(2, "product", ""), r"facet column 'product' has no value \(NaN\) .* row 2"),
        (config(), changed(2, "outcome", "inf"), r"label column 'outcome' has no value \(NaN\) .* row 2"),
        (config(group_variable="shop"), changed(3, "shop", ""), r"'shop' has no value \(NaN\) .* row 3"),
        (config(), "", "data.csv is not text/csv|data set has no row"),
        (config(), lines([]), "the data set has no row"),
        (config(headers=None), b"outcome,product,shop\n\xff\xfe,1,2\n", "data.csv is not text/csv: .*utf-8"),
        (config(headers=None), 'outcome,product,shop\n1,"Dresses,x\n', "data.csv is not text/csv"),
        (config(headers=None), "a,a,b\n1,2,3\n", "has the column 'a' more than once"),
        (config(dataset_type="application/x-parquet", headers=None), lines(), "data.csv is not application/x-parquet"),
        (
            config(dataset_type="application/jsonlines", headers=None),
            json_lines(PLAIN[:2]) + "{oops\n",
            "data.csv, line 3, is not JSON",
        ),
        (config(dataset_type="application/jsonlines", headers=None), "[1, 2]\n", "line 1, is not a JSON object"),
        (
            config(dataset_type="application/jsonlines", features="in.values", label="out"),
            json_lines([{"in": {"values": [1]}, "out": 1}]),
            "has 1 features and a label, and headers names 3",
        ),
        (config(features="x"), lines(), "features is a JMESPath, for application/jsonlines only"),
        (
            config(dataset_type="application/jsonlines", headers=None),
            json_lines([{**row, "product": ["a"]} for row in PLAIN]),
            r"the facet column 'product' holds \['a'\], which is neither text nor a number",
        ),
        (
            config(headers=None),
            {"a.csv": lines(), "b.csv": "outcome,product\n1,x\n"},
            "b.csv has other columns than a.csv",
        ),
        (
            config(facet=[{"name_or_index": "shop"}]),
            lines([(outcome, product, number / 3) for number, (outcome, product, _) in enumerate(ROWS)]),
            "'shop' is continuous: give its threshold",
        ),
        (
            config(label_values_or_threshold=[99.5]),
            lines([(number / 3, product, shop) for number, (_, product, shop) in enumerate(ROWS)]),
            "no row of the label column 'outcome' is above the threshold 99.5",
        ),
        (
            config(methods={**METHODS, "report": {"name": "../report"}}),
            lines(),
            "report.name is not the name of a file",
        ),
    ],
)
def test_what_cannot_be_analysed_is_refused_with_the_reason(
    tmp_path: Path, document: Any, data: Any, reason: str
) -> None:
    with pytest.raises(AnalysisError, match=reason):
        analyse(tmp_path, document, data)
    assert not (tmp_path / "output").exists()


def test_a_missing_configuration_or_data_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="the input dataset has no file"):
        analyse(tmp_path, config(), {})
    (tmp_path / "config" / "analysis_config.json").rename(tmp_path / "config" / "settings.json")
    from localaws.images.clarify.container import run

    with pytest.raises(AnalysisError, match=r"there is no analysis_config\.json .*; there is settings\.json"):
        run(tmp_path / "config", tmp_path / "data", tmp_path / "output")
