"""The candidate ``linear``: multinomial logistic regression on the mean token vectors of a frozen encoder."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from localaws.images.autopilot.encoder import Classifier, Ids, embeddings

Say = Callable[[str], None]

#: the strengths that cross-validation chooses from: scikit-learn's C, smaller is stronger regularisation.
_STRENGTHS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
_ITERATIONS = 300


def fit(
    model: Classifier, ids: Ids, labels: np.ndarray, *, padding: int, folds: int, seed: int, deadline: float, say: Say
) -> None:
    """
    Set the model's head; the encoder stays as it is.

    :param folds: of the cross-validation that chooses the regularisation, at most as many as the rarest class has rows.
    :param deadline: of the monotonic clock: the strengths that are not tried by then are left out.
    """
    vectors = embeddings(model, ids, padding)
    say(f"embedded {len(ids)} texts")
    scaler = StandardScaler().fit(vectors)
    scaled = scaler.transform(vectors)
    folds = min(folds, int(np.bincount(labels).min()))
    strength = _choose(scaled, labels, folds, seed, deadline, say)
    fitted = _regression(scaled, labels, strength)
    # Two classes have one row of weights, for the second against the first.
    weights, bias = fitted.coef_, fitted.intercept_
    if len(weights) == 1:
        weights, bias = np.vstack([-weights / 2, weights / 2]), np.concatenate([-bias / 2, bias / 2])
    with torch.no_grad():
        # The scaling goes into the layer.
        weights = weights / scaler.scale_
        model.head.weight.copy_(torch.from_numpy(weights))
        model.head.bias.copy_(torch.from_numpy(bias - weights @ scaler.mean_))


def _choose(vectors: np.ndarray, labels: np.ndarray, folds: int, seed: int, deadline: float, say: Say) -> float:
    """Return the strength with the best mean accuracy over the folds; of equal ones, the stronger regularisation."""
    best, best_accuracy = _STRENGTHS[len(_STRENGTHS) // 2], -1.0
    if folds < 2:
        say(f"a class with one row: no cross-validation, C={best:g}")
        return best
    parts = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(vectors, labels))
    for strength in _STRENGTHS:
        if time.monotonic() > deadline:
            say("out of time: the best so far is taken")
            break
        scores = [
            _regression(vectors[fit_on], labels[fit_on], strength).score(vectors[rest], labels[rest])
            for fit_on, rest in parts
        ]
        accuracy = float(np.mean(scores))
        say(f"C={strength:g}: accuracy {accuracy:.4f} over {folds} folds")
        if accuracy > best_accuracy:
            best, best_accuracy = strength, accuracy
    return best


def _regression(vectors: np.ndarray, labels: np.ndarray, strength: float) -> LogisticRegression:
    with warnings.catch_warnings():
        # A fit that stops at the last iteration is as good as its score.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=_ITERATIONS).fit(vectors, labels)
