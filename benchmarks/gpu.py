"""
RoBERTa's size on a GPU: the train job against a plain loop, and the serving code one by one and in a crowd.

    REVIEWS_SOURCE=reviews.csv.zip python -m benchmarks.gpu prepare FOLDER     # here: features and weights, 50 MB
    python -m benchmarks.gpu run FOLDER                                        # on the GPU's machine; prints Markdown

There is no hub on these machines, so that RoBERTa-base has its architecture and random weights: the speed does not
depend on them, and no accuracy is given. Its texts are the real reviews by MiniLM's tokenizer. MiniLM has its weights.
The second command needs torch, transformers, numpy and pyarrow, and neither localaws nor Airflow.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.job_code import bundle
from benchmarks.train import plain

#: RoBERTa-base: 12 layers of 768.
SHAPE: dict[str, Any] = {
    "vocab_size": 50265,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
}
ROWS, EPOCHS = 3200, 3
CALLS, CLIENTS, MANY = 300, 32, 2048
#: what the width of a batch is a multiple of -> how that is called; 0 is the plain loop.
WAYS = {1: "as wide as the longest", 8: "multiples of 8, as the train job does", 128: "all of 128", 0: "plain loop"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("prepare", "run", "one"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", nargs="?")
    parser.add_argument("multiple", nargs="?", type=int)
    options = parser.parse_args()
    if options.what == "one":
        print(json.dumps(one(options.folder, options.folder / options.model, options.multiple)))
    else:
        (prepare if options.what == "prepare" else run)(options.folder)


def prepare(folder: Path) -> None:
    """Write the features of the real reviews, and MiniLM in half precision, so that it travels."""
    from benchmarks.features import MODEL, features_of
    from benchmarks.local import offline_hub
    from include.reviews.source import fetch

    offline_hub()
    fetch(os.environ.get("REVIEWS_SOURCE"), folder / "raw" / "reviews.csv")
    features_of(folder / "raw", folder / "features")
    from transformers import AutoModel, AutoTokenizer

    AutoModel.from_pretrained(MODEL).half().save_pretrained(folder / "minilm")
    AutoTokenizer.from_pretrained(MODEL).save_pretrained(folder / "minilm")


def run(folder: Path) -> None:
    """Measure."""
    import torch

    random_roberta(folder)
    print("# On a GPU\n")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}; {ROWS:,} real reviews an epoch, batches of 32.")
    print("RoBERTa-base has random weights: the speed does not depend on them, and its accuracy says nothing.\n")
    print("## Training, examples/s\n\n| model | batches | epoch 1 | 2 | 3 |\n|---|---|---:|---:|---:|")
    for model in ("roberta", "minilm"):
        for multiple, name in WAYS.items():
            # A process each: kernels that were chosen once are there for the next.
            command = [sys.executable, "-m", "benchmarks.gpu", "one", str(folder), model, str(multiple)]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            speeds = " | ".join(f"{speed:,.0f}" for speed in json.loads(answer.stdout))
            print(f"| {model} | {name} | {speeds} |", flush=True)
    serving(folder, folder / "roberta")


def one(folder: Path, model: Path, multiple: int) -> list[float]:
    """Examples a second of each epoch."""
    sys.path.insert(0, str(bundle("train")))
    script = importlib.import_module("train")
    settings = script.parse(arguments(folder, model))
    if not multiple:
        return [plain(script, settings)["speed"]]
    with contextlib.redirect_stdout(sys.stderr):
        trainer = script.Trainer(settings, script.Cluster.join(), settings.base_model)
        trainer.multiple = multiple
        speeds = []
        for epoch in range(EPOCHS):
            trainer.progress.epoch, trainer.progress.step = epoch, 0
            began = time.perf_counter()
            trainer.epoch()
            speeds.append(ROWS / (time.perf_counter() - began))
    return speeds


def random_roberta(folder: Path) -> None:
    import torch
    from transformers import AutoTokenizer, RobertaConfig, RobertaForSequenceClassification

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(folder / "minilm")
    config = RobertaConfig(**SHAPE, pad_token_id=tokenizer.pad_token_id, num_labels=3)  # type: ignore[call-arg]
    config.id2label = {0: "-1", 1: "0", 2: "1"}
    RobertaForSequenceClassification(config).save_pretrained(folder / "roberta")
    tokenizer.model_max_length = 128
    tokenizer.save_pretrained(folder / "roberta")


def arguments(folder: Path, model: Path) -> list[str]:
    features = folder / "features"
    given = {
        "train": features / "train",
        "validation": features / "test",
        "checkpoints": folder / "checkpoints",
        "base_model": model,
        "epochs": EPOCHS,
        "balance": "oversample",
        "max_epoch_rows": ROWS,
        # The encoder's speed is measured.
        "ngrams": 0,
    }
    return [str(word) for key, value in given.items() for word in (f"--{key}", value)]


def serving(folder: Path, model: Path) -> None:
    """The Classifier of inference.py: a lone client, a crowd with and without sharing passes, and one large request."""
    import torch

    sys.path.insert(0, str(bundle("train")))
    inference = importlib.import_module("inference")
    texts = reviews(folder)
    classifier = inference.model_fn(str(model))
    lock = threading.Lock()

    def one_at_a_time(given: list[str]) -> None:
        with lock:
            classifier.classify(given)

    def timed(call: Callable[[list[str]], Any], given: list[str]) -> float:
        torch.cuda.synchronize()
        began = time.perf_counter()
        call(given)
        return 1000 * (time.perf_counter() - began)

    for _ in range(20):
        classifier(texts[:64])
    alone = [timed(classifier, [texts[turn % len(texts)]]) for turn in range(CALLS)]
    print("\n## Serving RoBERTa-base\n")
    print("The serving code in one process, without HTTP; a request of one review, unless it says otherwise.\n")
    print("| | p50, ms | p95, ms | reviews/s |\n|---|---:|---:|---:|")
    quantiles = statistics.quantiles(alone, n=100)
    print(f"| one client | {quantiles[49]:.1f} | {quantiles[94]:.1f} | {1000 * len(alone) / sum(alone):,.0f} |")
    for name, call in (("requests share passes", classifier), ("one pass a request", one_at_a_time)):
        times, seconds = crowd(call, texts)
        quantiles = statistics.quantiles(times, n=100)
        rate = len(times) / seconds
        print(f"| {CLIENTS} clients, {name} | {quantiles[49]:.1f} | {quantiles[94]:.1f} | {rate:,.0f} |", flush=True)
    large = [texts[at % len(texts)] for at in range(MANY)]
    best = min(timed(classifier.classify, large) for _ in range(3))
    print(f"| {MANY:,} reviews in one request | {best:,.0f} | | {1000 * MANY / best:,.0f} |")


def crowd(call: Callable[[list[str]], Any], texts: list[str]) -> tuple[list[float], float]:
    """Milliseconds of each request of ``CLIENTS`` threads, and the seconds of all."""
    times: list[float] = []

    def client(number: int) -> None:
        for turn in range(CALLS // 10):
            began = time.perf_counter()
            call([texts[(number * 97 + turn) % len(texts)]])
            times.append(1000 * (time.perf_counter() - began))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times, time.perf_counter() - began


def reviews(folder: Path) -> list[str]:
    """The texts of the test split, by their tokens."""
    import pyarrow.parquet as pq
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder / "minilm")
    ids = pq.read_table(folder / "features" / "test", columns=["input_ids"])["input_ids"].to_pylist()
    return [str(tokenizer.decode(row, skip_special_tokens=True)) for row in ids]


if __name__ == "__main__":
    main()
