"""
Processing job: a trained model and the test split -> how good it is.

Reads the model's archive in ``INPUT/model/`` and the Parquet parts in ``INPUT/test/``. The archive's own
``code/inference.py`` predicts from the review texts, so that what is judged is what an endpoint would serve. It does so
in bf16, as training does, where the archive's model offers that and the processor gains by it. Writes::

    OUTPUT/report/evaluation.json       {"metrics": {"accuracy": {"value"}, "macro_f1": {"value"},
                                         "confusion_matrix": {"value": rows true, columns predicted, -1 0 1},
                                         "per_class": {"value": {sentiment: {precision, recall, f1, support}}}},
                                         "natural_mix": {"accuracy", "prior_corrected": {"accuracy", ...}, ...}, ...}
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
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from job import is_synthetic, processing_parser, run
from judging import Answer, measure, read_reviews, write_judgement
from model_archive import unpack
from natural_mix import natural_mix, read_shares


def predict(model: Path, texts: Sequence[str]) -> tuple[list[Answer], np.ndarray | None]:
    """Predict sentiments with their probabilities by the functions that an endpoint calls; and :func:`odds_of`."""
    sys.path.insert(0, str(model / "code"))
    serving = importlib.import_module("inference")
    body = "".join(json.dumps({"features": [text]}) + "\n" for text in texts)
    request = serving.input_fn(body, "application/jsonlines")
    loaded = serving.model_fn(str(model))
    # Models in eight bits, and those of older archives, have nothing to allow.
    if hasattr(loaded, "allow_bf16"):
        loaded.allow_bf16()
    predicted = serving.predict_fn(request, loaded)
    lines = [json.loads(line) for line in serving.output_fn(predicted, "application/jsonlines").splitlines()]
    return [(line["predicted_label"], line["probability"]) for line in lines], odds_of(predicted)


def odds_of(predicted: Any) -> np.ndarray | None:
    """Return the odds of -1, 0, 1 for each text, [texts, 3]; None where the archive's code does not give them."""
    found = predicted[0] if isinstance(predicted, tuple) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) and "odds" in one for one in found):
        return None
    return np.array([one["odds"] for one in found])


def evaluate(source: Path, target: Path, synthetic: bool) -> dict[str, Any]:
    """Judge the model and write the report below ``target``, or nothing; the figures."""
    reviews = read_reviews(source / "test")
    target.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".evaluate-", dir=target))
    try:
        model = scratch / "model"
        unpack(source / "model", model)
        answers, odds = predict(model, reviews["review_body"].to_pylist())
        true, predicted = reviews["sentiment"].to_numpy(), np.array([sentiment for sentiment, _ in answers])
        report = {**measure(true, predicted), "synthetic": synthetic}
        if shares := read_shares(model):
            report["natural_mix"] = natural_mix(true, predicted, odds, shares)
        folder = scratch / "report"
        write_judgement(folder, report, reviews, answers)
        (target / "report").mkdir(exist_ok=True)
        for written in folder.iterdir():
            written.replace(target / "report" / written.name)
    finally:
        shutil.rmtree(scratch)
    return report


def mixes(report: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    """Return the figures of the natural mix that the report has, and what to call each."""
    natural = report.get("natural_mix", {})
    named = [("as answered", natural), ("prior-corrected", natural.get("prior_corrected", {}))]
    return [(name, figures) for name, figures in named if figures]


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("a model and the test split -> how good it is")
    options = parser.parse_args(arguments)

    def work() -> None:
        report = evaluate(options.input, options.output, is_synthetic(options))
        accuracy, f1 = (report["metrics"][name]["value"] for name in ("accuracy", "macro_f1"))
        print(f"test_accuracy: {accuracy:.4f} - test_macro_f1: {f1:.4f} on {report['reviews']} reviews")
        for name, figures in mixes(report):
            print(f"estimated on the natural mix, {name}: {figures['accuracy']:.4f} +- {figures['standard_error']:.4f}")

    return run("evaluate", work, options.reason)


if __name__ == "__main__":
    sys.exit(main())
