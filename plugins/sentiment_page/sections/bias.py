"""Bias before and after balancing, from both of SageMaker Clarify's analyses."""

from __future__ import annotations

from typing import Any

from include import paths
from sentiment_page.aws import Aws, NothingYet
from sentiment_page.charts import Axis, Dots, dots

FACET = "product_category"
#: Clarify's metrics that are drawn, and what they are called.
DRAWN = {"CI": "Class imbalance (CI)", "DPL": "Difference in positive proportions (DPL)"}
TICKS = [(-1.0, "-1"), (-0.5, "-0.5"), (0.0, "0"), (0.5, "0.5"), (1.0, "1")]

#: category -> metric -> value.
Analysis = dict[str, dict[str, float | None]]


def read(aws: Aws) -> dict[str, Any]:
    """Return CI and DPL of each category before and, where balancing has run, after it."""
    before, after = (_analysis(aws.json(f"{paths.BIAS}/{name}/analysis.json")) for name in ("before", "after"))
    if not before:
        raise NothingYet("There is no bias report yet: run detect_bias.")
    categories = sorted(before, key=lambda name: _number(before[name].get("CI")))
    return {
        "rows": [
            {"category": name, **{metric: (before[name].get(metric), _of(after, name, metric)) for metric in DRAWN}}
            for name in categories
        ],
        "balanced": bool(after),
        "left_out": sorted(set(before) - set(after)) if after else [],
        "charts": [_chart(metric, categories, before, after) for metric in DRAWN],
    }


def _analysis(document: Any) -> Analysis:
    if document is None:
        return {}
    entries = document["pre_training_bias_metrics"]["facets"][FACET]
    return {
        str(entry["value_or_threshold"]): {metric["name"]: metric["value"] for metric in entry["metrics"]}
        for entry in entries
    }


def _of(analysis: Analysis, category: str, metric: str) -> float | None:
    return analysis.get(category, {}).get(metric)


def _number(value: float | None) -> float:
    return 0.0 if value is None else value


def _chart(metric: str, categories: list[str], before: Analysis, after: Analysis) -> Any:
    rows = [_row(name, _of(before, name, metric), _of(after, name, metric)) for name in categories]
    return dots(
        DRAWN[metric],
        "Before balancing and after it: " + "; ".join(f"{row.label} {row.text}" for row in rows),
        rows,
        Axis(-1, 1, TICKS, marked=0),
    )


def _row(name: str, first: float | None, last: float | None) -> Dots:
    marks = [("before", first), ("after", last)]
    text = " → ".join(f"{value + 0.0:+.3f}" for _, value in marks if value is not None)
    span = ("change", first, last) if first is not None and last is not None else None
    return Dots(name, text, [(css, value) for css, value in marks if value is not None], span)
