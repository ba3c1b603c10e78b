"""Decide whether the challenger, a new sentiment model, replaces the champion, the latest approved version."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from math import comb
from typing import Any

from include.params import LOW_CONFIDENCE
from include.retraining import low_confidence
from include.settings import settings
from include.tasks.registry import APPROVED, evaluation_uri, learnt_from_synthetic

#: review_id -> whether the model was right.
Answers = dict[str, bool]


def has_champion(known: Mapping[str, Any]) -> bool:
    """Say whether there is a model to compare with."""
    return known["champion"] is not None


def judge(challenger: str, champion: str, champion_synthetic: str, params: Any = None) -> dict[str, Any]:
    """
    Decide whether the challenger is deployed: it reaches ``min_accuracy`` and, where there is a champion, is better.

    Better means: by more than ``margin`` in accuracy on the same reviews, and so that McNemar's exact test gives a
    difference of this size a probability of at most ``max_p_value`` for two models that are equally good. A model
    trained on SYNTHETIC reviews never replaces one trained on real reviews, which always replaces it. ``force``
    bypasses these checks, but not ``min_accuracy``.

    Returns ``{"replace", "reason", "accuracy", "champion_accuracy", "only_challenger", "only_champion", "p_value",
    "synthetic", "champion_synthetic", "low_confidence"}``: ``only_`` are reviews that only one of them got right, and
    ``low_confidence`` is what :func:`include.retraining.low_confidence.compare` finds; None where there is no champion.

    :param challenger: S3 prefix of its evaluation's report.
    :param champion: that of the champion's, on the same reviews; "" where there is none.
    :param champion_synthetic: "True" where it was trained on SYNTHETIC reviews.
    :param params: of the run, which Airflow gives.
    :raises ValueError: the two were not judged on the same reviews.
    """
    mine = answers(f"{challenger}predictions.csv")
    accuracy = sum(mine.values()) / len(mine)
    verdict: dict[str, Any] = {"accuracy": accuracy, "champion_accuracy": None, "synthetic": is_synthetic(challenger)}
    verdict["champion_synthetic"] = champion_synthetic == "True"
    verdict |= {"only_challenger": None, "only_champion": None, "p_value": None, "low_confidence": None}
    if champion:
        theirs = answers(f"{champion}predictions.csv")
        if mine.keys() != theirs.keys():
            raise ValueError(f"{challenger} and {champion} are not of the same reviews: clear `look` and what follows")
        gained = sum(mine[review] and not theirs[review] for review in mine)
        lost = sum(theirs[review] and not mine[review] for review in mine)
        verdict |= {"champion_accuracy": sum(theirs.values()) / len(theirs), "only_challenger": gained}
        verdict |= {"only_champion": lost, "p_value": mcnemar(gained, lost)}
        verdict["low_confidence"] = low_confidence.report(challenger, champion, LOW_CONFIDENCE, verdict["synthetic"])
    replace, reason = _decision(verdict, params)
    print(f"{'DEPLOYING' if replace else 'NOT DEPLOYED'}: {reason}")
    return {"replace": replace, "reason": reason, **verdict}


def replace_champion(
    verdict: Mapping[str, Any],
    known: Mapping[str, Any],
    challenger: str,
    version: Mapping[str, Any],
    params: Any = None,
) -> dict[str, str] | None:
    """
    Return what the challenger replaces, ``{"champion": ARN | ""}``; None ends the run without a deployment.

    Where another version was approved while this run was training, the challenger
    is judged again, against that one, by the evaluation which that one came with; and rejected if it is not better.

    :param verdict: what :func:`judge` has decided.
    :param known: what :func:`include.retraining.decision.look` found: the champion that was judged with.
    :param challenger: S3 prefix of its evaluation's report.
    :param version: the challenger in the model registry: ``{"arn"}``.
    :param params: of the run, which Airflow gives.
    :raises ValueError: the other version was not evaluated, or not on the same reviews.
    """
    from amazon_ml.hooks.sagemaker import SageMakerJobHook

    if not verdict["replace"]:
        return None
    hook = SageMakerJobHook()
    judged_with = known["champion"]["arn"] if known["champion"] else ""
    newest = hook.newest_model_package(settings.model_group, **APPROVED)
    champion = newest["ModelPackageArn"] if newest else ""
    # A cleared task may find that its own version was approved.
    if champion in (judged_with, version["arn"]):
        return {"champion": judged_with}
    print(f"The latest approved version is {champion or 'none'} and no longer {judged_with or 'none'}: judging again")
    report, synthetic = (_report(newest), str(learnt_from_synthetic(newest))) if newest else ("", "")
    again = judge(challenger, report, synthetic, params)
    if again["replace"]:
        return {"champion": champion}
    hook.set_approval(version["arn"], "Rejected", again["reason"])
    return None


def _report(package: Mapping[str, Any]) -> str:
    """Return the S3 prefix of the evaluation that a version was registered with."""
    quality = evaluation_uri(package)
    if not quality.endswith("/evaluation.json"):
        raise ValueError(f"{package['ModelPackageArn']} came with no evaluation: clear `look` and what follows")
    return quality.removesuffix("evaluation.json")


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
    if verdict["synthetic"] != verdict["champion_synthetic"]:
        return _by_origin(verdict["synthetic"], figures)
    if accuracy - champion <= params["margin"]:
        return False, f"not better by more than {params['margin']}: {figures}"
    if p_value > params["max_p_value"]:
        return False, f"better, but it may be chance (p above {params['max_p_value']}): {figures}"
    return True, f"better: {figures}"


def _by_origin(synthetic: bool, figures: str) -> tuple[bool, str]:
    """Prefer the model that was trained on real reviews to the one trained on made-up ones."""
    if synthetic:
        return False, f"it was trained on SYNTHETIC reviews and the champion on real ones: {figures}"
    return True, f"it was trained on real reviews and the champion on SYNTHETIC ones: {figures}"


def is_synthetic(report: str) -> bool:
    """Say whether the evaluation under the S3 prefix ``report`` was on made-up reviews."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    return bool(json.loads(S3Hook().read_key(f"{report}evaluation.json"))["synthetic"])


def mcnemar(gained: int, lost: int) -> float:
    """
    Return the p-value of McNemar's exact test: how probable a split as uneven is where both sides are as likely.

    :param gained: cases that only the one got right; ``lost``: those that only the other did.
    """
    differing = gained + lost
    tail = sum(comb(differing, count) for count in range(min(gained, lost) + 1))
    return float(min(1.0, 2 * tail / 2**differing))


def answers(uri: str) -> Answers:
    """Read an evaluation's ``predictions.csv``. :raises ValueError: it is empty, or has a review twice."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    rows = list(csv.DictReader(io.StringIO(S3Hook().read_key(uri))))
    found = {row["review_id"]: row["sentiment"] == row["predicted_label"] for row in rows}
    if not rows or len(found) < len(rows):
        raise ValueError(f"{uri} has {len(rows)} predictions for {len(found)} reviews")
    return found
