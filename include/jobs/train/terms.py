"""Fitting the linear model on tokens and pairs of them that answers beside the encoder: seconds, before any epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from data import CLASSES, Examples
from ngrams import Ngrams, terms

#: reviews to fit it on at most: bounds time and memory, whatever the number of reviews.
MOST_ROWS = 100_000
#: reviews that a term must occur in.
FEWEST = 2
ITERATIONS = 30


def fit(examples: Examples, weights: np.ndarray, share: float, seed: int) -> Ngrams:
    """
    Fit by logistic regression with L2 regularisation, all reviews at once.

    :param weights: of each class in the loss, [classes].
    :param share: of its logits in the mixture with the encoder's.
    """
    examples = examples.take(MOST_ROWS, seed)
    found = [terms(examples.row(row)) for row in range(len(examples))]
    keys, counts = np.unique(np.concatenate(found), return_counts=True)
    model = Ngrams(keys[counts >= FEWEST], np.zeros((0, CLASSES)), np.zeros(CLASSES))
    places = [model.places(own) for own in found]
    learned = _regression(places, len(model.keys), examples.labels, weights)
    return Ngrams(model.keys, share * learned[:-1], share * learned[-1], 1 - share)


def _regression(places: Sequence[np.ndarray], count: int, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weight of each of ``count`` terms and, last, the bias, [count + 1, classes]."""
    sizes = np.array([len(own) for own in places])
    columns, values = np.concatenate(places), np.repeat(np.maximum(sizes, 1) ** -0.5, sizes)
    entries, shape = np.stack([np.repeat(np.arange(len(places)), sizes), columns]), (len(places), count)
    places_of, given = torch.from_numpy(entries), torch.from_numpy(values)
    matrix = torch.sparse_coo_tensor(places_of, given, shape, dtype=torch.float32, check_invariants=False).coalesce()
    turned = matrix.t().coalesce()
    right = torch.from_numpy(np.eye(CLASSES)[labels]).float()
    balance = torch.from_numpy(weights[labels]).float()[:, None]
    learned = torch.zeros(count + 1, CLASSES)
    optimizer = torch.optim.LBFGS([learned], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> float:
        odds = (matrix @ learned[:-1] + learned[-1]).log_softmax(1)
        off = balance * (odds.exp() - right)
        learned.grad = torch.cat([turned @ off + learned[:-1], off.sum(0, keepdim=True)])
        return float(0.5 * learned[:-1].square().sum() - (balance * right * odds).sum())

    optimizer.step(loss)
    return learned.numpy()
