"""When the sentiment model is trained anew, and which of two models stays: against localaws."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from operator_kit import BUCKET

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from include import registry, retraining  # noqa: E402  (the project's root is where DAGs find it)
from include.params import retraining_params, training_params  # noqa: E402

PARAMS = {name: param.value for name, param in {**training_params(), **retraining_params()}.items()}


@pytest.fixture
def house(aws: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """A bucket and a group of this test's own; registers a version with properties and approval status."""
    bucket = request.node.name.replace("_", "-")[:60].strip("-")
    settings = retraining.settings.__class__.read({"REVIEWS_BUCKET": bucket, "REVIEWS_MODEL_GROUP": bucket})
    monkeypatch.setattr(retraining, "settings", settings)
    aws("s3").create_bucket(Bucket=bucket)
    aws("s3").put_object(Bucket=bucket, Key="data/raw/reviews.csv", Body=b"a,b\n")
    aws("sagemaker").create_model_package_group(ModelPackageGroupName=bucket)

    def register(properties: dict[str, str], status: str = "Approved") -> str:
        container = {"Image": settings.inference_image, "ModelDataUrl": f"s3://{bucket}/{status}/model.tar.gz"}
        arn: str = aws("sagemaker").create_model_package(
            ModelPackageGroupName=bucket,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["application/jsonlines"],
                "SupportedResponseMIMETypes": ["application/jsonlines"],
            },
            ModelApprovalStatus=status,
            CustomerMetadataProperties=properties,
        )["ModelPackageArn"]
        return arn

    return register


def test_without_a_version_there_is_something_to_learn_and_no_champion(house: Any, capsys: Any) -> None:
    known = retraining.look(PARAMS)
    assert (known["changed"], known["last"], known["champion"]) == (None, None, None)
    assert retraining.worth_training(known, PARAMS) and not retraining.has_champion(known)
    assert "there is no model yet" in capsys.readouterr().out


def test_the_same_data_code_and_settings_are_not_trained_again_unless_forced(house: Any, capsys: Any) -> None:
    house(retraining.look(PARAMS)["inputs"], "Rejected")
    known = retraining.look(PARAMS)
    assert known["changed"] == [] and known["last"] == 1 and known["champion"] is None
    assert not retraining.worth_training(known, PARAMS)
    assert "NOTHING CHANGED: data, code and settings are those of version 1" in capsys.readouterr().out
    assert retraining.worth_training(known, {**PARAMS, "force": True})


def test_new_data_and_other_settings_are_named_and_the_champion_is_the_latest_approved(
    house: Any, aws: Any, capsys: Any
) -> None:
    inputs = retraining.look(PARAMS)["inputs"]
    champion = house(inputs)
    house(inputs, "Rejected")
    aws("s3").put_object(Bucket=retraining.settings.bucket, Key="data/raw/reviews.csv", Body=b"a,b\nc,d\n")
    known = retraining.look({**PARAMS, "epochs": PARAMS["epochs"] + 1})
    assert known["changed"] == ["data", "settings"] and known["last"] == 2
    assert known["champion"]["arn"] == champion and known["champion"]["model_data"].endswith("/Approved/model.tar.gz")
    assert retraining.worth_training(known, PARAMS) and retraining.has_champion(known)
    assert "data, settings changed since version 2" in capsys.readouterr().out


def test_without_raw_data_the_error_names_the_place(house: Any, aws: Any) -> None:
    aws("s3").delete_object(Bucket=retraining.settings.bucket, Key="data/raw/reviews.csv")
    with pytest.raises(ValueError, match=r"there is nothing in s3://.*/data/raw/"):
        retraining.look(PARAMS)


def test_latest_approved_is_loud_where_nothing_is(aws: Any) -> None:
    aws("sagemaker").create_model_package_group(ModelPackageGroupName="none-approved")
    from airflow.sdk import DAG

    with DAG("any"):
        latest = registry.latest_approved("none-approved").operator.python_callable
    with pytest.raises(ValueError, match="no version of none-approved is approved"):
        latest()


@pytest.mark.parametrize(
    ("gained", "lost", "p_value"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 3, 0.25), (1, 9, 0.021484375), (9, 1, 0.021484375), (30, 10, 0.0022213)],
)
def test_mcnemar_is_the_exact_two_sided_binomial_test(gained: int, lost: int, p_value: float) -> None:
    assert retraining.mcnemar(gained, lost) == pytest.approx(p_value, rel=1e-4)


def predictions(aws: Any, name: str, right: set[int], reviews: int = 100) -> str:
    rows = [f"{n},1,{1 if n in right else 0},0.9" for n in range(reviews)]
    text = "\n".join(["review_id,sentiment,predicted_label,probability", *rows])
    aws("s3").put_object(Bucket=BUCKET, Key=f"{name}/predictions.csv", Body=text.encode())
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
    champion = "" if theirs is None else predictions(aws, "champion", set(theirs))
    verdict = retraining.judge(predictions(aws, "challenger", set(mine)), champion, params)
    assert verdict["replace"] is replace is retraining.replace_champion(verdict)
    assert reason in verdict["reason"]
    assert f"{'DEPLOYING' if replace else 'NOT DEPLOYED'}: {verdict['reason']}" in capsys.readouterr().out


def test_models_judged_on_different_reviews_are_not_compared(aws: Any) -> None:
    mine, theirs = predictions(aws, "challenger", set(range(90))), predictions(aws, "other", set(), reviews=99)
    with pytest.raises(ValueError, match="not of the same reviews"):
        retraining.judge(mine, theirs, PARAMS)
