"""The three kinds of candidates, cheapest first: what each one trains, and its hyperparameters."""

from __future__ import annotations

from dataclasses import dataclass

#: tokens of a text that count; what lies beyond is cut off.
MAX_TOKENS = 128
SEED = 42

#: the settings that all kinds share.
_SHARED = {"seed": str(SEED), "batch_size": "32"}


@dataclass(frozen=True)
class Kind:
    """
    A kind of candidate.

    :param name: in the names of its training jobs and in the hyperparameter ``candidate``.
    :param title: in a few words.
    :param summary: how it is trained, in a sentence or two.
    :param hyperparameters: its own, as a training job takes them.
    """

    name: str
    title: str
    summary: str
    hyperparameters: dict[str, str]


LINEAR = Kind(
    "linear",
    "Frozen encoder, linear head",
    "The encoder stays as it is. A multinomial logistic regression is fitted to the mean of each text's token vectors; "
    "its regularisation is chosen by five-fold cross-validation inside of the training part.",
    {**_SHARED, "folds": "5"},
)
TOP_LAYERS = Kind(
    "top-layers",
    "Last two layers fine-tuned",
    "The encoder's last two layers and the head are trained together; the layers below are frozen. The epoch is chosen "
    "on a tenth of the training part.",
    {**_SHARED, "trained_layers": "2", "epochs": "2", "learning_rate": "2e-4", "head_learning_rate": "2e-3"},
)
FULL = Kind(
    "full",
    "Full fine-tuning",
    "All layers of the encoder and the head are trained; the token embeddings are frozen. The epoch is chosen on a "
    "tenth of the training part.",
    {**_SHARED, "epochs": "2", "learning_rate": "1e-4", "head_learning_rate": "2e-3"},
)

KINDS = (LINEAR, TOP_LAYERS, FULL)


def named(name: str) -> Kind | None:
    """Return the kind of that name, or ``None`` if there is none."""
    return next((kind for kind in KINDS if kind.name == name), None)
