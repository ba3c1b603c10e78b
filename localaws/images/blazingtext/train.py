"""
Plays ``train`` of the image ``blazingtext``.

**Early stopping.** fastText trains for all epochs at once and lets nobody look in between. So after ``min_epochs`` the
model is retrained from scratch for one epoch more each time, with the whole decay of the learning rate, as long as the
validation accuracy rises at least once in ``patience`` times: the best one is kept. For n epochs this costs
about n / 2 times as much as AWS's single run, which for data of some megabytes is seconds.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fasttext

from localaws.images.blazingtext.channels import gather
from localaws.images.blazingtext.errors import AlgorithmError
from localaws.images.blazingtext.parameters import SUPERVISED, Parameters
from localaws.images.entrypoint import play
from localaws.images.entrypoint import root as ml_root

#: less text than this is trained by one thread: the same data then give the same model.
_ONE_THREAD_BYTES = 20_000_000


@dataclass(frozen=True)
class Sentences:
    """A channel, gathered into one file."""

    path: Path
    lines: int


def main() -> None:
    """Train by the job's hyperparameters and channels; exit status 1, and the reason for FailureReason, if not."""
    folder = ml_root()
    config = folder / "input" / "config"
    play(
        lambda: run(
            Parameters.parse(json.loads((config / "hyperparameters.json").read_text())),
            json.loads((config / "inputdataconfig.json").read_text()),
            len(json.loads((config / "resourceconfig.json").read_text())["hosts"]),
            folder,
        )
    )


def run(parameters: Parameters, channels: dict[str, dict[str, Any]], hosts: int, root: Path) -> None:
    """
    Train and write the model.

    :param channels: ``inputdataconfig.json``.
    :param root: ``/opt/ml``.
    :raises AlgorithmError: hyperparameters or data cannot be trained on.
    """
    if hosts > 1:
        raise AlgorithmError(f"{hosts} instances: localaws trains BlazingText on one")
    _say(f"Running single machine CPU BlazingText training using {parameters.mode} mode.")
    sentences = _gather(parameters, channels, root)
    began = time.monotonic()
    try:
        if parameters.mode == SUPERVISED:
            _train_classifier(parameters, sentences["train"], sentences.get("validation"), root / "model")
        else:
            _train_vectors(parameters, sentences["train"], root / "model")
    except (ValueError, RuntimeError) as error:
        # fastText's own: an empty vocabulary, or a learning rate that leads to NaN.
        raise AlgorithmError(f"fastText: {error}") from error
    except MemoryError as error:
        raise AlgorithmError("not enough memory: choose smaller buckets or vector_dim") from error
    _say(f"Total training time in seconds: {time.monotonic() - began:.2f}")


def _gather(parameters: Parameters, channels: dict[str, dict[str, Any]], root: Path) -> dict[str, Sentences]:
    supervised = parameters.mode == SUPERVISED
    allowed = ("train", "validation") if supervised else ("train",)
    if unknown := sorted(set(channels) - set(allowed)):
        raise AlgorithmError(f"{unknown[0]} is not a channel of the mode {parameters.mode}: {', '.join(allowed)}")
    if "train" not in channels:
        raise AlgorithmError("the channel train is missing")
    if supervised and parameters["early_stopping"] and "validation" not in channels:
        raise AlgorithmError("early_stopping needs the channel validation, which is missing")
    found = {}
    for name, config in channels.items():
        path = root / "input" / f"{name}.txt"
        # Only a manifest has attributes; a job without Describe's members finds them in this file.
        manifest = bool(config.get("AttributeNames"))
        lines = gather(root / "input" / "data" / name, name, path, supervised=supervised, manifest=manifest)
        _say(f"Processing the channel {name}: {lines} lines, {path.stat().st_size / 1e6:.2f} MB")
        found[name] = Sentences(path, lines)
    return found


def _train_classifier(parameters: Parameters, train: Sentences, validation: Sentences | None, output: Path) -> None:
    if parameters["early_stopping"] and validation is not None:
        model = _stop_early(parameters, train, validation)
    else:
        model = _classifier(parameters, train, parameters["epochs"])
    _words(model, parameters)
    _say(f"Number of labels: {len(model.labels)}")
    output.mkdir(parents=True, exist_ok=True)
    model.save_model(str(output / "model.bin"))
    _say("Training finished.")
    _report("train", model, train)
    if validation is not None:
        _report("validation", model, validation)


def _stop_early(parameters: Parameters, train: Sentences, validation: Sentences) -> Any:
    best, best_accuracy, waited = None, -1.0, 0
    for epochs in _epochs(parameters):
        model = _classifier(parameters, train, epochs)
        accuracy = model.test(str(validation.path))[1]
        _say(f"-------------- Trained for {epochs} epochs\nValidation accuracy: {accuracy:g}")
        if accuracy > best_accuracy:
            _say("Validation accuracy improved! Storing best weights...")
            best, best_accuracy, waited = model, accuracy, 0
            continue
        waited += 1
        _say(f"Validation accuracy has not improved for {waited} epochs, patience is {parameters['patience']}.")
        if waited >= parameters["patience"]:
            _say("Validation accuracy has not improved for patience epochs. Stopping early.")
            break
    return best


def _epochs(parameters: Parameters) -> Iterator[int]:
    yield from range(min(parameters["min_epochs"], parameters["epochs"]), parameters["epochs"] + 1)


def _classifier(parameters: Parameters, train: Sentences, epochs: int) -> Any:
    return fasttext.train_supervised(
        input=str(train.path),
        lr=parameters["learning_rate"],
        dim=parameters["vector_dim"],
        epoch=epochs,
        minCount=parameters["min_count"],
        wordNgrams=parameters["word_ngrams"],
        bucket=parameters["buckets"],
        thread=_threads(train),
        verbose=0,
    )


def _report(channel: str, model: Any, sentences: Sentences) -> None:
    """Print the two lines that the metrics ``train:accuracy`` and ``validation:accuracy`` are read from."""
    examples, precision, _ = model.test(str(sentences.path))
    _say(f"#{channel}_accuracy: {precision:.4f}\nNumber of {channel} examples: {examples}")


def _train_vectors(parameters: Parameters, train: Sentences, output: Path) -> None:
    if parameters.mode == "batch_skipgram":
        _say("batch_skipgram is trained as skipgram: fastText updates word by word, and batch_size is of no effect.")
    subwords = parameters["subwords"]
    model = fasttext.train_unsupervised(
        input=str(train.path),
        model="cbow" if parameters.mode == "cbow" else "skipgram",
        lr=parameters["learning_rate"],
        dim=parameters["vector_dim"],
        ws=parameters["window_size"],
        epoch=parameters["epochs"],
        minCount=parameters["min_count"],
        minn=parameters["min_char"] if subwords else 0,
        maxn=parameters["max_char"] if subwords else 0,
        neg=parameters["negative_samples"],
        bucket=parameters["buckets"],
        t=parameters["sampling_threshold"],
        thread=_threads(train),
        verbose=0,
    )
    words = _words(model, parameters)
    _say("Not evaluated on the WordSimilarity-353 set: localaws has no such evaluation, and writes no eval.json.")
    output.mkdir(parents=True, exist_ok=True)
    model.save_model(str(output / "vectors.bin"))
    with open(output / "vectors.txt", "w", encoding="utf-8") as text:
        text.write(f"{len(words)} {parameters['vector_dim']}\n")
        for word in words:
            text.write(f"{word} {' '.join(f'{value:.6g}' for value in model.get_word_vector(word))}\n")
    _say("Training finished.")


def _words(model: Any, parameters: Parameters) -> list[str]:
    """Return the vocabulary. fastText accepts one that holds nothing but labels or the line end."""
    words: list[str] = model.words
    if not set(words) - {fasttext.FastText.EOS}:
        raise AlgorithmError(f"no word occurs min_count = {parameters['min_count']} times")
    _say(f"Number of words: {len(words)}")
    return words


def _threads(train: Sentences) -> int:
    return 1 if train.path.stat().st_size < _ONE_THREAD_BYTES else os.cpu_count() or 1


def _say(text: str) -> None:
    print(text, flush=True)
