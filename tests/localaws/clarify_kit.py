"""What the tests of Clarify share: a small data set, its configuration, and running the container on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from localaws.images.clarify.container import run

METRICS = ["CI", "DPL", "JS", "KL", "KS", "LP", "TVD"]

#: outcome, product, shop. Dresses: 2 of 5 good; the rest, knits and jeans: 9 of 15 good.
ROWS = [
    *[(1, "Dresses", "x")] * 1,
    *[(1, "Dresses", "y")] * 1,
    *[(0, "Dresses", "x")] * 1,
    *[(-1, "Dresses", "y")] * 2,
    *[(1, "Knits", "x")] * 4,
    *[(1, "Knits", "y")] * 3,
    *[(0, "Knits", "x")] * 1,
    *[(-1, "Knits", "y")] * 2,
    *[(1, "Jeans", "x")] * 2,
    *[(0, "Jeans", "y")] * 3,
]
HEADERS = ["outcome", "product", "shop"]


def config(**changes: Any) -> dict[str, Any]:
    """An ``analysis_config.json``; a change to ``None`` leaves the member out."""
    document = {
        "version": "1.0",
        "dataset_type": "text/csv",
        "headers": HEADERS,
        "label": "outcome",
        "label_values_or_threshold": [1],
        "facet": [{"name_or_index": "product"}],
        "methods": {"pre_training_bias": {"methods": METRICS}},
        **changes,
    }
    return {key: value for key, value in document.items() if value is not None}


def lines(rows: Any = ROWS, *, header: bool = True) -> str:
    """The data set as CSV."""
    table = [HEADERS, *rows] if header else rows
    return "".join(",".join(map(str, row)) + "\n" for row in table)


def analyse(folder: Path, document: Any, data: str | bytes | dict[str, str], name: str = "data.csv") -> dict[str, Any]:
    """Run the container's work on one file, or on several by name; ``analysis.json``."""
    for part in ("config", "data"):
        (folder / part).mkdir(exist_ok=True)
    text = document if isinstance(document, str) else json.dumps(document)
    (folder / "config" / "analysis_config.json").write_text(text)
    for file, content in (data if isinstance(data, dict) else {name: data}).items():
        (folder / "data" / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    run(folder / "config", folder / "data", folder / "output")
    return json.loads((folder / "output" / "analysis.json").read_text())


def by_value(analysis: dict[str, Any], facet: str = "product") -> dict[str, dict[str, Any]]:
    """Facet value -> metric -> its value."""
    entries = analysis["pre_training_bias_metrics"]["facets"][facet]
    return {
        entry["value_or_threshold"]: {metric["name"]: metric["value"] for metric in entry["metrics"]}
        for entry in entries
    }
