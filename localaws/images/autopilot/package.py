"""
The model as it lies in ``model.tar.gz``, and a classifier of texts made from it.

``encoder/`` and its tokenizer in Hugging Face layout, ``head.safetensors``, and ``dataset.json``: the classes, the
columns of the data set, and how many tokens count.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from localaws.images.autopilot.encoder import Classifier, load_encoder, probabilities


class TextClassifier:
    """
    Texts -> probabilities. Several threads may use it at once.

    :param dataset: ``dataset.json``.
    """

    def __init__(self, model: Classifier, tokenizer: Any, dataset: dict[str, Any]) -> None:
        self.dataset = dataset
        self.classes: list[str] = dataset["classes"]
        self._model = model
        self._tokenizer = tokenizer
        self._longest: int = dataset["max_tokens"]
        # A tokenizer that two threads use at once raises "Already borrowed".
        self._lock = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Of each class for each text, [texts, classes]."""
        # What lies beyond is beyond the longest input too, and need not be tokenised. Blanks at the ends do not count:
        # they were taken off before training.
        cut = [text.strip()[: self._longest * 100] for text in texts]
        with self._lock:
            ids = self._tokenizer(cut, truncation=True, max_length=self._longest)["input_ids"]
        return probabilities(self._model, ids, self._tokenizer.pad_token_id or 0)


def save(model: Classifier, tokenizer: Any, dataset: dict[str, Any], folder: Path) -> None:
    """Write a model."""
    folder.mkdir(parents=True, exist_ok=True)
    model.encoder.save_pretrained(folder / "encoder")
    tokenizer.save_pretrained(folder / "encoder")
    save_file(
        {name: value.contiguous() for name, value in model.head.state_dict().items()}, folder / "head.safetensors"
    )
    (folder / "dataset.json").write_text(json.dumps(dataset, indent=2))


def load(folder: Path) -> TextClassifier:
    """
    Read a model.

    :raises OSError: a file is missing.
    :raises AutopilotError: the encoder cannot be loaded.
    """
    dataset = json.loads((folder / "dataset.json").read_text())
    model = Classifier(load_encoder(folder / "encoder"), len(dataset["classes"]))
    model.head.load_state_dict(load_file(folder / "head.safetensors"))
    tokenizer = AutoTokenizer.from_pretrained(folder / "encoder")  # type: ignore[no-untyped-call]
    return TextClassifier(model.eval(), tokenizer, dataset)
