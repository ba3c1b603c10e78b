"""How the model server of an image is run: its command line and its variables, for endpoints and for transform jobs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from localaws.core import own_code
from localaws.images import Image
from localaws.sagemaker.jobs import sandbox


def command(image: Image, worker: str, socket: Path, silence: float, *, base: str = sandbox.ML_ROOT) -> list[str]:
    """
    Return the command line of a model server.

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
    """Return the variables that SageMaker sets, overridden by the model's own."""
    return {"SAGEMAKER_REGION": region, "SM_MODEL_DIR": "/opt/ml/model", **given, **importing(given)}


def importing(given: Mapping[str, str]) -> dict[str, str]:
    """Return the PYTHONPATH by which a process finds the localaws of a checkout, before the model's own paths."""
    if own_code.installed():
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(own_code.ROOT), given.get("PYTHONPATH")]))}
