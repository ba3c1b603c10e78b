"""The report as a notebook: static, but for one cell that reads ``analysis.json`` beside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import nbformat
from nbformat import v4

from localaws.images.clarify.content import Block, Chart, Heading, Paragraph, Table

_CODE = """\
# The numbers above, for further work: one row a facet value, one column a metric.
import json
from pathlib import Path

import pandas as pd

analysis = json.loads(Path("analysis.json").read_text())
facets = analysis["pre_training_bias_metrics"]["facets"]
metrics = pd.DataFrame(
    {
        (facet, entry["value_or_threshold"]): {metric["name"]: metric["value"] for metric in entry["metrics"]}
        for facet, entries in facets.items()
        for entry in entries
    }
).T
metrics
"""


def render(blocks: Sequence[Block], title: str) -> str:
    """Return the notebook's JSON, in format 4.5."""
    cells = [_cell(block, f"block-{place}") for place, block in enumerate(blocks)]
    cells.append(v4.new_code_cell(_CODE, id="analysis"))  # type: ignore[no-untyped-call]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=cells, metadata={"title": title, "kernelspec": kernel, "language_info": {"name": "python"}}
    )
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook))  # type: ignore[no-untyped-call]


def _cell(block: Block, identity: str) -> Any:
    if isinstance(block, Chart):
        file = f"{block.name}.png"
        data = {"image/png": base64.b64encode(block.png).decode()}
        text = f"![{_escaped(block.text)}](attachment:{file})"
        return v4.new_markdown_cell(text, id=identity, attachments={file: data})  # type: ignore[no-untyped-call]
    return v4.new_markdown_cell(_markdown(block), id=identity)  # type: ignore[no-untyped-call]


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {_escaped(block.text)}"
    if isinstance(block, Paragraph):
        return _escaped(block.text)
    if isinstance(block, Table):
        rules = ["---:" if place in block.numeric else ":---" for place in range(len(block.columns))]
        lines = [block.columns, rules, *([_escaped(text) for text in row] for row in block.rows)]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    raise TypeError(type(block).__name__)


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    for character in r"\`*_[]<>|$#":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
