"""How good a candidate is on the validation part, as Model Monitor's ``statistics.json`` for model quality has it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sklearn import metrics

from localaws.images.autopilot.objectives import BINARY

_BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
#: points that a curve has at most.
_MOST_POINTS = 200


def statistics(labels: np.ndarray, odds: np.ndarray, classes: Sequence[str], problem_type: str) -> dict[str, Any]:
    """
    Return the content of ``statistics.json``.

    :param labels: class numbers [rows].
    :param odds: the probability of each class [rows, classes]; the last class is the positive one of two.
    """
    found = odds.argmax(1)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    counts = metrics.confusion_matrix(labels, found, labels=list(range(len(classes))))
    matrix = {
        actual: {predicted: int(counts[row, column]) for column, predicted in enumerate(classes)}
        for row, actual in enumerate(classes)
    }
    if problem_type == BINARY:
        name, values = "binary_classification_metrics", _binary(labels, odds[:, 1], found)
    else:
        name, values = "multiclass_classification_metrics", _multiclass(labels, found)
    return {
        "version": 0.0,
        "dataset": {"item_count": len(labels), "evaluation_time": now},
        name: {"confusion_matrix": matrix, **values},
    }


def _multiclass(labels: np.ndarray, found: np.ndarray) -> dict[str, Any]:
    constant = np.full_like(labels, np.bincount(labels).argmax())
    values = {}
    for ending, predicted in (("", found), ("_best_constant_classifier", constant)):
        values[f"accuracy{ending}"] = metrics.accuracy_score(labels, predicted)
        for name, function in (("recall", metrics.recall_score), ("precision", metrics.precision_score)):
            values[f"weighted_{name}{ending}"] = function(labels, predicted, average="weighted", zero_division=0)
        for name, beta in _BETAS.items():
            values[f"weighted_{name}{ending}"] = metrics.fbeta_score(
                labels, predicted, beta=beta, average="weighted", zero_division=0
            )
    return {name: {"value": float(value)} for name, value in values.items()}


def _binary(labels: np.ndarray, odds: np.ndarray, found: np.ndarray) -> dict[str, Any]:
    constant = np.full_like(labels, np.bincount(labels).argmax())
    values = {}
    for ending, predicted in (("", found), ("_best_constant_classifier", constant)):
        values[f"accuracy{ending}"] = metrics.accuracy_score(labels, predicted)
        values[f"recall{ending}"] = metrics.recall_score(labels, predicted, zero_division=0)
        values[f"precision{ending}"] = metrics.precision_score(labels, predicted, zero_division=0)
        for name, beta in _BETAS.items():
            values[f"{name}{ending}"] = metrics.fbeta_score(labels, predicted, beta=beta, zero_division=0)
    shown: dict[str, Any] = {name: {"value": float(value)} for name, value in values.items()}
    negatives = labels == 0
    rates = {
        "true_positive_rate": _share(found[~negatives] == 1),
        "false_negative_rate": _share(found[~negatives] == 0),
        "true_negative_rate": _share(found[negatives] == 0),
        "false_positive_rate": _share(found[negatives] == 1),
    }
    shown |= {name: {"value": value} for name, value in rates.items() if value is not None}
    if 0 < negatives.sum() < len(labels):
        shown["auc"] = {"value": float(metrics.roc_auc_score(labels, odds))}
        false, true, _ = metrics.roc_curve(labels, odds)
        precisions, recalls, _ = metrics.precision_recall_curve(labels, odds)
        shown["receiver_operating_characteristic_curve"] = {
            "false_positive_rates": _thinned(false),
            "true_positive_rates": _thinned(true),
        }
        shown["precision_recall_curve"] = {"precisions": _thinned(precisions), "recalls": _thinned(recalls)}
    return shown


def _share(hits: np.ndarray) -> float | None:
    return float(hits.mean()) if len(hits) else None


def _thinned(values: np.ndarray) -> list[float]:
    places = np.linspace(0, len(values) - 1, min(len(values), _MOST_POINTS)).astype(int)
    return [float(value) for value in values[places]]
