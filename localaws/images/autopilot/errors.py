"""How the jobs of an AutoML job fail."""

from __future__ import annotations

from localaws.images.entrypoint import ContainerError


class AutopilotError(ContainerError):
    """Data or settings that cannot be worked on."""
