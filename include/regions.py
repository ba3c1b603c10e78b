"""
AWS's container images in each region, from ``include/data/regions.json``.

That file is a dated copy of what the SageMaker SDK knows; ``python -m infra.regions --write`` writes it again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

REGIONS = Path(__file__).parent / "data" / "regions.json"
#: image -> the environment variable that gives another one.
VARIABLES = {
    "training": "SAGEMAKER_TRAINING_IMAGE",
    "processing": "SAGEMAKER_PROCESSING_IMAGE",
    "inference": "SAGEMAKER_INFERENCE_IMAGE",
    "clarify": "SAGEMAKER_CLARIFY_IMAGE",
    "blazingtext": "SAGEMAKER_BLAZINGTEXT_IMAGE",
}


def image_uri(image: str, region: str, environment: Mapping[str, str]) -> str:
    """
    Return an image's URI: the value of its environment variable, else the one of AWS's account in the region.

    :param image: a key of :data:`VARIABLES`.
    :raises ValueError: there is no variable, and no account is known for the region.
    """
    variable = VARIABLES[image]
    if given := environment.get(variable):
        return given
    found = _data()
    # The processing jobs run in the training image.
    known = found["images"]["training" if image == "processing" else image]
    if region not in known["accounts"]:
        raise ValueError(
            f"no {image} image is known in region {region!r}: set {variable} to its URI, or AWS_DEFAULT_REGION to one "
            f"of {', '.join(sorted(known['accounts']))}"
        )
    domain = found["domains"].get(region, "amazonaws.com")
    return f"{known['accounts'][region]}.dkr.ecr.{region}.{domain}/{known['repository']}"


@lru_cache(maxsize=1)
def _data() -> Any:
    return json.loads(REGIONS.read_text())
