"""How the model server of an image is run: its command line and its variables, for endpoints and for transform jobs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import localaws
from localaws.images import Image
from localaws.sagemaker.jobs import sandbox

_ROOT = Path(localaws.__file__).parents[1]


def command(image: Image, worker: str, socket: Path, silence: float, *, base: str = sandbox.ML_ROOT) -> list[str]:
    """
    The command line.

    :param image: one that serves.
    :param worker: the name that it answers pings with.
    :param socket: where it listens.
    :param silence: seconds without a ping after which it ends itself.
    :param base: where the process finds its ``/opt/ml``.
    """
    arguments = ["--image", image.repository, "--base", base, "--worker", worker]
    arguments += ["--socket", str(socket), "--silence", str(silence)]
    return [sys.executable, "-m", str(image.serving), *arguments]


def variables(region: str, given: Mapping[str, str]) -> dict[str, str]:
    """What SageMaker sets, and over it what the model says."""
    return {"SAGEMAKER_REGION": region, "SM_MODEL_DIR": "/opt/ml/model", **given, **importing(given)}


def importing(given: Mapping[str, str]) -> dict[str, str]:
    """What the process finds localaws by, before a path that the model's own variables name."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), given.get("PYTHONPATH")]))}
