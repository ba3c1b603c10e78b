"""The leader board: all models that were judged by the same test split."""

from __future__ import annotations

from math import ceil, floor
from typing import Any

from include import paths
from sentiment_page.aws import Aws, NothingYet
from sentiment_page.charts import Axis, Bars, Dots, bars, dots


def read(aws: Aws) -> dict[str, Any]:
    """Return the board as the job wrote it, with its charts."""
    board = aws.json(f"{paths.LEADER_BOARD}/leader_board.json")
    if board is None:
        raise NothingYet(
            "There is no leader board yet: run leader_board, after blazingtext_sentiment, autopilot_sentiment or "
            "train_sentiment."
        )
    models = board["models"]
    return {
        **{name: board[name] for name in ("models", "left_out", "undecided", "synthetic")},
        "reviews": board["test_split"]["reviews"],
        "accuracy": _accuracy(models),
        "latency": bars(
            "Median latency",
            "; ".join(f"{row['model']} {_ms(row)}" for row in models),
            [Bars(row["model"], _ms(row), [("plain", row["latency_ms"]["p50"] or 0)]) for row in models],
        ),
    }


def _accuracy(models: list[dict[str, Any]]) -> Any:
    low = floor(10 * min(row["accuracy_95"][0] for row in models)) / 10
    high = ceil(10 * max(row["accuracy_95"][1] for row in models)) / 10
    ticks = [(step / 10, f"{step / 10:.0%}") for step in range(round(low * 10), round(high * 10) + 1)]
    rows = [
        Dots(row["model"], f"{row['accuracy']:.1%}", [("plain", row["accuracy"])], ("interval", *row["accuracy_95"]))
        for row in models
    ]
    said = (
        f"{row['model']} {row['accuracy']:.1%} ({row['accuracy_95'][0]:.1%} to {row['accuracy_95'][1]:.1%})"
        for row in models
    )
    return dots("Accuracy with its 95 % interval", "; ".join(said), rows, Axis(low, high, ticks))


def _ms(row: dict[str, Any]) -> str:
    value = row["latency_ms"]["p50"]
    return "not measured" if value is None else f"{value:.1f} ms"
