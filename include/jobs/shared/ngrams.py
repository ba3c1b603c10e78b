"""
A linear model on a text's tokens and pairs of neighbouring tokens, whose logits are mixed with the encoder's.

The two err on different reviews. A model's archive holds the weights (``ngrams.npz``) and a copy of this module. Jobs
that train or serve models ship it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

FILE = "ngrams.npz"
#: a pair's key is its first token in the upper half, and its second one, plus 1, in the lower.
HALF = 32


def terms(ids: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return the keys of a text's tokens and pairs, each once and sorted, uint64."""
    first = np.asarray(ids, np.uint64) << np.uint64(HALF)
    return np.unique(np.concatenate([first, first[:-1] | (first[1:] >> np.uint64(HALF)) + np.uint64(1)]))


class Ngrams:
    """
    Token ids -> logits.

    :param keys: of the terms that count, sorted, uint64.
    :param weights: of each term for each class, [terms, classes].
    :param bias: [classes].
    :param encoder: what the encoder's logits are multiplied by before those of this model are added.
    """

    def __init__(self, keys: np.ndarray, weights: np.ndarray, bias: np.ndarray, encoder: float = 1.0) -> None:
        self.keys, self.weights, self.bias = keys, weights.astype(np.float32), bias.astype(np.float32)
        self.encoder = encoder

    def known(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the places in ``keys`` of the terms of one text."""
        return self.places(terms(ids))

    def places(self, found: np.ndarray) -> np.ndarray:
        """Return the places in ``keys`` of those of a text's terms that are among them."""
        at = np.searchsorted(self.keys, found)
        known: np.ndarray = at[np.append(self.keys, 0)[at] == found]
        return known

    def __call__(self, rows: Sequence[Sequence[int] | np.ndarray] | np.ndarray) -> np.ndarray:
        """Return the logits of texts, given the ids of each without padding, [rows, classes]."""
        logits = np.tile(self.bias, (len(rows), 1))
        for number, ids in enumerate(rows):
            at = self.known(ids)
            logits[number] += self.weights[at].sum(0) / max(1, len(at)) ** 0.5
        return logits

    def save(self, folder: Path) -> None:
        """Write the weights into ``folder``, in half precision."""
        weights = self.weights.astype(np.float16)
        np.savez_compressed(folder / FILE, keys=self.keys, weights=weights, bias=self.bias, encoder=self.encoder)


def load(folder: Path) -> Ngrams | None:
    """Return the model in ``folder``; None where an archive has none."""
    if not (folder / FILE).is_file():
        return None
    with np.load(folder / FILE, allow_pickle=False) as arrays:
        return Ngrams(arrays["keys"], arrays["weights"], arrays["bias"], float(arrays["encoder"]))
