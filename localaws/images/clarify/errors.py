"""How an analysis fails."""

from __future__ import annotations

from localaws.images.entrypoint import ContainerError


class AnalysisError(ContainerError):
    """The configuration or the data set cannot be analysed."""
