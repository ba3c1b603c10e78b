"""
How good a model is on reviews as they come, where most are positive, rather than on as many of each class.

The test split has as many reviews of each class. Each counts here by its class's share of the training split before
balancing. That estimates the accuracy on a sample of that mix without bias. Its standard error is larger than that of a
sample of as many reviews.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from judging import SENTIMENTS

Shares = np.ndarray


def read_shares(model: Path) -> tuple[Shares, Shares] | None:
    """
    Return the shares of the classes -1, 0, 1: in the training split, and those that the model assumes.

    None for an archive whose configuration does not say: of an earlier train job, or of other code.
    """
    file = model / "config.json"
    config = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if "class_shares" not in config or "learned_shares" not in config:
        return None
    return np.array(config["class_shares"]), np.array(config["learned_shares"])


def natural_mix(
    true: np.ndarray, predicted: np.ndarray, odds: np.ndarray | None, shares: tuple[Shares, Shares]
) -> dict[str, Any]:
    """
    Return the estimated accuracy on the mix of the training split, and its standard error.

    ``prior_corrected`` are the same figures with each odds multiplied by share / assumed share of its class: what a
    threshold for that mix would give. The endpoint does not answer so.

    :param true: sentiments, [reviews], and so ``predicted``.
    :param odds: of -1, 0, 1 by the model, [reviews, 3]; None where its code does not give them.
    :param shares: of :func:`read_shares`.
    """
    mix, assumed = shares
    report = {
        "estimated_from": f"{len(true)} test reviews, weighted by their class's share of the training split",
        "class_shares": dict(zip(map(str, SENTIMENTS), mix.tolist(), strict=True)),
        **_weighted(true, predicted, mix),
    }
    if odds is not None:
        shift = np.divide(mix, assumed, out=np.zeros_like(mix), where=assumed > 0)
        report["prior_corrected"] = _weighted(true, np.array(SENTIMENTS)[(odds * shift).argmax(1)], mix)
    return report


def _weighted(true: np.ndarray, predicted: np.ndarray, mix: Shares) -> dict[str, float]:
    accuracy = variance = 0.0
    present = [at for at, sentiment in enumerate(SENTIMENTS) if (true == sentiment).any()]
    for at in present:
        own = true == SENTIMENTS[at]
        recall, weight = float((predicted[own] == SENTIMENTS[at]).mean()), float(mix[at] / mix[present].sum())
        accuracy += weight * recall
        variance += weight**2 * recall * (1 - recall) / int(own.sum())
    return {"accuracy": accuracy, "standard_error": variance**0.5}
