"""
Plays ``train`` of the image ``sagemaker-autopilot``: one candidate.

Channels ``train``, ``validation`` and ``dataset`` are the outputs of the features job. The candidate's score is that
of the saved model, loaded by the code that serves it, on the validation part; where that does not say the same as the
model that was trained, the job fails.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from localaws.images.autopilot import finetune, linear, package
from localaws.images.autopilot.encoder import Classifier, gains_by_bf16, load_encoder, probabilities
from localaws.images.autopilot.errors import AutopilotError
from localaws.images.autopilot.features import load_tokenizer
from localaws.images.autopilot.kinds import KINDS, LINEAR, named
from localaws.images.autopilot.scores import lines, score
from localaws.images.entrypoint import play, root

#: rows of the validation part on which the model before and after saving are compared.
_COMPARED = 256
#: how far a probability may differ between the two: rounding in fp32.
_TOLERANCE = 1e-3
#: of the time that the job may take, what is kept for scoring, saving and uploading.
_RESERVE = 0.25
_MOST_RESERVE_S = 90.0


@dataclass(frozen=True)
class Part:
    """One part of the data: texts, their token ids and class numbers [rows]."""

    texts: list[str]
    ids: list[list[int]]
    labels: np.ndarray

    @classmethod
    def read(cls, folder: Path) -> Part:
        """
        Read a channel.

        :raises AutopilotError: it is not an output of the features job.
        """
        try:
            table = pq.read_table(folder, columns=["text", "label_id", "input_ids"])
        except (ValueError, OSError) as error:
            raise AutopilotError(f"the channel {folder.name} is not an output of the features job: {error}") from error
        return cls(table["text"].to_pylist(), table["input_ids"].to_pylist(), table["label_id"].to_numpy())


class Clock:
    """Progress lines with the seconds since the start."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def say(self, text: str) -> None:
        """Print a line."""
        print(f"{time.monotonic() - self.began:7.1f} s  {text}", flush=True)


def main() -> None:
    """Train by the job's hyperparameters and channels."""
    folder = root()
    hyperparameters = json.loads((folder / "input" / "config" / "hyperparameters.json").read_text())
    play(lambda: run(hyperparameters, folder))


def run(hyperparameters: Mapping[str, str], folder: Path) -> dict[str, float]:
    """
    Train, save, load and score one candidate; its metrics.

    :param folder: ``/opt/ml``.
    :raises AutopilotError: it cannot be trained, or what was saved is not what was trained.
    """
    clock = Clock()
    settings = _settings(hyperparameters)
    data = folder / "input" / "data"
    train, validation = Part.read(data / "train"), Part.read(data / "validation")
    dataset = json.loads((data / "dataset" / "dataset.json").read_text())
    _seed(int(settings["seed"]))
    tokenizer = load_tokenizer(dataset["base_model"])
    padding = tokenizer.pad_token_id or 0
    model = Classifier(load_encoder(dataset["base_model"]), len(dataset["classes"])).eval()
    model.bf16 = gains_by_bf16()
    precision = "bf16" if model.bf16 else "fp32"
    clock.say(f"candidate {settings['candidate']}: {len(train.ids)} texts, {dataset['base_model']}, {precision}")
    _fit(model, train, settings, padding, clock)
    model.bf16 = False
    package.save(model, tokenizer, {**dataset, "candidate": settings["candidate"]}, folder / "model")
    clock.say("saved the model")
    scores = _check_and_score(model, validation, dataset["problem_type"], padding, folder / "model")
    clock.say(f"scored the saved model on {len(validation.ids)} texts")
    for line in lines(scores):
        print(line, flush=True)
    return scores


def _settings(given: Mapping[str, str]) -> dict[str, str]:
    kind = named(given.get("candidate", ""))
    if kind is None:
        known = ", ".join(kind.name for kind in KINDS)
        raise AutopilotError(f"the hyperparameter candidate is {given.get('candidate')!r}: it must be one of {known}")
    known_names = {"candidate", "max_runtime", *kind.hyperparameters}
    if unknown := sorted(name for name in given if name not in known_names and not name.startswith("_")):
        raise AutopilotError(f"{unknown[0]} is not a hyperparameter of the candidate {kind.name}")
    settings = {**kind.hyperparameters, "max_runtime": "86400", **given}
    for name, text in settings.items():
        if name != "candidate" and not name.startswith("_"):
            _number(name, text)
    return settings


def _number(name: str, text: str) -> None:
    try:
        good = float(text) > 0 or name == "seed"
        if not name.endswith("learning_rate"):
            int(text)
    except ValueError:
        good = False
    if not good:
        what = "a positive number" if name.endswith("learning_rate") else "a positive integer"
        raise AutopilotError(f"the hyperparameter {name} is {text!r}: it must be {what}")


def _fit(model: Classifier, train: Part, settings: dict[str, str], padding: int, clock: Clock) -> None:
    limit = float(settings["max_runtime"])
    deadline = clock.began + limit - min(_MOST_RESERVE_S, _RESERVE * limit)
    seed = int(settings["seed"])
    if settings["candidate"] == LINEAR.name:
        folds = int(settings["folds"])
        linear.fit(
            model, train.ids, train.labels, padding=padding, folds=folds, seed=seed, deadline=deadline, say=clock.say
        )
        return
    layers = settings.get("trained_layers")
    options = finetune.Settings(
        epochs=int(settings["epochs"]),
        batch_size=int(settings["batch_size"]),
        learning_rate=float(settings["learning_rate"]),
        head_learning_rate=float(settings["head_learning_rate"]),
        seed=seed,
        trained_layers=int(layers) if layers else None,
        deadline=deadline,
    )
    finetune.Trainer(model, train.ids, train.labels, padding=padding, settings=options, say=clock.say).fit()


def _check_and_score(
    model: Classifier, validation: Part, problem_type: str, padding: int, folder: Path
) -> dict[str, float]:
    """
    Score the saved model.

    :raises AutopilotError: its probabilities differ from those of the model in memory.
    """
    served = package.load(folder)
    odds = served(validation.texts)
    some = slice(0, _COMPARED)
    trained = probabilities(model, validation.ids[some], padding)
    difference = float(np.abs(odds[some] - trained).max())
    if difference > _TOLERANCE:
        raise AutopilotError(f"the saved model's probabilities differ by up to {difference:.4f} from the trained one's")
    return score(validation.labels, odds, problem_type)


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


if __name__ == "__main__":
    main()
