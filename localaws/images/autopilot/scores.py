"""The metrics of a candidate on the validation part."""

from __future__ import annotations

import numpy as np
from sklearn import metrics

from localaws.images.autopilot.objectives import BINARY, LOGGED, OBJECTIVES


def score(labels: np.ndarray, odds: np.ndarray, problem_type: str) -> dict[str, float]:
    """
    Return the metrics of the problem type, by AWS's names. The last class of a binary problem is the positive one.

    :param labels: class numbers [rows].
    :param odds: the probability of each class [rows, classes].
    """
    found = odds.argmax(1)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(labels, found, average="macro", zero_division=0)
    values = {
        "Accuracy": metrics.accuracy_score(labels, found),
        "BalancedAccuracy": metrics.recall_score(
            labels, found, average="macro", zero_division=0, labels=_present(labels)
        ),
        "F1macro": f1,
        "PrecisionMacro": precision,
        "RecallMacro": recall,
        "LogLoss": metrics.log_loss(labels, odds, labels=list(range(odds.shape[1]))),
    }
    if problem_type == BINARY:
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            labels, found, average="binary", pos_label=1, zero_division=0
        )
        values |= {"Precision": precision, "Recall": recall, "F1": f1}
        if len(_present(labels)) == 2:
            values["AUC"] = metrics.roc_auc_score(labels, odds[:, 1])
    return {name: float(values[name]) for name in (*OBJECTIVES[problem_type], "LogLoss") if name in values}


def lines(scores: dict[str, float]) -> list[str]:
    """Return the lines of the log that the image's metric definitions read."""
    return [f"{LOGGED[name]}={value:.6f}" for name, value in scores.items()]


def _present(labels: np.ndarray) -> list[int]:
    return [int(label) for label in np.unique(labels)]
