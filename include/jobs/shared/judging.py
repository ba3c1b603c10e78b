"""Predictions against the test split of the features job: the figures, and the errors."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from confusion_drawing import draw_confusion_matrix
from job import BadInput
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

SENTIMENTS = (-1, 0, 1)
MOST_ERRORS = 100

#: sentiment and its probability.
Answer = tuple[int, float]


def read_reviews(folder: Path, split: str = "test") -> pa.Table:
    """Read review_id, review_body, sentiment of the split. :raises BadInput: there are no such parts, or no rows."""
    parts = sorted(folder.glob("*.parquet")) if folder.is_dir() else []
    if not parts:
        raise BadInput(f"there is no .parquet file of a {split} split in {folder}")
    columns = ["review_id", "review_body", "sentiment"]
    try:
        table = pa.concat_tables([pq.read_table(part, columns=columns) for part in parts])
    except (pa.ArrowException, KeyError) as error:
        raise BadInput(f"the {split} split is not one of the features job: {str(error).splitlines()[0]}") from error
    if not len(table):
        raise BadInput(f"the {split} split in {folder} has no rows")
    return table


def measure(true: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """Return all figures, in the form of SageMaker's model-quality files."""
    present = [sentiment for sentiment in SENTIMENTS if (true == sentiment).any()]
    figures = precision_recall_fscore_support(true, predicted, labels=SENTIMENTS, zero_division=0)
    names = ("precision", "recall", "f1", "support")
    per_class = {
        str(sentiment): {name: float(figure[at]) for name, figure in zip(names, figures, strict=True)}
        for at, sentiment in enumerate(SENTIMENTS)
    }
    values = {
        "accuracy": float(accuracy_score(true, predicted)),
        "macro_f1": float(np.mean([per_class[str(sentiment)]["f1"] for sentiment in present])),
        "confusion_matrix": confusion_matrix(true, predicted, labels=SENTIMENTS).tolist(),
        "per_class": per_class,
    }
    return {"metrics": {name: {"value": value} for name, value in values.items()}, "reviews": len(true)}


def write_predictions(reviews: pa.Table, answers: Sequence[Answer], path: Path) -> None:
    """Write every prediction, by review, which two models are compared by."""
    columns = reviews.select(["review_id", "sentiment"]).to_pydict().values()
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["review_id", "sentiment", "predicted_label", "probability"])
        writer.writerows((*row, *answer) for *row, answer in zip(*columns, answers, strict=True))


def write_errors(reviews: pa.Table, answers: Sequence[Answer], path: Path) -> None:
    """Write the wrong predictions, the surest first."""
    rows = zip(reviews.to_pylist(), answers, strict=True)
    wrong = [(row, label, probability) for row, (label, probability) in rows if label != row["sentiment"]]
    wrong.sort(key=lambda entry: -entry[2])
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["review_id", "sentiment", "predicted_label", "probability", "review_body"])
        for row, label, probability in wrong[:MOST_ERRORS]:
            writer.writerow([row["review_id"], row["sentiment"], label, probability, row["review_body"]])


def write_judgement(folder: Path, report: dict[str, Any], reviews: pa.Table, answers: Sequence[Answer]) -> None:
    """
    Write ``evaluation.json``, ``confusion_matrix.png``, ``predictions.csv`` and ``misclassified.csv`` into ``folder``.

    :param report: what :func:`measure` gives, with ``synthetic``; the JSON file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    draw_confusion_matrix(report, folder / "confusion_matrix.png")
    write_predictions(reviews, answers, folder / "predictions.csv")
    write_errors(reviews, answers, folder / "misclassified.csv")
