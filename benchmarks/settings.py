"""
Which hyperparameters of the train job do best at the same cost on a CPU: many short trainings on a GPU.

    REVIEWS_SOURCE=reviews.csv.zip python -m benchmarks.gpu prepare FOLDER     # here: features and weights, 50 MB
    python -m benchmarks.settings FOLDER [--seconds 400] [--workers 6]         # on the GPU's machine; prints Markdown

All train MiniLM on about 15,000 reviews, which is what three epochs of the undersampled ones are. A first round tries
each choice with two seeds; the best by **validation** accuracy go on to a second round with more. The test split only
tells what came of it. What the time does not allow is left out, and the table says how many seeds each had.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import itertools
import os
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.job_code import bundle

Choice = tuple[tuple[str, Any], ...]

#: without the linear model, which is the same in all of them: what the choices do to the encoder.
DEFAULT: dict[str, Any] = {"epochs": 3, "balance": "undersample", "ngrams": 0}
#: each differs from the defaults in these; the head's rate is a multiple of the encoder's.
RATES = itertools.product((5e-5, 1e-4, 2e-4, 3e-4), (5, 20), (0.0, 0.1))
OTHERS: list[dict[str, Any]] = [
    {},
    {"train_batch_size": 16},
    {"train_batch_size": 16, "learning_rate": 2e-4, "head_learning_rate": 1e-3},
    {"train_batch_size": 64, "learning_rate": 2e-4, "head_learning_rate": 4e-3},
    {"freeze": "none"},
    {"freeze": "none", "learning_rate": 2e-4, "head_learning_rate": 1e-3},
    {"warmup_ratio": 0.05},
    {"warmup_ratio": 0.2},
    {"weight_decay": 0.1},
    {"balance": "oversample", "epochs": 2},
    {"balance": "oversample", "epochs": 2, "learning_rate": 2e-4, "head_learning_rate": 1e-3},
    {"balance": "oversample", "epochs": 3, "max_epoch_rows": 5000, "learning_rate": 2e-4, "head_learning_rate": 1e-3},
]
SEEDS, FINALISTS, MORE_SEEDS = 2, 5, 10
SENTENCES = {"I love this product!": 1, "OK, but not great.": 0, "This is not the right product.": -1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=400.0)
    parser.add_argument("--workers", type=int, default=6)
    options = parser.parse_args()
    deadline = time.monotonic() + options.seconds
    results: dict[Choice, list[dict[str, Any]]] = {}
    context = get_context("spawn")
    with ProcessPoolExecutor(options.workers, mp_context=context) as pool:
        tried = [(choice, seed) for seed in range(SEEDS) for choice in choices()]
        collect(pool, options.folder, tried, results, deadline)
        best = sorted(results, key=lambda choice: -mean(results[choice], "validation"))[:FINALISTS]
        finalists = list(dict.fromkeys([*best, ()]))
        more = [(choice, seed) for seed in range(SEEDS, SEEDS + MORE_SEEDS) for choice in finalists]
        collect(pool, options.folder, more, results, deadline)
    report(results, finalists)


def choices() -> list[Choice]:
    found = [{"learning_rate": rate, "head_learning_rate": rate * times, "label_smoothing": smoothing}
             for rate, times, smoothing in RATES]  # fmt: skip
    return [tuple(choice.items()) for choice in [*OTHERS, *found]]


def collect(
    pool: ProcessPoolExecutor,
    folder: Path,
    tasks: list[tuple[Choice, int]],
    results: dict[Choice, list[dict[str, Any]]],
    deadline: float,
) -> None:
    """Run tasks in order until the time is over."""
    futures = [(choice, pool.submit(trained, folder, dict(choice), seed, deadline)) for choice, seed in tasks]
    for choice, future in futures:
        result = future.result()
        if result is not None:
            results.setdefault(choice, []).append(result)
            print(dict(choice), result, file=sys.stderr, flush=True)


def trained(folder: Path, choice: dict[str, Any], seed: int, deadline: float) -> dict[str, Any] | None:
    """Train and judge one choice; nothing once the time is over."""
    if time.monotonic() > deadline:
        return None
    os.environ["OMP_NUM_THREADS"] = "2"
    sys.path.insert(0, str(bundle("train")))
    script, data = importlib.import_module("train"), importlib.import_module("data")
    features, scratch = folder / "features", folder / "scratch" / str(os.getpid())
    given = {**DEFAULT, **choice, "seed": seed, "train": features / "train", "validation": features / "validation"}
    given |= {"base_model": folder / "minilm", "checkpoints": scratch}
    settings = script.parse([str(word) for key, value in given.items() for word in (f"--{key}", value)])
    script.torch.manual_seed(seed)
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        trainer = script.Trainer(settings, script.Cluster.join(), settings.base_model)
        for epoch in range(settings.epochs):
            trainer.progress.epoch, trainer.progress.step = epoch, 0
            trainer.epoch()
            trainer.judge()
    script.models.restore(trainer.model, trainer.progress.best["model"])
    test = trainer.evaluate(data.read_split(features / "test", settings.max_seq_length))
    return {
        "validation": trainer.progress.best["figures"]["val_acc"],
        "test": test["val_acc"],
        "f1": test["val_f1"],
        "sentences": sentences(trainer),
        "seconds": time.perf_counter() - began,
    }


def sentences(trainer: Any) -> int:
    """How many of the demo's three sentences it gets right."""
    inference = importlib.import_module("inference")
    trainer.model.config.id2label = {0: "-1", 1: "0", 2: "1"}
    trainer.tokenizer.model_max_length = trainer.options.max_seq_length
    found = inference.Classifier(trainer.model.eval(), trainer.tokenizer).classify(list(SENTENCES))
    return sum(one["predicted_label"] == label for one, label in zip(found, SENTENCES.values(), strict=True))


def mean(results: list[dict[str, Any]], figure: str) -> float:
    return statistics.fmean(result[figure] for result in results)


def report(results: dict[Choice, list[dict[str, Any]]], finalists: list[Choice]) -> None:
    import torch

    runs = sum(map(len, results.values()))
    print("# Hyperparameters of the train job\n")
    print(
        f"{torch.cuda.get_device_name()}, {runs} trainings of MiniLM on about 15,000 real reviews each; means over"
        " seeds, and the standard deviation between them. Chosen by validation accuracy; test: 726 reviews.\n"
    )
    print("| differs from the defaults in | seeds | validation | test accuracy | macro F1 | sentences, of 3 |")
    print("|---|---:|---:|---:|---:|---:|")
    for choice in sorted(results, key=lambda each: (each not in finalists, -mean(results[each], "validation"))):
        found = results[choice]
        spread = statistics.pstdev(result["test"] for result in found)
        name = ", ".join(f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in choice)
        figures = (
            f"{mean(found, 'validation'):.4f} | {mean(found, 'test'):.4f} ± {spread:.4f} | {mean(found, 'f1'):.4f}"
        )
        print(f"| {name or 'nothing'} | {len(found)} | {figures} | {mean(found, 'sentences'):.1f} |")


if __name__ == "__main__":
    main()
