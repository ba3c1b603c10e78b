"""How the jobs of an AutoML job fail."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path


class AutopilotError(Exception):
    """Data or settings that cannot be worked on; the text becomes the job's FailureReason."""


def root() -> Path:
    """``/opt/ml``, wherever it is."""
    return Path(os.environ["LOCALAWS_ML_ROOT"])


def play(work: Callable[[], object]) -> None:
    """Be a container's process: exit status 1, and the reason for FailureReason and ExitMessage, where it fails."""
    try:
        work()
    except AutopilotError as error:
        for name in ("failure", "message"):
            path = root() / "output" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"ClientError: {error}")
        sys.exit(f"ClientError: {error}")
