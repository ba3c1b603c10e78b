"""What the job needs beside its container's libraries: processing containers do not read ``requirements.txt``."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from job import Unavailable

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
MODULES = ("onnx", "onnxruntime")


def ensure() -> None:
    """Install ``requirements.txt`` where something of it is missing. :raises Unavailable: pip cannot."""
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if not missing:
        return
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--requirement", str(REQUIREMENTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or "pip said nothing").splitlines()[-1]
        raise Unavailable(
            f"{' and '.join(missing)} cannot be installed: {said}; give the job an image that has them, by "
            "SAGEMAKER_PROCESSING_IMAGE"
        )
    importlib.invalidate_caches()
