"""Which of two models stays, and which version is approved and deployed: against localaws."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from operator_kit import BUCKET, SERVING_IMAGE

from include.params import retraining_params
from include.retraining import champion
from include.tasks import registry

PARAMS = {"min_accuracy": 0.65, **{name: param.value for name, param in retraining_params().items()}}


@pytest.mark.parametrize(
    ("gained", "lost", "p_value"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 3, 0.25), (1, 9, 0.021484375), (9, 1, 0.021484375), (30, 10, 0.0022213)],
)
def test_mcnemar_is_the_exact_two_sided_binomial_test(gained: int, lost: int, p_value: float) -> None:
    assert champion.mcnemar(gained, lost) == pytest.approx(p_value, rel=1e-4)


def predictions(aws: Any, name: str, right: set[int], reviews: int = 100, synthetic: bool = False) -> str:
    rows = [f"{n},1,{1 if n in right else 0},0.9" for n in range(reviews)]
    text = "\n".join(["review_id,sentiment,predicted_label,probability", *rows])
    aws("s3").put_object(Bucket=BUCKET, Key=f"{name}/predictions.csv", Body=text.encode())
    told = json.dumps({"synthetic": synthetic})
    aws("s3").put_object(Bucket=BUCKET, Key=f"{name}/evaluation.json", Body=told.encode())
    return f"s3://{BUCKET}/{name}/"


@pytest.mark.parametrize(
    ("mine", "theirs", "changed", "replace", "reason"),
    [
        (range(70), None, {}, True, "0.7000 reaches min_accuracy 0.6500, and there is no champion"),
        (range(60), None, {}, False, "test accuracy 0.6000 is below min_accuracy 0.6500"),
        (range(60), range(50), {"force": True}, False, "below min_accuracy"),
        (range(80), range(66), {}, True, "better: test accuracy 0.8000 against the champion's 0.6600"),
        (range(70), range(70), {}, False, "not better by more than 0.0"),
        (range(70), range(70), {"force": True}, True, "forced"),
        (range(80), range(66), {"margin": 0.2}, False, "not better by more than 0.2"),
        (range(68), range(66), {}, False, "it may be chance (p above 0.05)"),
        (range(68), range(66), {"max_p_value": 1}, True, "right on 2, the champion on 0 (McNemar p = 0.5000)"),
    ],
)
def test_the_champion_is_replaced_by_what_is_better_on_the_same_reviews(
    aws: Any, capsys: Any, mine: Any, theirs: Any, changed: dict[str, Any], replace: bool, reason: str
) -> None:
    params = {**PARAMS, "min_accuracy": 0.65, **changed}
    other = "" if theirs is None else predictions(aws, "champion", set(theirs))
    verdict = champion.judge(predictions(aws, "challenger", set(mine)), other, "False", params)
    assert verdict["replace"] is replace
    assert reason in verdict["reason"]
    assert f"{'DEPLOYING' if replace else 'NOT DEPLOYED'}: {verdict['reason']}" in capsys.readouterr().out


def test_models_judged_on_different_reviews_are_not_compared(aws: Any) -> None:
    mine, theirs = predictions(aws, "challenger", set(range(90))), predictions(aws, "other", set(), reviews=99)
    with pytest.raises(ValueError, match="not of the same reviews"):
        champion.judge(mine, theirs, "False", PARAMS)


@pytest.mark.parametrize(
    ("mine", "theirs", "right", "changed", "replace", "reason"),
    [
        (True, False, 95, {}, False, "it was trained on SYNTHETIC reviews and the champion on real ones: test"),
        (True, False, 95, {"force": True}, True, "forced"),
        (False, True, 66, {}, True, "it was trained on real reviews and the champion on SYNTHETIC ones: test accuracy"),
        (False, True, 60, {}, False, "below min_accuracy"),
        (True, True, 95, {}, True, "better: test accuracy"),
    ],
)
def test_made_up_reviews_never_beat_real_ones(
    aws: Any, mine: bool, theirs: bool, right: int, changed: dict[str, Any], replace: bool, reason: str
) -> None:
    challenger = predictions(aws, "challenger", set(range(right)), synthetic=mine)
    same_reviews = predictions(aws, "champion", set(range(70)), synthetic=mine)
    verdict = champion.judge(challenger, same_reviews, str(theirs), {**PARAMS, **changed})
    assert verdict["replace"] is replace and reason in verdict["reason"]


@pytest.fixture
def version(aws: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Registers a version of a group of this test's own; its ARN."""
    group = re.sub("[^a-z0-9]+", "-", request.node.name)[-60:].strip("-")
    settings = champion.settings.__class__.read({"REVIEWS_MODEL_GROUP": group})
    monkeypatch.setattr(champion, "settings", settings)
    aws("sagemaker").create_model_package_group(ModelPackageGroupName=group)

    def register(report: str, status: str = "Approved", **properties: str) -> str:
        quality = {"Statistics": {"ContentType": "application/json", "S3Uri": f"{report}evaluation.json"}}
        arn: str = aws("sagemaker").create_model_package(
            ModelPackageGroupName=group,
            InferenceSpecification={
                "Containers": [{"Image": SERVING_IMAGE, "ModelDataUrl": "s3://bucket/model.tar.gz"}],
                "SupportedContentTypes": ["application/jsonlines"],
                "SupportedResponseMIMETypes": ["application/jsonlines"],
            },
            ModelApprovalStatus=status,
            **({"CustomerMetadataProperties": properties} if properties else {}),
            **({"ModelMetrics": {"ModelQuality": quality}} if report else {}),
        )["ModelPackageArn"]
        return arn

    return register


def going_on(mine: str, version: str, judged_with: str = "", **changes: Any) -> dict[str, str] | None:
    """What ``replace_champion`` says of a challenger that was found to be better."""
    known = {"champion": {"arn": judged_with} if judged_with else None}
    return champion.replace_champion({"replace": True}, known, mine, {"arn": version}, {**PARAMS, **changes})


def test_what_is_better_than_the_champion_takes_its_place(aws: Any, version: Callable[..., str]) -> None:
    mine = predictions(aws, "better", set(range(90)))
    first = version(mine, "PendingManualApproval")
    assert going_on(mine, first) == {"champion": ""}
    old = version("")
    second = version(mine, "PendingManualApproval")
    assert going_on(mine, second, judged_with=old) == {"champion": old}


def test_what_is_not_better_goes_no_further(version: Callable[..., str]) -> None:
    assert champion.replace_champion({"replace": False}, {"champion": None}, "", {"arn": "any"}, PARAMS) is None


def test_a_cleared_task_finds_its_own_version_approved_and_goes_on(aws: Any, version: Callable[..., str]) -> None:
    mine = predictions(aws, "cleared", set(range(90)))
    assert going_on(mine, version(mine)) == {"champion": ""}


@pytest.mark.parametrize(("right", "stays"), [(60, False), (90, True)])
def test_a_version_that_was_approved_in_the_meantime_is_what_the_challenger_must_beat(
    aws: Any, version: Callable[..., str], capsys: Any, right: int, stays: bool
) -> None:
    mine = predictions(aws, f"mine-{right}", set(range(80)))
    other = version(predictions(aws, f"theirs-{right}", set(range(right))))
    challenger = version(mine, "PendingManualApproval")
    assert going_on(mine, challenger) == (None if stays else {"champion": other})
    said = capsys.readouterr().out
    assert f"The latest approved version is {other} and no longer none: judging again" in said
    package = aws("sagemaker").describe_model_package(ModelPackageName=challenger)
    assert package["ModelApprovalStatus"] == ("Rejected" if stays else "PendingManualApproval")
    assert not stays or "not better by more than 0.0" in package["ApprovalDescription"]


def test_a_version_of_made_up_reviews_that_was_approved_in_the_meantime_makes_way(
    aws: Any, version: Callable[..., str]
) -> None:
    other = version(predictions(aws, "made-up", set(range(95))), synthetic="True")
    mine = predictions(aws, "of-real-reviews", set(range(80)))
    assert going_on(mine, version(mine, "PendingManualApproval")) == {"champion": other}


def test_a_champion_that_was_withdrawn_in_the_meantime_is_no_longer_in_the_way(
    aws: Any, version: Callable[..., str]
) -> None:
    mine = predictions(aws, "withdrawn", set(range(80)))
    old = version("", "Rejected")
    assert going_on(mine, version(mine, "PendingManualApproval"), judged_with=old) == {"champion": ""}


def test_two_that_cannot_be_compared_any_more_say_what_to_do(aws: Any, version: Callable[..., str]) -> None:
    mine = predictions(aws, "alone", set(range(80)))
    version("")  # without an evaluation
    with pytest.raises(ValueError, match="came with no evaluation: clear `look` and what follows"):
        going_on(mine, version(mine, "PendingManualApproval"))


def test_latest_approved_is_loud_where_nothing_is(aws: Any) -> None:
    aws("sagemaker").create_model_package_group(ModelPackageGroupName="none-approved")
    from airflow.sdk import DAG

    with DAG("any"):
        latest = registry.latest_approved("none-approved").operator.python_callable
    with pytest.raises(ValueError, match="no version of none-approved is approved"):
        latest()
