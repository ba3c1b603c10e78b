"""
Processing job: the evaluations of all models -> one leader board.

Reads ``INPUT/models/<model>/evaluation.json``, as the evaluate_endpoint job writes them. Models are compared that were
judged by one test split: that of the latest evaluation. What was judged by another one, or cannot be read, is listed
with the reason. Writes::

    OUTPUT/board/leader_board.json   {"models": [{"rank", "model", "kind", "accuracy", "accuracy_95": [low, high],
                                      "macro_f1", "training_seconds", "latency_ms": {"p50", "p95"}, "model_bytes",
                                      "evaluated_at"}], "left_out": [{"model", "reason"}],
                                      "test_split": {"sha256", "reviews"}, "undecided": [models], "synthetic"}
    OUTPUT/board/leader_board.md
    OUTPUT/board/leader_board.html   a page by itself: it asks for nothing else
    OUTPUT/board/leader_board.png

The interval of an accuracy is Wilson's, at 95 %. Models whose interval reaches into the leader's are ``undecided``: on
these reviews their places may be chance.

Exit status 2, and one sentence, when there is no evaluation to go by; nothing is written then.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from drawing import draw
from job import BadInput, processing_parser, run, write_files
from pages import as_html, as_markdown

_Z = 1.959964  # of the normal distribution, for 95 %


class Unusable(Exception):
    """An evaluation that cannot be compared; the message is the reason."""


def read_evaluation(path: Path) -> dict[str, Any]:
    """Read an evaluation as a row of the board, with its ``test_split``. :raises Unusable: it cannot be a row."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise Unusable(f"{path.name} is not JSON: {error}") from error
    try:
        metrics, split = found["metrics"], found["test_split"]
        row: dict[str, Any] = {
            "model": str(found["model"]),
            "kind": str(found.get("kind") or ""),
            "accuracy": _share(metrics["accuracy"]["value"]),
            "macro_f1": _share(metrics["macro_f1"]["value"]),
            "training_seconds": _amount(found.get("training_seconds")),
            "latency_ms": {name: _amount(found["latency_ms"][name]) for name in ("p50", "p95")},
            "model_bytes": _amount(found.get("model_bytes")),
            "evaluated_at": str(found["evaluated_at"]),
            "synthetic": bool(found["synthetic"]),
            "test_split": {"sha256": str(split["sha256"]), "reviews": int(split["reviews"])},
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unusable(f"{path.name} is not an evaluation of an endpoint: {error!r}") from error
    if row["test_split"]["reviews"] < 1:
        raise Unusable(f"{path.name} counts no reviews")
    return row


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{value} is not a share from 0 to 1")
    return float(value)


def _amount(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{value} is not a finite number, 0 or more")
    return value


def interval(accuracy: float, reviews: int) -> list[float]:
    """Return Wilson's interval of a share at 95 %."""
    square = _Z * _Z / reviews
    middle = accuracy + square / 2
    margin = _Z * math.sqrt(accuracy * (1 - accuracy) / reviews + square / (4 * reviews))
    return [max(0.0, (middle - margin) / (1 + square)), min(1.0, (middle + margin) / (1 + square))]


def rank(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rank by accuracy; where that is equal by macro F1, then by latency."""
    ranked = sorted(rows, key=lambda row: (-row["accuracy"], -row["macro_f1"], row["latency_ms"]["p50"], row["model"]))
    return [
        {
            "rank": place,
            **{name: value for name, value in row.items() if name not in ("test_split", "synthetic")},
            "accuracy_95": interval(row["accuracy"], row["test_split"]["reviews"]),
        }
        for place, row in enumerate(ranked, start=1)
    ]


def compare(folder: Path) -> dict[str, Any]:
    """
    Return the board: all models with a usable evaluation, the best first.

    :param folder: holds a folder for each model.
    :raises BadInput: there is no usable evaluation.
    """
    rows, left_out = [], []
    for path in sorted(folder.glob("*/evaluation.json")):
        try:
            rows.append(read_evaluation(path))
        except Unusable as error:
            left_out.append({"model": path.parent.name, "reason": str(error)})
    if not rows:
        reasons = "; ".join(f"{one['model']}: {one['reason']}" for one in left_out)
        raise BadInput(f"there is no usable evaluation in {folder}" + (f" ({reasons})" if reasons else ""))
    latest = max(rows, key=lambda row: row["evaluated_at"])
    split = latest["test_split"]
    same = [row for row in rows if row["test_split"] == split]
    left_out += [{"model": row["model"], "reason": _other(row)} for row in rows if row["test_split"] != split]
    models = rank(same)
    floor = models[0]["accuracy_95"][0]
    return {
        "models": models,
        "left_out": left_out,
        "test_split": split,
        "undecided": [row["model"] for row in models[1:] if row["accuracy_95"][1] >= floor],
        "synthetic": any(row["synthetic"] for row in same),
    }


def _other(row: dict[str, Any]) -> str:
    split = row["test_split"]
    return (
        f"judged by another test split ({split['reviews']:,} reviews, {split['sha256'][:8]}), "
        f"with an accuracy of {row['accuracy']:.4f} there"
    )


def work(source: Path, target: Path) -> dict[str, Any]:
    """Compare and write everything below ``target``; the board."""
    board = compare(source / "models")
    picture = draw(board)
    files = {
        "leader_board.json": (json.dumps(board, indent=2, ensure_ascii=False) + "\n").encode(),
        "leader_board.md": as_markdown(board).encode(),
        "leader_board.html": as_html(board, picture).encode(),
        "leader_board.png": picture,
    }
    write_files(target / "board", files)
    return board


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("the evaluations of all models -> one leader board", synthetic=False)
    options = parser.parse_args(arguments)

    def job() -> None:
        print(as_markdown(work(options.input, options.output)))

    return run("leader_board", job, options.reason)


if __name__ == "__main__":
    sys.exit(main())
