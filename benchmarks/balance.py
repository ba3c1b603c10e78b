"""
Which balancing of the training split does best on the same test split.

    REVIEWS_SOURCE=reviews.csv.zip python -m benchmarks.balance     # prints Markdown; half an hour and more

The train job with its defaults but for ``--balance``, and the number of epochs that lets every way learn from about as
many reviews; judged by the evaluate job on the features job's test split, which is held out before any balancing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.features import MODEL, features_of
from benchmarks.job_code import bundle
from benchmarks.local import offline_hub
from include.reviews.source import fetch

#: balance -> epochs: an epoch is 7,500 reviews when oversampled, thrice the smallest class when undersampled (5,091 of
#: the real reviews), and otherwise all of them (16,547).
EPOCHS = {"oversample": 2, "undersample": 3, "class_weights": 1, "none": 1}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        offline_hub()
        origin = fetch(os.environ.get("REVIEWS_SOURCE"), folder / "raw" / "reviews.csv")
        features_of(folder / "raw", folder / "features")
        results = {balance: trained(folder, balance, epochs) for balance, epochs in EPOCHS.items()}
    report(results, "made-up (SYNTHETIC)" if origin.synthetic else "real")


def trained(folder: Path, balance: str, epochs: int) -> dict[str, Any]:
    """Train and judge one way: the evaluation, and what the training took."""
    features, here = folder / "features", folder / balance
    places = {"train": features / "train", "validation": features / "validation"}
    written = {name: here / name for name in ("model_dir", "output_data_dir", "checkpoints")}
    settings = {"base_model": MODEL, "epochs": epochs, "balance": balance, **places, **written}
    began = time.perf_counter()
    script("train", **settings)
    seconds = time.perf_counter() - began
    (here / "judged").mkdir()
    (here / "judged" / "test").symlink_to(features / "test")
    (here / "judged" / "model").mkdir()
    with tarfile.open(here / "judged" / "model" / "model.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.add(written["model_dir"], ".")
    script("evaluate", input=here / "judged", output=here / "report")
    evaluation = json.loads((here / "report" / "report" / "evaluation.json").read_text())
    history = json.loads((written["output_data_dir"] / "history.json").read_text())
    return {**evaluation, "epochs": epochs, "seconds": seconds, "validation": history["best"]["val_acc"]}


def script(job: str, **arguments: Any) -> None:
    """Run a job's script as its container would; what it prints is progress, not the result."""
    words = [str(word) for key, value in arguments.items() for word in (f"--{key}", value)]
    command = [sys.executable, str(bundle(job) / f"{job}.py"), *words]
    subprocess.run(command, check=True, stdout=sys.stderr)


def report(results: dict[str, dict[str, Any]], kind: str) -> None:
    some = next(iter(results.values()))
    error = (0.21 / some["reviews"]) ** 0.5
    print("# Balancing of the training split\n")
    print(f"MiniLM on the {kind} reviews, judged on {some['reviews']} held-out ones, as many of each class.")
    print(f"The standard error of an accuracy near 0.7 on these is {100 * error:.1f} points.\n")
    print("| balance | epochs | validation accuracy | test accuracy | macro F1 | recall -1 | 0 | 1 | seconds |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for balance, one in results.items():
        metrics = {name: metric["value"] for name, metric in one["metrics"].items()}
        recalls = " | ".join(f"{metrics['per_class'][label]['recall']:.3f}" for label in ("-1", "0", "1"))
        figures = f"{one['validation']:.4f} | {metrics['accuracy']:.4f} | {metrics['macro_f1']:.4f} | {recalls}"
        print(f"| {balance} | {one['epochs']} | {figures} | {one['seconds']:.0f} |")


if __name__ == "__main__":
    main()
