"""When the sentiment model is trained anew, and whether the new one (the challenger) takes the champion's place."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from math import comb
from typing import Any

from include.raw import version
from include.registry import APPROVED, newest
from include.settings import settings

#: what a training follows from, a digest each.
INPUTS = ("inputs-data", "inputs-code", "inputs-settings")
#: the params that the model depends on.
SETTINGS = (
    "base_model",
    "epochs",
    "learning_rate",
    "train_batch_size",
    "balance",
    "max_epoch_rows",
    "seed",
    "features_from",
)
#: review_id -> whether the model was right.
Answers = dict[str, bool]


def look(params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """
    What this training would be made from, what has changed since the last one, and who the champion is.

    Returns ``{"inputs": {"inputs-data": digest, ...}, "changed": names | None where nothing was trained before,
    "last": version | None, "champion": {"arn", "version", "model_data"} | None}``. The last training is the newest
    version of the group, whatever came of it; the champion is the newest approved one.

    :param params: of the run, which Airflow gives; those that the model depends on count.
    """
    from amazon_ml.hooks.sagemaker import SageMakerJobHook

    jobs = {"features": settings.processing_job("features"), "train": settings.training_job("train")}
    parts = {
        "data": version(settings.uri("data", "raw/")),
        "code": {name: [job.image_uri, job.source().digest] for name, job in jobs.items()},
        "settings": {name: params[name] for name in SETTINGS} | {"max_seq_length": settings.max_seq_length},
    }
    inputs = {name: _digest(parts[name.removeprefix("inputs-")]) for name in INPUTS}
    for name, content in parts.items():
        print(f"{name}: {json.dumps(content, sort_keys=True)}")
    hook = SageMakerJobHook()
    last, champion = (newest(hook, settings.model_group, **chosen) for chosen in ({}, APPROVED))
    changed = None
    if last:
        before = last.get("CustomerMetadataProperties", {})
        changed = [name for name in parts if before.get(f"inputs-{name}") != inputs[f"inputs-{name}"]]
    return {
        "inputs": inputs,
        "changed": changed,
        "last": last and last["ModelPackageVersion"],
        "champion": champion
        and {
            "arn": champion["ModelPackageArn"],
            "version": champion["ModelPackageVersion"],
            "model_data": champion["InferenceSpecification"]["Containers"][0]["ModelDataUrl"],
        },
    }


def worth_training(known: Mapping[str, Any], params: Mapping[str, Any] | None = None) -> bool:
    """
    Whether there is anything to learn; says why, or why not.

    :param known: what :func:`look` found.
    :param params: of the run, which Airflow gives.
    """
    if known["changed"] is None:
        print("TRAINING: there is no model yet")
    elif known["changed"]:
        print(f"TRAINING: {', '.join(known['changed'])} changed since version {known['last']}")
    elif params["force"]:
        print(f"TRAINING, since it is forced: data, code and settings are those of version {known['last']}")
    else:
        print(f"NOTHING CHANGED: data, code and settings are those of version {known['last']}; no training")
        return False
    return True


def has_champion(known: Mapping[str, Any]) -> bool:
    """Whether there is a model to compare with."""
    return known["champion"] is not None


def judge(challenger: str, champion: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """
    Whether the challenger is to be deployed: it reaches ``min_accuracy`` and, where there is a champion, is better.

    Better means: by more than ``margin`` in accuracy on the same reviews, and so that McNemar's exact test gives a
    difference of this size a probability of at most ``max_p_value`` for two models that are equally good. ``force``
    makes up for both.

    Returns ``{"replace", "reason", "accuracy", "champion_accuracy", "only_challenger", "only_champion", "p_value"}``:
    reviews that only one of them got right, and None where there is no champion.

    :param challenger: S3 prefix of its evaluation's report.
    :param champion: that of the champion's; "" where there is none.
    :param params: of the run, which Airflow gives.
    :raises ValueError: the two were not judged on the same reviews.
    """
    mine = answers(f"{challenger}predictions.csv")
    accuracy = sum(mine.values()) / len(mine)
    verdict: dict[str, Any] = {"accuracy": accuracy, "champion_accuracy": None}
    verdict |= {"only_challenger": None, "only_champion": None, "p_value": None}
    if champion:
        theirs = answers(f"{champion}predictions.csv")
        if mine.keys() != theirs.keys():
            raise ValueError(f"{challenger} and {champion} are not of the same reviews")
        gained = sum(mine[review] and not theirs[review] for review in mine)
        lost = sum(theirs[review] and not mine[review] for review in mine)
        verdict |= {"champion_accuracy": sum(theirs.values()) / len(theirs), "only_challenger": gained}
        verdict |= {"only_champion": lost, "p_value": mcnemar(gained, lost)}
    replace, reason = _decision(verdict, params)
    print(f"{'DEPLOYING' if replace else 'NOT DEPLOYED'}: {reason}")
    return {"replace": replace, "reason": reason, **verdict}


def replace_champion(verdict: Mapping[str, Any]) -> bool:
    """Whether the challenger goes on to approval and deployment: :func:`judge` has said why."""
    return bool(verdict["replace"])


def properties() -> dict[str, str]:
    """What a version tells about its training, for the next :func:`look`; templates."""
    known, verdict = "ti.xcom_pull(task_ids='look')", "ti.xcom_pull(task_ids='judge')"
    inputs = {name: f"{{{{ {known}['inputs']['{name}'] }}}}" for name in INPUTS}
    return {**inputs, "accuracy": f"{{{{ {verdict}['accuracy'] }}}}"}


def _decision(verdict: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[bool, str]:
    accuracy, champion, min_accuracy = verdict["accuracy"], verdict["champion_accuracy"], params["min_accuracy"]
    if accuracy < min_accuracy:
        return False, f"test accuracy {accuracy:.4f} is below min_accuracy {min_accuracy:.4f}"
    if champion is None:
        return True, f"test accuracy {accuracy:.4f} reaches min_accuracy {min_accuracy:.4f}, and there is no champion"
    gained, lost, p_value = verdict["only_challenger"], verdict["only_champion"], verdict["p_value"]
    figures = (
        f"test accuracy {accuracy:.4f} against the champion's {champion:.4f}; of the reviews that they differ on the "
        f"challenger is right on {gained}, the champion on {lost} (McNemar p = {p_value:.4f})"
    )
    if params["force"]:
        return True, f"forced; {figures}"
    if accuracy - champion <= params["margin"]:
        return False, f"not better by more than {params['margin']}: {figures}"
    if p_value > params["max_p_value"]:
        return False, f"better, but it may be chance (p above {params['max_p_value']}): {figures}"
    return True, f"better: {figures}"


def mcnemar(gained: int, lost: int) -> float:
    """
    McNemar's exact test: the two-sided probability of a split at least as uneven, were both sides as likely.

    :param gained: cases that only the one got right; ``lost``: those that only the other did.
    """
    differing = gained + lost
    tail = sum(comb(differing, count) for count in range(min(gained, lost) + 1))
    return float(min(1.0, 2 * tail / 2**differing))


def answers(uri: str) -> Answers:
    """What an evaluation's ``predictions.csv`` says. ValueError where it is empty or has a review twice."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    rows = list(csv.DictReader(io.StringIO(S3Hook().read_key(uri))))
    found = {row["review_id"]: row["sentiment"] == row["predicted_label"] for row in rows}
    if not rows or len(found) < len(rows):
        raise ValueError(f"{uri} has {len(rows)} predictions for {len(found)} reviews")
    return found


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
