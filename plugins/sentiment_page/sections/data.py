"""The reviews: how many, where from, and how many of each sentiment and category."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from include import paths
from sentiment_page.aws import Aws, NothingYet
from sentiment_page.charts import Bars, bars

#: the classes as reports name them, and how people and the style sheet do.
CLASSES = {"-1": "negative", "0": "neutral", "1": "positive"}


def read(aws: Aws) -> dict[str, Any]:
    """Return what the transform job of the last ingest counted, and where the reviews came from."""
    report = aws.json(f"{paths.TRANSFORM_REPORT}report.json")
    if report is None:
        raise NothingYet("There are no reviews yet: run ingest_reviews.")
    origin = aws.json(paths.ORIGIN) or {}
    rows = report["rows"]
    sentiments = [(CLASSES[name], count, count / rows) for name, count in report["by_sentiment"].items()]
    categories = list(report["by_category"].items())
    return {
        "rows": rows,
        "rows_in": report["rows_in"],
        "dropped": report["dropped"],
        "source": _shown(origin.get("source", "")),
        "synthetic": report["synthetic"],
        "sentiments": sentiments,
        "categories": categories,
        "balance": bars(
            "Reviews by sentiment",
            "; ".join(f"{name} {count:,} ({share:.1%})" for name, count, share in sentiments),
            [Bars(name, f"{count:,} · {share:.1%}", [(name, count)]) for name, count, share in sentiments],
        ),
        "by_category": bars(
            "Reviews by product category",
            "; ".join(f"{name} {count:,}" for name, count in categories),
            [Bars(name, f"{count:,}", [("plain", count)]) for name, count in categories],
        ),
    }


def _shown(source: str) -> str:
    """Return where the reviews came from: a file by its name alone, an address without what signs it."""
    if "://" not in source:
        return source.replace("\\", "/").rpartition("/")[2]
    parts = urlsplit(source)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
