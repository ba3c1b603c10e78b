"""What each container image does here: an image is the Python modules that play its entry points."""

from __future__ import annotations

from dataclasses import dataclass

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
    :param augmented_manifest: whether its training takes AugmentedManifestFile channels, here as a file of JSON Lines.
    """

    repository: str
    training: str | None = None
    processing: str | None = None
    serving: str | None = None
    metrics: tuple[tuple[str, str], ...] = ()
    augmented_manifest: bool = False


class UnknownImage(ValidationException):
    """Nothing here plays that image."""


_TOOLKIT = "localaws.images.pytorch"
_SERVER = "localaws.images.serving"

_IMAGES = {
    image.repository: image
    for image in (
        Image("pytorch-training", training=_TOOLKIT),
        Image("huggingface-pytorch-training", training=_TOOLKIT),
        Image("pytorch-inference", serving=_SERVER),
        Image("huggingface-pytorch-inference", serving=_SERVER),
        Image("sagemaker-scikit-learn", training=_TOOLKIT, serving=_SERVER),
        Image("scikit-learn", training=_TOOLKIT, serving=_SERVER),
        Image("sagemaker-clarify-processing", processing="localaws.images.clarify.container"),
        Image(
            "blazingtext",
            training="localaws.images.blazingtext.train",
            serving="localaws.images.blazingtext.serve",
            metrics=(
                ("train:mean_rho", r"#mean_rho: (\S+)"),
                ("train:accuracy", r"#train_accuracy: (\S+)"),
                ("validation:accuracy", r"#validation_accuracy: (\S+)"),
            ),
            augmented_manifest=True,
        ),
        Image(
            "sagemaker-autopilot",
            training="localaws.images.autopilot.train",
            processing="localaws.images.autopilot.processing",
            serving="localaws.images.autopilot.serve",
            metrics=_AUTOPILOT_METRICS,
        ),
    )
}


def resolve(image_uri: str) -> Image:
    """
    Return the image of a URI by its repository's name; registry, account, region and tag do not matter.

    :raises UnknownImage: no image of that name is known; the message names it and those that are.
    """
    found = find(image_uri)
    if found is None:
        known = ", ".join(sorted(_IMAGES))
        raise UnknownImage(f"The image {image_uri!r} is not known here: localaws has {known}")
    return found


def find(image_uri: str) -> Image | None:
    """Return the image of a URI, or ``None`` if no image of that name is known."""
    return _IMAGES.get(image_uri.rpartition("/")[2].partition("@")[0].partition(":")[0])
