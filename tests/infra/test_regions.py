"""The image URIs of each region, held against what the SageMaker SDK makes of its own files."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from include import regions
from infra.regions import derived

KNOWN = json.loads(regions.REGIONS.read_text())
#: as SageMaker's SDK is asked for each.
ASKED: dict[str, dict[str, Any]] = {
    "training": {
        "framework": "huggingface",
        "version": "5.3.0",
        "base_framework_version": "pytorch2.9.0",
        "py_version": "py312",
        "image_scope": "training",
        "instance_type": "ml.g5.xlarge",
    },
    "inference": {
        "framework": "huggingface",
        "version": "4.51.3",
        "base_framework_version": "pytorch2.6.0",
        "py_version": "py312",
        "image_scope": "inference",
        "instance_type": "ml.m5.large",
    },
    "clarify": {"framework": "clarify", "version": "1.0"},
    "blazingtext": {"framework": "blazingtext", "version": "1"},
}


def test_the_data_file_is_what_the_sdk_ships() -> None:
    date.fromisoformat(KNOWN["date"])
    assert derived(KNOWN["date"]) == KNOWN, "run: python -m infra.regions --write"


@pytest.mark.parametrize("image", sorted(ASKED))
def test_the_sdk_makes_the_same_uri_in_every_region(image: str) -> None:
    from sagemaker.core.image_uris import retrieve

    for region in KNOWN["images"][image]["accounts"]:
        assert regions.image_uri(image, region, {}) == retrieve(region=region, **ASKED[image]), region


def test_the_uris_of_the_default_region_are_those_that_digests_of_jobs_were_made_with() -> None:
    registry = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
    training = f"{registry}/huggingface-pytorch-training:2.9.0-transformers5.3.0-gpu-py312-cu130-ubuntu22.04"
    assert {image: regions.image_uri(image, "us-east-1", {}) for image in regions.VARIABLES} == {
        "training": training,
        "processing": training,
        "inference": f"{registry}/huggingface-pytorch-inference:2.6.0-transformers4.51.3-cpu-py312-ubuntu22.04",
        "clarify": "205585389593.dkr.ecr.us-east-1.amazonaws.com/sagemaker-clarify-processing:1.0",
        "blazingtext": "811284229777.dkr.ecr.us-east-1.amazonaws.com/blazingtext:1",
    }


def test_an_unknown_region_says_what_to_set_and_which_are_known() -> None:
    with pytest.raises(ValueError, match=r"no clarify image .*'moon-1': set SAGEMAKER_CLARIFY_IMAGE.* us-east-1, "):
        regions.image_uri("clarify", "moon-1", {})


def test_an_image_of_one_s_own_needs_no_known_region() -> None:
    assert regions.image_uri("clarify", "moon-1", {"SAGEMAKER_CLARIFY_IMAGE": "registry/x:1"}) == "registry/x:1"
