"""How a module of ours is a container's process: where ``/opt/ml`` is, and how it fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path


class ContainerError(Exception):
    """Settings or data that cannot be worked on; the text becomes the job's FailureReason."""


def root() -> Path:
    """``/opt/ml``, wherever it is."""
    return Path(os.environ["LOCALAWS_ML_ROOT"])


def play(work: Callable[[], object]) -> None:
    """Do the work; exit status 1, and the reason for FailureReason and ExitMessage, where it cannot be done."""
    try:
        work()
    except ContainerError as error:
        # The first is what becomes FailureReason, the second a processing job's ExitMessage.
        for name in ("failure", "message"):
            path = root() / "output" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"ClientError: {error}")
        sys.exit(f"ClientError: {error}")
