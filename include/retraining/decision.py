"""Decide whether to retrain the sentiment model: what it would be made from, and what it was made from last time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from include import paths
from include.reviews.origin import version
from include.settings import settings
from include.tasks.compiling import TWIN, find_twin
from include.tasks.find_reviews import SYNTHETIC
from include.tasks.registry import APPROVED, learnt_from_synthetic

#: what a training follows from, a digest each.
INPUTS = ("inputs-data", "inputs-labels", "inputs-code", "inputs-settings")
#: a version that its run has left without a verdict.
UNDECIDED = "PendingManualApproval"
#: the property of a version that comes from a tuning, and not from a training with the settings of the DAG.
TUNING_JOB = "tuning-job"
#: the params that the model depends on.
SETTINGS = (
    "base_model",
    "text",
    "epochs",
    "learning_rate",
    "train_batch_size",
    "balance",
    "max_epoch_rows",
    "seed",
    "features_from",
)


def look(params: Any = None, names: Sequence[str] = SETTINGS) -> dict[str, Any]:
    """
    Find out what this training would be made from, what has changed since the last one, and which is the champion.

    Returns ``{"inputs": {"inputs-data": digest, ...}, "changed": names | None where nothing was trained before,
    "last": {"version", "status"} | None, "champion": {"arn", "version", "model_data", "synthetic", "served"} |
    None}``. The last training is the newest version of the group that no tuning has made, whatever came of it; the
    champion is the newest approved one: synthetic where it was trained on generated reviews, and served where the
    endpoint has it or its twin in eight bits, so that what an A/B test has chosen stays. Where ``serve`` asks for the
    twin, only that counts.

    :param params: of the run, which Airflow gives.
    :param names: those of them that the model depends on.
    """
    from amazon_ml.hooks.sagemaker import SageMakerJobHook

    jobs = {"features": settings.processing_job("features"), "train": settings.training_job("train")}
    parts = {
        "data": version(paths.REVIEWS),
        "labels": version(paths.HUMAN_LABELS, may_be_empty=True),
        "code": {name: [job.image_uri, job.source().digest] for name, job in jobs.items()},
        "settings": {name: params[name] for name in names} | {"max_seq_length": settings.max_seq_length},
    }
    inputs = {name: _digest(parts[name.removeprefix("inputs-")]) for name in INPUTS}
    for name, content in parts.items():
        print(f"{name}: {json.dumps(content, sort_keys=True)}")
    hook = SageMakerJobHook()
    trained = (
        package
        for package in hook.model_packages(settings.model_group)
        if TUNING_JOB not in package.get("CustomerMetadataProperties", {})
    )
    last, champion = next(trained, None), hook.newest_model_package(settings.model_group, **APPROVED)
    changed = None
    if last:
        before = last.get("CustomerMetadataProperties", {})
        changed = [name for name in parts if before.get(f"inputs-{name}") != inputs[f"inputs-{name}"]]
    return {
        "inputs": inputs,
        "changed": changed,
        "last": last and {"version": last["ModelPackageVersion"], "status": last["ModelApprovalStatus"]},
        "champion": champion
        and {
            "arn": champion["ModelPackageArn"],
            "version": champion["ModelPackageVersion"],
            "model_data": champion["InferenceSpecification"]["Containers"][0]["ModelDataUrl"],
            "synthetic": learnt_from_synthetic(champion),
            "served": _is_served(champion["ModelPackageArn"], params.get("serve")),
        },
    }


def _is_served(champion: str, serve: str | None) -> bool:
    from amazon_ml.hooks.sagemaker import SageMakerJobHook

    twin = find_twin(champion)
    wanted = [twin] if serve == TWIN else [champion, twin]
    hook = SageMakerJobHook()
    return any(hook.serves(settings.endpoint_name, version) for version in wanted if version)


def next_step(known: Mapping[str, Any], params: Any = None) -> str | None:
    """
    Return the id of the next task, and log why.

    ``features`` where there is something to learn, ``redeploy`` where only the endpoint lacks the champion, None where
    there is nothing to do.

    :param known: what :func:`look` found.
    :param params: of the run, which Airflow gives.
    """
    last, champion, changed = known["last"], known["champion"], known["changed"]
    if last is None:
        print("TRAINING: there is no model yet")
    elif changed:
        print(f"TRAINING: {', '.join(changed)} changed since version {last['version']}")
    elif last["status"] == UNDECIDED:
        print(f"TRAINING: nothing changed since version {last['version']}, but that was neither approved nor rejected")
    elif params["force"]:
        print(f"TRAINING, since it is forced: nothing changed since version {last['version']}")
    elif champion and not champion["served"] and params["keep_endpoint"]:
        form = f" as {TWIN}" if params.get("serve") == TWIN else ""
        print(
            f"DEPLOYING: version {champion['version']} is approved, and not behind endpoint {settings.endpoint_name}"
            f"{form}; nothing changed since version {last['version']}, so there is no training"
        )
        return "redeploy"
    else:
        print(f"NOTHING CHANGED: data, labels, code and settings are those of version {last['version']}; no training")
        return None
    return "features"


def properties() -> dict[str, str]:
    """Return the properties by which a version tells the next :func:`look` of its training; templates."""
    known, verdict = "ti.xcom_pull(task_ids='look')", "ti.xcom_pull(task_ids='judge')"
    inputs = {name: f"{{{{ {known}['inputs']['{name}'] }}}}" for name in INPUTS}
    return {**inputs, "synthetic": SYNTHETIC, "accuracy": f"{{{{ {verdict}['accuracy'] }}}}"}


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
