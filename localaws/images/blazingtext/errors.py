"""How the algorithm fails."""

from __future__ import annotations

from localaws.images.entrypoint import ContainerError


class AlgorithmError(ContainerError):
    """Hyperparameters or data that cannot be trained on."""
