"""How an analysis fails."""

from __future__ import annotations


class AnalysisError(Exception):
    """The configuration or the data set cannot be analysed; the text becomes the job's FailureReason."""
