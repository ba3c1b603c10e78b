"""Problem types, the objectives that suit them, and the metrics of a candidate."""

from __future__ import annotations

BINARY = "BinaryClassification"
MULTICLASS = "MulticlassClassification"

#: AWS's default first.
OBJECTIVES = {
    BINARY: ("F1", "Accuracy", "AUC", "BalancedAccuracy", "Precision", "Recall"),
    MULTICLASS: ("Accuracy", "F1macro", "BalancedAccuracy", "PrecisionMacro", "RecallMacro"),
}

#: AWS's name of a metric -> its name in the log and in FinalMetricDataList.
LOGGED = {
    "Accuracy": "validation:accuracy",
    "BalancedAccuracy": "validation:balanced_accuracy",
    "F1": "validation:binary_f1",
    "AUC": "validation:auc",
    "Precision": "validation:precision",
    "Recall": "validation:recall",
    "F1macro": "validation:macro_f1",
    "PrecisionMacro": "validation:macro_precision",
    "RecallMacro": "validation:macro_recall",
    "LogLoss": "validation:log_loss",
}

#: name and regex of each metric in a candidate's log: the definitions of the image.
DEFINITIONS = tuple((name, rf"{name}=(\S+)") for name in LOGGED.values())


def default(problem_type: str) -> str:
    """Return the objective of a job that names none."""
    return OBJECTIVES[problem_type][0]
