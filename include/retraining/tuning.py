"""The search of ``tune_sentiment``: its params, its tuning job, and the earlier one that it starts from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from airflow.sdk import Param

from amazon_ml.specs.tuning import TuningJobSpec, categorical_of, continuous
from include.params import hyperparameters, retraining_params, training_params
from include.retraining.decision import TUNING_JOB, properties
from include.settings import settings

#: the task that tunes; the one that decides what it starts from asks for its jobs.
TASK = "tune"
#: AWS's names of the ways to start from an earlier tuning job, and none.
COLD, IDENTICAL, TRANSFER = "none", "IdenticalDataAndAlgorithm", "TransferLearning"
#: the tag of a tuning job that tells whether another one was trained on the same features.
FEATURES_TAG = "features"
#: the hyperparameters that are searched.
RANGES = {
    "learning_rate": continuous(
        "{{ params.learning_rate_min }}", "{{ params.learning_rate_max }}", "{{ params.learning_rate_scaling }}"
    ),
    "train_batch_size": categorical_of("{{ params.train_batch_sizes | tojson }}"),
}
#: the params that the model depends on.
SETTINGS = (
    "base_model",
    "text",
    "epochs",
    "balance",
    "max_epoch_rows",
    "seed",
    "strategy",
    "max_jobs",
    "learning_rate_min",
    "learning_rate_max",
    "learning_rate_scaling",
    "train_batch_sizes",
    "warm_start",
)
_HYPERBAND = "{{{{ params.{} if params.strategy == 'Hyperband' else '' }}}}"


def tuning_params() -> dict[str, Param]:
    """Return params for the search, for what all its training jobs have in common, and for the gate behind the best."""
    training, gate = training_params(), retraining_params()
    force = "On: replace the champion though it may be better."
    return {
        "strategy": Param(
            "Random",
            type="string",
            enum=["Random", "Bayesian", "Hyperband"],
            title="Strategy",
            description="Hyperband stops training jobs after a few epochs; give it more of them, and more epochs.",
        ),
        "max_jobs": Param(4, type="integer", minimum=1, maximum=750, title="Training jobs"),
        "max_parallel": Param(2, type="integer", minimum=1, maximum=100, title="Training jobs at once"),
        "learning_rate_min": _rate(5e-5, "Lowest learning rate", "For RoBERTa: 1e-5."),
        "learning_rate_max": _rate(3e-4, "Highest learning rate", "For RoBERTa: 5e-5."),
        "learning_rate_scaling": Param(
            "Linear", type="string", enum=["Auto", "Linear", "Logarithmic"], title="Scale of the learning rate"
        ),
        "train_batch_sizes": Param(
            [16, 32, 64],
            type="array",
            items={"type": "integer", "minimum": 1, "maximum": 1024},
            minItems=1,
            maxItems=30,
            uniqueItems=True,
            title="Batch sizes",
        ),
        "early_stopping": Param(
            "Auto",
            type="string",
            enum=["Auto", "Off"],
            title="Early stopping",
            description="Auto: training jobs that do worse than those before them are stopped. Hyperband has its own.",
        ),
        "hyperband_min_epochs": Param(
            1, type="integer", minimum=1, title="Epochs before Hyperband may stop a training job"
        ),
        "target": Param(
            None,
            type=["number", "null"],
            minimum=0,
            maximum=100,
            title="Validation accuracy to be done at, in per cent",
        ),
        "max_jobs_not_improving": Param(
            None, type=["integer", "null"], minimum=3, title="Training jobs without a better one after which it is done"
        ),
        "warm_start": Param(
            COLD,
            type="string",
            enum=[COLD, IDENTICAL, TRANSFER],
            title="Start from the last tuning job of this DAG",
            description=f"{IDENTICAL}: of the same features. {TRANSFER}: reviews or code may be others.",
        ),
        **{name: training[name] for name in ("base_model", "text", "epochs", "balance", "max_epoch_rows", "seed")},
        "min_accuracy": training["min_accuracy"],
        **{name: gate[name] for name in ("margin", "max_p_value")},
        "force": Param(False, type="boolean", title="Force", description=force),
    }


def _rate(default: float, title: str, description: str) -> Param:
    return Param(default, type="number", exclusiveMinimum=0, maximum=1e-2, title=title, description=description)


def tuning_job() -> TuningJobSpec:
    """Return the tuning job of ``include/jobs/train``, with the limits and the strategy that the run asks for."""
    training = settings.training_job("train")
    return TuningJobSpec(
        **{each.name: getattr(replace(training, max_runtime=8 * 3600), each.name) for each in fields(training)},
        objective_metric="validation:accuracy",
        strategy="{{ params.strategy }}",
        max_jobs="{{ params.max_jobs }}",
        max_parallel="{{ params.max_parallel }}",
        early_stopping="{{ 'Off' if params.strategy == 'Hyperband' else params.early_stopping }}",
        seed="{{ params.seed }}",
        max_runtime_per_training_job=3 * 3600,
        min_resource=_HYPERBAND.format("hyperband_min_epochs"),
        max_resource=_HYPERBAND.format("epochs"),
        target="{{ params.target or '' }}",
        max_jobs_not_improving="{{ params.max_jobs_not_improving or '' }}",
        warm_start_from="{{ ti.xcom_pull(task_ids='start_from')['parent'] }}",
        warm_start_type=f"{{{{ params.warm_start if params.warm_start != '{COLD}' else '{TRANSFER}' }}}}",
    )


def static_hyperparameters() -> dict[str, str | int]:
    """Return the hyperparameters that all training jobs have in common."""
    return {name: value for name, value in hyperparameters().items() if name not in RANGES}


def start_from(
    channels: Mapping[str, str], known: Mapping[str, Any], params: Any = None, ti: Any = None
) -> dict[str, Any]:
    """
    Decide what the tuning job of this run starts from, and what it trains on.

    Returns ``{"parent": name | "", "channels": {name: S3 URI}, "features": digest}``. SageMaker holds the S3 URIs of
    the channels to be the data, and each run has its own: with identical data the parent's are used. Where this
    run has a tuning job already, the decision is the one that it was started with, whatever has been tuned since.

    :param channels: the splits of this run: name -> S3 URI.
    :param known: what the task ``look`` has found.
    :param params: of the run, which Airflow gives.
    :param ti: the task instance, which Airflow gives.
    :raises ValueError: there is no earlier tuning job, or it was trained on other features.
    """
    from amazon_ml.hooks import tuning
    from amazon_ml.hooks.sagemaker import SageMakerJobHook
    from amazon_ml.naming import RunKey

    features = _features(known["inputs"]["inputs-data"], params)
    decision = {"parent": "", "channels": dict(channels), "features": features}
    if params["warm_start"] == COLD:
        return decision
    hook, key = SageMakerJobHook(), replace(RunKey.of_task(ti), task_id=TASK, map_index=-1)
    if own := tuning.own_tuning_job(hook, key):
        parent = ",".join(tuning.parents(own))
        print(f"Tuning job {own['HyperParameterTuningJobName']} of this run was started from {parent or 'none'}")
        return {**decision, "parent": parent, "channels": tuning.channels(own)}
    last = tuning.last_tuning_job(hook, key)
    if last is None:
        raise ValueError(f"no tuning job of {key.dag_id} has completed: set warm_start to {COLD}")
    parent = last["HyperParameterTuningJobName"]
    print(f"Starting from {parent}, the last tuning job")
    if params["warm_start"] == TRANSFER:
        return {**decision, "parent": parent}
    if last["Tags"].get(FEATURES_TAG) != features:
        raise ValueError(
            f"tuning job {parent} was trained on other features: reviews, base model or the features job have changed "
            f"since. Set warm_start to {TRANSFER}"
        )
    return {**decision, "parent": parent, "channels": tuning.channels(last)}


def tuned_properties() -> dict[str, str]:
    """Return the properties by which a version tells of its tuning; templates."""
    tuned = f"ti.xcom_pull(task_ids='{TASK}')"
    best = {name: f"{{{{ {tuned}['best']['hyperparameters']['{name}'] }}}}" for name in RANGES}
    return {**properties(), TUNING_JOB: f"{{{{ {tuned}['name'] }}}}", **best}


def _features(data: str, params: Mapping[str, Any]) -> str:
    """Return a digest of what the features follow from."""
    job = settings.processing_job("features")
    made_from = [
        data,
        job.image_uri,
        job.source().digest,
        params["base_model"],
        params["text"],
        settings.max_seq_length,
    ]
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:16]
