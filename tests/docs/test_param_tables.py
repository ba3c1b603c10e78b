"""The tables of params on the pages of workflows are those of the DAGs."""

from __future__ import annotations

import re
import runpy

import pytest
from documents_kit import ROOT, text_of

_ROW = re.compile(r"^\| (`[^|]+) \|", re.MULTILINE)


@pytest.mark.parametrize(
    ("page", "dag"), [("ab_test.md", "ab_test"), ("human_review.md", "human_review"), ("tuning.md", "tune_sentiment")]
)
def test_a_page_names_params_that_the_dag_has(page: str, dag: str, airflow_home: None) -> None:
    text = text_of(ROOT / "docs" / page)
    table = text[text.index("| param |") :].partition("\n\n")[0]
    named = {name for row in _ROW.findall(table) for name in re.findall(r"`(\w+)`", row)}
    # A name that begins with _ continues the one before it: learning_rate_min, _max.
    whole = {name for name in named if not name.startswith("_")}
    assert len(whole) >= 5
    assert whole <= set(runpy.run_path(str(ROOT / "dags" / f"{dag}.py"))["dag"].params)
