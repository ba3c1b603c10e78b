"""
The data file of AWS's image accounts, from what the SageMaker SDK ships.

Write ``include/data/regions.json`` again, after an update of the SDK or of a version below, by

    python -m infra.regions --write
"""

from __future__ import annotations

import argparse
import json
import re
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

REGIONS = Path(__file__).parents[1] / "include" / "data" / "regions.json"
SDK = "sagemaker-core"
#: image -> the SDK's file, the way to the version in it, and the tag, which the SDK makes of several members.
_IMAGES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "training": (
        "huggingface",
        ("training", "versions", "5.3.0", "pytorch2.9.0"),
        "2.9.0-transformers5.3.0-gpu-py312-cu130-ubuntu22.04",
    ),
    "inference": (
        "huggingface",
        ("inference", "versions", "4.51.3", "pytorch2.6.0"),
        "2.6.0-transformers4.51.3-cpu-py312-ubuntu22.04",
    ),
    "clarify": ("clarify", ("processing", "versions", "1.0"), "1.0"),
    "blazingtext": ("blazingtext", ("versions", "1"), "1"),
}


def derived(date: str) -> dict[str, Any]:
    """Return the content of the data file, but for its date from what the SDK ships."""
    images = {name: _image(*where) for name, where in _IMAGES.items()}
    regions = sorted({region for image in images.values() for region in image["accounts"]})
    domains = {region: domain for region in regions if (domain := _domain(region)) != "amazonaws.com"}
    return {
        "date": date,
        "source": f"{SDK} {distribution(SDK).version}, image_uri_config",
        "images": images,
        "domains": domains,
    }


def _image(file: str, way: tuple[str, ...], tag: str) -> dict[str, Any]:
    folder = Path(str(distribution(SDK).locate_file("sagemaker/core/image_uri_config")))
    found = json.loads((folder / f"{file}.json").read_text())
    for part in way:
        found = found[part]
    return {"repository": f"{found['repository']}:{tag}", "accounts": dict(sorted(found["registries"].items()))}


def _domain(region: str) -> str:
    """Return the domain of the region's registries."""
    from botocore.session import get_session

    for partition in get_session().get_data("partitions")["partitions"]:
        if region in partition["regions"] or re.fullmatch(partition["regionRegex"], region):
            return str(partition["outputs"]["dnsSuffix"])
    raise ValueError(f"botocore does not know the region {region}")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the data file; else print it")
    arguments = parser.parse_args()
    text = json.dumps(derived(datetime.now(UTC).date().isoformat()), indent=2) + "\n"
    if arguments.write:
        REGIONS.parent.mkdir(exist_ok=True)
        REGIONS.write_text(text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
