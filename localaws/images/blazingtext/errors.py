"""How the algorithm fails."""

from __future__ import annotations


class AlgorithmError(Exception):
    """Hyperparameters or data that cannot be trained on; the text becomes the job's FailureReason."""
