"""Params of several DAGs, for their trigger forms: how the sentiment model is trained, and from when it may go on."""

from __future__ import annotations

from airflow.sdk import Param

from include.settings import settings

#: the probability below which a prediction is one that the model is not sure of.
LOW_CONFIDENCE = 0.9
TEXTS = ["title_body", "body"]
#: what does best first, and the default: benchmarks/results/balance.md.
BALANCING = ["undersample", "oversample", "class_weights", "none"]

#: what the log of ``include/jobs/train`` is read for: metric -> regex. The accuracy is in per cent.
METRICS = {"validation:loss": r"val_loss: ([0-9.]+)", "validation:accuracy": r"val_acc: ([0-9.]+)"}


def training_params() -> dict[str, Param]:
    """Return params for the hyperparameters of ``include/jobs/train``, and for the gate behind the evaluation."""
    return {
        "base_model": Param(
            settings.base_model,
            type="string",
            minLength=1,
            title="Base model",
            description="A Hugging Face model name, such as roberta-base, or an S3 prefix in Hugging Face layout.",
        ),
        "text": Param(
            settings.text,
            type="string",
            enum=TEXTS,
            title="What the model reads",
            description="title_body: title and body of a review. body: the body alone.",
        ),
        "epochs": Param(settings.epochs, type="integer", minimum=1, maximum=20, title="Epochs"),
        "learning_rate": Param(1e-4, type="number", exclusiveMinimum=0, maximum=1e-2, title="Learning rate"),
        "train_batch_size": Param(32, type="integer", minimum=1, maximum=1024, title="Batch size"),
        "balance": Param(BALANCING[0], type="string", enum=BALANCING, title="Balancing of the training split"),
        "max_epoch_rows": Param(
            settings.max_epoch_rows,
            type="integer",
            minimum=0,
            title="Reviews an epoch",
            description="The most reviews that oversampling takes an epoch; 0 sets no limit.",
        ),
        "seed": Param(42, type="integer", minimum=0, title="Seed"),
        "min_accuracy": Param(
            settings.min_accuracy, type="number", minimum=0, maximum=1, title="Deploy from this test accuracy"
        ),
    }


def hyperparameters() -> dict[str, str | int]:
    """Return the training job's hyperparameters, templates of the run's :func:`training_params`."""
    names = ("base_model", "text", "epochs", "learning_rate", "train_batch_size", "balance", "max_epoch_rows", "seed")
    return {**{name: f"{{{{ params.{name} }}}}" for name in names}, "max_seq_length": settings.max_seq_length}


def keep_endpoint(*, default: bool) -> Param:
    """Return the param that says whether a run leaves its endpoint, which costs money by the hour."""
    return Param(
        default,
        type="boolean",
        title="Keep the endpoint",
        description="Off: the endpoint is deleted at the end of the run. It costs money by the hour.",
    )


def retraining_params() -> dict[str, Param]:
    """Return params for what is trained on, and for when a new model takes the old one's place."""
    return {
        "features_from": Param(
            "s3",
            type="string",
            enum=["s3", "feature_store"],
            title="Read the splits from",
            description="s3: all rows, as the features job wrote them. feature_store: those of the Feature Store, as "
            "many of each class, by an Athena query.",
        ),
        "margin": Param(
            0.0,
            type="number",
            minimum=0,
            maximum=1,
            title="Margin",
            description="The champion is replaced by a model whose test accuracy is higher by more than this.",
        ),
        "max_p_value": Param(
            0.05,
            type="number",
            minimum=0,
            maximum=1,
            title="Largest p-value",
            description="Of McNemar's test between the two models; 1: a better model need not be surely better.",
        ),
        "force": Param(
            False,
            type="boolean",
            title="Force",
            description="On: train though nothing has changed, and replace the champion though it may be better.",
        ),
    }
