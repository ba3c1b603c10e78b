"""
The train job against a plain loop on the same reviews: examples a second, and accuracy on the test split.

    REVIEWS_SOURCE=reviews.csv.zip python -m benchmarks.train [--rows 3000] [--epochs 1]     # prints Markdown

The plain loop: fp32, every review padded to 128 tokens, all weights trained, the model as transformers loads it. Both
train MiniLM on the same reviews, as many of each class, with the same learning rates, warm-up and batch size, and are
judged by the same code.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.features import MODEL, features_of
from benchmarks.job_code import bundle
from benchmarks.local import offline_hub
from include.reviews.source import fetch

LONGEST = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3000, help="reviews an epoch")
    parser.add_argument("--epochs", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        offline_hub()
        origin = fetch(os.environ.get("REVIEWS_SOURCE"), folder / "raw" / "reviews.csv")
        features_of(folder / "raw", folder / "features")
        sys.path.insert(0, str(bundle("train")))
        script = importlib.import_module("train")
        settings = script.parse(arguments(folder, options))
        results = {"the train job": ours(script, settings), "plain loop": plain(script, settings)}
    report(results, options, "made-up (SYNTHETIC)" if origin.synthetic else "real")


def arguments(folder: Path, options: argparse.Namespace) -> list[str]:
    features = folder / "features"
    places = {"train": features / "train", "validation": features / "test", "checkpoints": folder / "checkpoints"}
    given = {
        **places,
        "base_model": MODEL,
        "epochs": options.epochs,
        "balance": "oversample",
        "max_epoch_rows": options.rows,
        # The plain loop has no linear model either: two ways to train an encoder are compared.
        "ngrams": 0,
    }
    return [str(word) for key, value in given.items() for word in (f"--{key}", value)]


def ours(script: Any, settings: argparse.Namespace) -> dict[str, float]:
    """Train with the job's own trainer; the validation channel is the test split here, judged after the last epoch."""
    trainer = script.Trainer(settings, script.Cluster.join(), settings.base_model)
    seconds = 0.0
    for epoch in range(settings.epochs):
        trainer.progress.epoch, trainer.progress.step = epoch, 0
        began = time.perf_counter()
        with contextlib.redirect_stdout(sys.stderr):
            trainer.epoch()
        seconds += time.perf_counter() - began
    return figures(trainer, trainer.model, settings, seconds)


def plain(script: Any, settings: argparse.Namespace) -> dict[str, float]:
    """Train the same rows in the plain way."""
    import torch
    from torch.nn.functional import cross_entropy
    from transformers import AutoModelForSequenceClassification

    trainer = script.Trainer(settings, script.Cluster.join(), settings.base_model)
    torch.manual_seed(settings.seed)
    model = AutoModelForSequenceClassification.from_pretrained(settings.base_model, num_labels=3)
    model = model.float().to(trainer.cluster.device)
    groups = script.models.parameter_groups(model, settings.learning_rate, trainer.head_rate, settings.weight_decay)
    optimizer = torch.optim.AdamW(groups)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, trainer.rate)
    model.train()
    seconds = 0.0
    for epoch in range(settings.epochs):
        rows = script.epoch_rows(trainer.train.labels, settings.balance, settings.max_epoch_rows, epoch, settings.seed)
        began = time.perf_counter()
        for start in range(0, len(rows), settings.train_batch_size):
            batch = padded(trainer, rows[start : start + settings.train_batch_size])
            logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
            loss = cross_entropy(logits, batch["labels"])
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        # A GPU is behind its orders until somebody reads a result.
        loss.item()
        seconds += time.perf_counter() - began
    return figures(trainer, model, settings, seconds)


def padded(trainer: Any, rows: Any) -> dict[str, Any]:
    """A batch of which every row has ``LONGEST`` tokens."""
    from torch.nn.functional import pad

    batch = trainer.train.batch(rows, trainer.padding)
    more = (0, LONGEST - batch.input_ids.shape[1])
    ids = pad(batch.input_ids, more, value=trainer.padding)
    made = {"input_ids": ids, "attention_mask": pad(batch.attention_mask, more), "labels": batch.labels}
    return {name: tensor.to(trainer.cluster.device) for name, tensor in made.items()}


def figures(trainer: Any, model: Any, settings: argparse.Namespace, seconds: float) -> dict[str, float]:
    trainer.model = model
    judged = trainer.evaluate(trainer.validation)
    examples = sum(len(rows) for epoch in range(settings.epochs) for rows in trainer.batches(epoch))
    return {"speed": examples / seconds, "seconds": seconds, "accuracy": judged["val_acc"], "loss": judged["val_loss"]}


def report(results: dict[str, dict[str, float]], options: argparse.Namespace, kind: str) -> None:
    job, loop = results["the train job"], results["plain loop"]
    print("# Training\n")
    print(f"MiniLM on the {kind} reviews, {options.epochs} x {options.rows:,} of them, as many of each class.")
    print("Goal: at least 2 x the plain loop, the same accuracy within 1 point.\n")
    print("| | examples/s | seconds | test accuracy | test loss |\n|---|---:|---:|---:|---:|")
    for name, one in results.items():
        print(f"| {name} | {one['speed']:.1f} | {one['seconds']:.0f} | {one['accuracy']:.4f} | {one['loss']:.4f} |")
    points = 100 * (job["accuracy"] - loop["accuracy"])
    print(f"\nSpeed {job['speed'] / loop['speed']:.1f} x, accuracy {points:+.1f} points.")


if __name__ == "__main__":
    main()
