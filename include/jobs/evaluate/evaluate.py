"""
Processing job: a trained model and the test split -> how good it is.

Reads the model's archive in ``INPUT/model/`` and the Parquet parts in ``INPUT/test/``. The archive's own
``code/inference.py`` predicts from the review texts, so that what is judged is what an endpoint would serve. Writes::

    OUTPUT/report/evaluation.json       {"metrics": {"accuracy": {"value"}, "macro_f1": {"value"},
                                         "confusion_matrix": {"value": rows true, columns predicted, -1 0 1},
                                         "per_class": {"value": {sentiment: {precision, recall, f1, support}}}}, ...}
    OUTPUT/report/confusion_matrix.png
    OUTPUT/report/predictions.csv       review_id, sentiment, predicted_label, probability: all of them
    OUTPUT/report/misclassified.csv     the errors the model was surest of, at most 100

Exit status 2, and one sentence, when the input cannot be used; nothing is written then.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from job import BadInput, is_synthetic, processing_parser, run
from judging import Answer, measure, read_reviews, write_judgement


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


def predict(model: Path, texts: Sequence[str]) -> list[Answer]:
    """Predicted sentiments and their probabilities, by the functions that an endpoint calls."""
    sys.path.insert(0, str(model / "code"))
    serving = importlib.import_module("inference")
    body = "".join(json.dumps({"features": [text]}) + "\n" for text in texts)
    request = serving.input_fn(body, "application/jsonlines")
    answer = serving.output_fn(serving.predict_fn(request, serving.model_fn(str(model))), "application/jsonlines")
    lines = [json.loads(line) for line in answer.splitlines()]
    return [(line["predicted_label"], line["probability"]) for line in lines]


def evaluate(source: Path, target: Path, synthetic: bool) -> dict[str, Any]:
    """Judge the model and write the report below ``target``, or nothing; the figures."""
    reviews = read_reviews(source / "test")
    target.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".evaluate-", dir=target))
    try:
        model = scratch / "model"
        unpack(source / "model", model)
        answers = predict(model, reviews["review_body"].to_pylist())
        predicted = np.array([sentiment for sentiment, _ in answers])
        report = {**measure(reviews["sentiment"].to_numpy(), predicted), "synthetic": synthetic}
        folder = scratch / "report"
        write_judgement(folder, report, reviews, answers)
        (target / "report").mkdir(exist_ok=True)
        for written in folder.iterdir():
            written.replace(target / "report" / written.name)
    finally:
        shutil.rmtree(scratch)
    return report


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("a model and the test split -> how good it is")
    options = parser.parse_args(arguments)

    def work() -> None:
        report = evaluate(options.input, options.output, is_synthetic(options))
        accuracy, f1 = (report["metrics"][name]["value"] for name in ("accuracy", "macro_f1"))
        print(f"test_accuracy: {accuracy:.4f} - test_macro_f1: {f1:.4f} on {report['reviews']} reviews")

    return run("evaluate", work, options.reason)


if __name__ == "__main__":
    sys.exit(main())
