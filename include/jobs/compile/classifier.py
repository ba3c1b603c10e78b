"""The model behind an endpoint, by ONNX Runtime on a CPU: texts in, sentiments out."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ngrams
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

MODEL = "model.onnx"
#: reviews of one request that are computed at a time.
THREADS = os.cpu_count() or 1

Prediction = dict[str, Any]


class Classifier:
    """
    The model; texts -> predictions.

    Each text goes through the model by itself. The scale of a quantised layer's input follows from all that is in it,
    so that in a batch an answer would depend on the other texts.

    :param session: ``input_ids`` and ``attention_mask`` [1, length] -> ``logits`` [1, classes].
    :param tokenizer: cuts texts to the longest input.
    :param labels: the sentiments, in the order of the logits.
    :param longest: tokens of the longest input.
    :param text: what the model reads of a review.
    :param beside: the linear model whose logits are mixed in, if there is one.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        tokenizer: Tokenizer,
        labels: list[int],
        longest: int,
        text: str,
        beside: ngrams.Ngrams | None = None,
    ) -> None:
        self.beside = beside
        self.session, self.tokenizer, self.labels, self.longest, self.text = session, tokenizer, labels, longest, text
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="classifier")

    def __call__(self, texts: Sequence[str]) -> list[Prediction]:
        """Return the predictions for ``texts``, in order; may be called by several threads at once."""
        if len(texts) == 1:
            return [self.classify(texts[0])]
        return list(self.threads.map(self.classify, texts))

    def classify(self, text: str) -> Prediction:
        """Return the prediction for one text."""
        # What lies beyond is beyond the longest input too: it need not be tokenised.
        ids = np.array([self.tokenizer.encode(text[: self.longest * 100]).ids], dtype=np.int64)
        logits = self.session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0]
        if self.beside:
            logits = self.beside.encoder * logits + self.beside(ids)[0]
        odds = np.exp(logits - logits.max())
        odds /= odds.sum()
        best = int(odds.argmax())
        probability = round(float(odds[best]), 6)
        return {"predicted_label": self.labels[best], "probability": probability, "odds": odds.tolist()}


def load(folder: Path) -> Classifier:
    """Load the model."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    labels = [int(config["id2label"][str(at)]) for at in range(len(config["id2label"]))]
    longest = int(json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))["model_max_length"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(longest)
    tokenizer.no_padding()
    # An archive that does not say has read bodies alone.
    text = config.get("review_text", "body")
    return Classifier(_session(folder / MODEL), tokenizer, labels, longest, text, ngrams.load(folder))


def _session(model: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # One thread for a review, and the other cores for other reviews and for what calls the model. A second one gains
    # only by waiting in a busy loop, which takes the core from the rest.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
