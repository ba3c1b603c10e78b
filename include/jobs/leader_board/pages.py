"""The leader board for people: in Markdown, and as a page by itself."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from wording import amount, duration, size

_HEADINGS = ("model", "accuracy (95 %)", "macro F1", "training", "latency p50", "size")


def sentences(board: dict[str, Any]) -> list[str]:
    """Say in words what the board says."""
    best, reviews = board["models"][0], board["test_split"]["reviews"]
    said = [
        f"{best['model']} leads with an accuracy of {best['accuracy']:.1%} on {reviews:,} reviews that no model has "
        "learnt from."
    ]
    if board["undecided"]:
        said.append(
            f"Within its margin of chance on these reviews: {', '.join(board['undecided'])}. The order among these "
            "may change with other reviews."
        )
    return said


def as_markdown(board: dict[str, Any]) -> str:
    """Return the table in Markdown, for a log or a repository."""
    lines = [f"# {_mark(board)}Leader board of the sentiment models", "", *sentences(board), ""]
    lines += [f"| # | {' | '.join(_HEADINGS)} |", "|---:|:---|---:|---:|---:|---:|---:|"]
    for row in board["models"]:
        low, high = row["accuracy_95"]
        cells = (
            _cell(row["model"]) + (f" ({_cell(row['kind'])})" if row["kind"] else ""),
            f"{row['accuracy']:.4f} ({low:.3f} to {high:.3f})",
            f"{row['macro_f1']:.4f}",
            duration(row["training_seconds"]),
            amount(row["latency_ms"]["p50"], "ms"),
            size(row["model_bytes"]),
        )
        lines.append(f"| {row['rank']} | {' | '.join(cells)} |")
    if board["left_out"]:
        lines += ["", "## Not compared", ""]
        lines += [f"* {_cell(one['model'])}: {_cell(one['reason'])}" for one in board["left_out"]]
    lines += ["", f"Test split: {board['test_split']['reviews']:,} reviews, `{board['test_split']['sha256'][:16]}`."]
    return "\n".join(lines) + "\n"


def as_html(board: dict[str, Any], picture: bytes) -> str:
    """Return a page that stands alone, with the chart in it."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {"amount": amount, "duration": duration, "size": size}
    return templates.get_template("leader_board.html").render(
        board=board,
        title="Leader board of the sentiment models",
        mark=_mark(board),
        sentences=sentences(board),
        headings=_HEADINGS,
        image=base64.b64encode(picture).decode(),
        alternative=_alternative(board),
    )


def _alternative(board: dict[str, Any]) -> str:
    rows = (
        f"{row['model']} {row['accuracy']:.1%}, trained in {duration(row['training_seconds'])}, "
        f"{amount(row['latency_ms']['p50'], 'ms')} a review, {size(row['model_bytes'])}"
        for row in board["models"]
    )
    return "Accuracy, training time, latency and size of each model: " + "; ".join(rows)


def _mark(board: dict[str, Any]) -> str:
    return "SYNTHETIC: " if board["synthetic"] else ""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
