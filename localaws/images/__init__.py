"""What each container image does here: an image is the Python modules that play its entry points."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from localaws.core import extras
from localaws.core.errors import ValidationException
from localaws.images.autopilot.objectives import DEFINITIONS as _AUTOPILOT_METRICS


@dataclass(frozen=True)
class Image:
    """
    A container image, by what runs in its place; each role is a module for ``python -m``, or ``None``.

    :param repository: its name in the registry, such as ``pytorch-training``.
    :param training: plays ``docker run IMAGE train``.
    :param processing: plays the image's own entry point in a processing job; a ContainerEntrypoint goes before it.
    :param serving: plays ``docker run IMAGE serve``.
    :param metrics: of a built-in algorithm: the metrics that AWS reads from its log, name and regex.
    :param packages: what it brings that an environment of localaws alone does not have.
    :param augmented_manifest: whether its training takes AugmentedManifestFile channels, here as a file of JSON Lines.
    """

    repository: str
    training: str | None = None
    processing: str | None = None
    serving: str | None = None
    metrics: tuple[tuple[str, str], ...] = ()
    packages: tuple[str, ...] = ()
    augmented_manifest: bool = False


class UnknownImage(ValidationException):
    """Nothing here plays that image, or packages that it needs are missing."""


_TOOLKIT = "localaws.images.pytorch"
_SERVER = "localaws.images.serving"
_HUGGING_FACE = ("torch", "transformers")

_IMAGES = {
    image.repository: image
    for image in (
        Image("pytorch-training", training=_TOOLKIT, packages=("torch",)),
        Image("huggingface-pytorch-training", training=_TOOLKIT, packages=_HUGGING_FACE),
        Image("pytorch-inference", serving=_SERVER, packages=("torch",)),
        Image("huggingface-pytorch-inference", serving=_SERVER, packages=_HUGGING_FACE),
        Image("sagemaker-scikit-learn", training=_TOOLKIT, serving=_SERVER, packages=("sklearn",)),
        Image("scikit-learn", training=_TOOLKIT, serving=_SERVER, packages=("sklearn",)),
        Image(
            "sagemaker-clarify-processing",
            processing="localaws.images.clarify.container",
            packages=("smclarify", "matplotlib", "nbformat"),
        ),
        Image(
            "blazingtext",
            training="localaws.images.blazingtext.train",
            serving="localaws.images.blazingtext.serve",
            metrics=(
                ("train:mean_rho", r"#mean_rho: (\S+)"),
                ("train:accuracy", r"#train_accuracy: (\S+)"),
                ("validation:accuracy", r"#validation_accuracy: (\S+)"),
            ),
            packages=("fasttext",),
            augmented_manifest=True,
        ),
        Image(
            "sagemaker-autopilot",
            training="localaws.images.autopilot.train",
            processing="localaws.images.autopilot.processing",
            serving="localaws.images.autopilot.serve",
            metrics=_AUTOPILOT_METRICS,
            packages=(*_HUGGING_FACE, "sklearn", "nbformat"),
        ),
    )
}


def resolve(image_uri: str) -> Image:
    """
    Return the image of a URI by its repository's name; registry, account, region and tag do not matter.

    :raises UnknownImage: no image of that name is known, or this environment lacks its packages.
    """
    found = find(image_uri)
    if found is None:
        known = ", ".join(sorted(_IMAGES))
        raise UnknownImage(f"The image {image_uri!r} is not known here: localaws has {known}")
    missing = [package for package in found.packages if importlib.util.find_spec(package) is None]
    if missing:
        raise UnknownImage(f"The image {image_uri!r} cannot run here: {extras.missing(missing[0], 'jobs')}")
    return found


def find(image_uri: str) -> Image | None:
    """Return the image of a URI, or ``None`` if no image of that name is known."""
    return _IMAGES.get(image_uri.rpartition("/")[2].partition("@")[0].partition(":")[0])
