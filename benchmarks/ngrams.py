"""
What the linear model beside the encoder adds: one trained model, its linear part's share from nothing to all.

    python -m benchmarks.ngrams MODEL FEATURES     # prints Markdown

MODEL is the train job's archive (``model.tar.gz``), FEATURES the features job's output. The encoder answers once; the
rows of the table differ in the share.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.job_code import bundle

SHARES = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0)
SPLITS = ("validation", "test")


def main() -> None:
    archive, features = map(Path, sys.argv[1:])
    # natural_mix and judging of this job, inference and classifier of the archive.
    sys.path.insert(0, str(bundle("evaluate")))
    read_reviews = importlib.import_module("judging").read_reviews
    natural = importlib.import_module("natural_mix")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        (folder / "in" / "model.tar.gz").symlink_to(archive.resolve())
        importlib.import_module("model_archive").unpack(folder / "in", folder / "model")
        shares = natural.read_shares(folder / "model")
        sys.path.insert(0, str(folder / "model" / "code"))
        model = importlib.import_module("inference").model_fn(str(folder / "model"))
        print("| share | split | accuracy | log loss | natural mix | the same, prior-corrected |")
        print("|---:|---|---:|---:|---:|---:|")
        for split in SPLITS:
            reviews = read_reviews(features / split, split)
            true, encoder, beside = reviews["sentiment"].to_numpy(), *logits(model, reviews["review_body"].to_pylist())
            for share in SHARES:
                figures = row(natural.natural_mix, true, (1 - share) * encoder + share * beside, shares)
                print(f"| {share:g} | {split} | {figures} |", flush=True)
        config = json.loads((folder / "model" / "config.json").read_text())
        print(f"\n{config['model_type']}, {len(model.beside.keys):,} tokens and pairs")


def logits(model: Any, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Of the encoder, up to a constant in each row, and of the linear model; [texts, classes] each."""
    beside, model.beside = model.beside, None
    model.allow_bf16()
    odds = np.array([one["odds"] for one in model.classify(texts)])
    model.beside = beside
    ids = model.tokenizer(texts, truncation=True, max_length=model.longest)["input_ids"]
    return np.log(np.maximum(odds, 1e-12)), beside(ids) / (1 - beside.encoder)


def row(natural_mix: Any, true: np.ndarray, logits: np.ndarray, shares: Any) -> str:
    odds = np.exp(logits - logits.max(1, keepdims=True))
    odds /= odds.sum(1, keepdims=True)
    predicted = odds.argmax(1) - 1
    loss = -np.log(odds[np.arange(len(true)), true + 1]).mean()
    mix = natural_mix(true, predicted, odds, shares)
    answered = f"{(predicted == true).mean():.4f} | {loss:.4f}"
    return f"{answered} | {mix['accuracy']:.4f} | {mix['prior_corrected']['accuracy']:.4f}"


if __name__ == "__main__":
    main()
