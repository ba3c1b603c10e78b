"""
Processing job: a trained model and the test split -> how good it is.

Reads the model's archive in ``INPUT/model/`` and the Parquet parts in ``INPUT/test/``. The archive's own
``code/inference.py`` predicts from the review texts, so that what is judged is what an endpoint would serve. Writes::

    OUTPUT/report/evaluation.json       {"metrics": {"accuracy": {"value"}, "macro_f1": {"value"},
                                         "confusion_matrix": {"value": rows true, columns predicted, -1 0 1},
                                         "per_class": {"value": {sentiment: {precision, recall, f1, support}}}}, ...}
    OUTPUT/report/confusion_matrix.png
    OUTPUT/report/misclassified.csv     the errors the model was surest of, at most 100

Exit status 2, and one sentence, when the input cannot be used; nothing is written then.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from drawing import draw_confusion_matrix
from job import BadInput, run
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

SENTIMENTS = (-1, 0, 1)
MOST_ERRORS = 100


@dataclass(frozen=True)
class Reviews:
    """The test split: ids, texts and true sentiments."""

    ids: list[str]
    texts: list[str]
    sentiments: np.ndarray


def read_reviews(folder: Path) -> Reviews:
    """All Parquet parts of the test split. :raises BadInput: there are none, or they are something else."""
    parts = sorted(folder.glob("*.parquet")) if folder.is_dir() else []
    if not parts:
        raise BadInput(f"there is no .parquet file of a test split in {folder}")
    try:
        columns = ["review_id", "review_body", "sentiment"]
        table = pa.concat_tables([pq.read_table(part, columns=columns) for part in parts])
    except (pa.ArrowException, KeyError) as error:
        raise BadInput(f"the test split is not one of the features job: {str(error).splitlines()[0]}") from error
    if not len(table):
        raise BadInput(f"the test split in {folder} has no rows")
    return Reviews(table["review_id"].to_pylist(), table["review_body"].to_pylist(), table["sentiment"].to_numpy())


def unpack(folder: Path, target: Path) -> None:
    """Unpack the one model archive. :raises BadInput: there is none, or it is damaged or points elsewhere."""
    archives = sorted(folder.rglob("*.tar.gz")) if folder.is_dir() else []
    if len(archives) != 1:
        raise BadInput(f"there must be one model archive (.tar.gz) in {folder}; there are {len(archives)}")
    try:
        with tarfile.open(archives[0]) as archive:
            archive.extractall(target, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BadInput(f"the model archive {archives[0].name} cannot be unpacked: {error}") from error
    if not (target / "code" / "inference.py").exists():
        raise BadInput(f"the model archive {archives[0].name} has no code/inference.py")


def predict(model: Path, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Predicted sentiments and probabilities, by the functions that an endpoint calls."""
    sys.path.insert(0, str(model / "code"))
    serving = importlib.import_module("inference")
    body = "".join(json.dumps({"features": [text]}) + "\n" for text in texts)
    request = serving.input_fn(body, "application/jsonlines")
    answer = serving.output_fn(serving.predict_fn(request, serving.model_fn(str(model))), "application/jsonlines")
    lines = [json.loads(line) for line in answer.splitlines()]
    labels = np.array([line["predicted_label"] for line in lines])
    return labels, np.array([line["probability"] for line in lines])


def measure(true: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """All figures, in the form of SageMaker's model-quality files."""
    present = [sentiment for sentiment in SENTIMENTS if (true == sentiment).any()]
    figures = precision_recall_fscore_support(true, predicted, labels=SENTIMENTS, zero_division=0)
    names = ("precision", "recall", "f1", "support")
    per_class = {
        str(sentiment): {name: float(figure[at]) for name, figure in zip(names, figures, strict=True)}
        for at, sentiment in enumerate(SENTIMENTS)
    }
    macro = float(np.mean([per_class[str(sentiment)]["f1"] for sentiment in present]))
    values = {
        "accuracy": float(accuracy_score(true, predicted)),
        "macro_f1": macro,
        "confusion_matrix": confusion_matrix(true, predicted, labels=SENTIMENTS).tolist(),
        "per_class": per_class,
    }
    return {"metrics": {name: {"value": value} for name, value in values.items()}, "reviews": len(true)}


def write_errors(reviews: Reviews, predicted: np.ndarray, probabilities: np.ndarray, path: Path) -> None:
    """The wrong predictions, the surest first."""
    wrong = np.flatnonzero(predicted != reviews.sentiments)
    wrong = wrong[np.argsort(-probabilities[wrong], kind="stable")][:MOST_ERRORS]
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["review_id", "sentiment", "predicted_label", "probability", "review_body"])
        for at in wrong:
            row = [reviews.ids[at], reviews.sentiments[at], predicted[at], probabilities[at], reviews.texts[at]]
            writer.writerow(row)


def evaluate(source: Path, target: Path, synthetic: bool) -> dict[str, Any]:
    """Judge the model and write the report below ``target``, or nothing; the figures."""
    reviews = read_reviews(source / "test")
    target.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".evaluate-", dir=target))
    try:
        model = scratch / "model"
        unpack(source / "model", model)
        predicted, probabilities = predict(model, reviews.texts)
        report = {**measure(reviews.sentiments, predicted), "synthetic": synthetic}
        folder = scratch / "report"
        folder.mkdir()
        (folder / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        draw_confusion_matrix(report, folder / "confusion_matrix.png")
        write_errors(reviews, predicted, probabilities, folder / "misclassified.csv")
        (target / "report").mkdir(exist_ok=True)
        for written in folder.iterdir():
            written.replace(target / "report" / written.name)
    finally:
        shutil.rmtree(scratch)
    return report


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = argparse.ArgumentParser(description="a model and the test split -> how good it is")
    parser.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--synthetic", default="false", choices=("true", "false", "True", "False"))
    parser.add_argument("--reason", type=Path, default=Path("/opt/ml/output/message"))
    options = parser.parse_args(arguments)

    def work() -> None:
        report = evaluate(options.input, options.output, options.synthetic.lower() == "true")
        accuracy, f1 = (report["metrics"][name]["value"] for name in ("accuracy", "macro_f1"))
        print(f"test_accuracy: {accuracy:.4f} - test_macro_f1: {f1:.4f} on {report['reviews']} reviews")

    return run("evaluate", work, options.reason)


if __name__ == "__main__":
    sys.exit(main())
