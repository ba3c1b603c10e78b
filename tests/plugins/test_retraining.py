"""When the sentiment model is retrained: against localaws."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from operator_kit import ROLE
from serving_kit import packed_model

from include import job_code, paths
from include.params import retraining_params, training_params
from include.retraining import decision
from include.tasks import compiling

PARAMS = {
    "keep_endpoint": True,
    **{name: param.value for name, param in {**training_params(), **retraining_params()}.items()},
}


@pytest.fixture
def house(aws: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """A bucket and a group of this test's own; registers a version with properties and approval status."""
    bucket = request.node.name.replace("_", "-")[:60].strip("-")
    settings = decision.settings.__class__.read(
        {"REVIEWS_BUCKET": bucket, "REVIEWS_MODEL_GROUP": bucket, "REVIEWS_ENDPOINT": bucket}
    )
    monkeypatch.setattr(decision, "settings", settings)
    monkeypatch.setattr(paths, "REVIEWS", settings.uri("data", "reviews/"))
    monkeypatch.setattr(paths, "HUMAN_LABELS", settings.uri("data", "human_labels/"))
    aws("s3").create_bucket(Bucket=bucket)
    aws("s3").put_object(Bucket=bucket, Key="data/reviews/reviews.parquet", Body=b"a,b\n")
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


@pytest.fixture
def deployed(aws: Any, house: Any) -> Iterator[Callable[[str], None]]:
    """Puts a version behind the endpoint, in place of what is there."""
    settings, sagemaker = decision.settings, aws("sagemaker")
    name = settings.bucket

    def put(arn: str) -> None:
        aws("s3").put_object(Bucket=settings.bucket, Key="Approved/model.tar.gz", Body=packed_model("right"))
        sagemaker.create_model(ModelName=name, PrimaryContainer={"ModelPackageName": arn}, ExecutionRoleArn=ROLE)
        variant = {"VariantName": "A", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName=settings.endpoint_name, EndpointConfigName=name)
        sagemaker.get_waiter("endpoint_in_service").wait(
            EndpointName=settings.endpoint_name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )

    yield put
    sagemaker.delete_endpoint(EndpointName=settings.endpoint_name)


def test_without_a_version_there_is_something_to_learn_and_no_champion(house: Any, capsys: Any) -> None:
    known = decision.look(PARAMS)
    assert (known["changed"], known["last"], known["champion"]) == (None, None, None)
    assert decision.next_step(known, PARAMS) == "features"
    assert "there is no model yet" in capsys.readouterr().out


def test_what_was_trained_from_the_same_is_not_trained_again_unless_forced(house: Any, capsys: Any) -> None:
    house(decision.look(PARAMS)["inputs"], "Rejected")
    known = decision.look(PARAMS)
    assert known["changed"] == [] and known["last"] == {"version": 1, "status": "Rejected"}
    assert known["champion"] is None
    assert decision.next_step(known, PARAMS) is None
    assert "NOTHING CHANGED: data, labels, code and settings are those of version 1" in capsys.readouterr().out
    assert decision.next_step(known, {**PARAMS, "force": True}) == "features"


def test_shared_modules_of_the_jobs_are_part_of_their_code(
    house: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house(decision.look(PARAMS)["inputs"])
    jobs = shutil.copytree(job_code.JOBS, tmp_path / "jobs")
    monkeypatch.setattr(job_code, "JOBS", jobs)
    # Neither features nor training ship the first of these.
    for module, changed in [("wording.py", []), ("ngrams.py", ["code"])]:
        with open(jobs / "shared" / module, "a") as file:
            file.write("# Changed.\n")
        assert decision.look(PARAMS)["changed"] == changed


def test_new_data_and_other_settings_are_named_and_the_champion_is_the_latest_approved(
    house: Any, aws: Any, capsys: Any
) -> None:
    inputs = decision.look(PARAMS)["inputs"]
    champion = house({**inputs, "synthetic": "True"})
    house(inputs, "Rejected")
    aws("s3").put_object(Bucket=decision.settings.bucket, Key="data/reviews/reviews.parquet", Body=b"a,b\nc,d\n")
    known = decision.look({**PARAMS, "epochs": PARAMS["epochs"] + 1})
    assert known["changed"] == ["data", "settings"] and known["last"]["version"] == 2
    assert known["champion"]["arn"] == champion and known["champion"]["model_data"].endswith("/Approved/model.tar.gz")
    assert known["champion"]["synthetic"] is True
    assert decision.next_step(known, PARAMS) == "features"
    assert "data, settings changed since version 2" in capsys.readouterr().out


def test_new_labels_are_something_to_learn(house: Any, aws: Any) -> None:
    house(decision.look(PARAMS)["inputs"], "Rejected")
    aws("s3").put_object(Bucket=decision.settings.bucket, Key="data/human_labels/1.jsonl", Body=b"{}")
    known = decision.look(PARAMS)
    assert known["changed"] == ["labels"] and decision.next_step(known, PARAMS) == "features"


def test_a_version_that_was_left_without_a_verdict_is_not_done(house: Any, capsys: Any) -> None:
    house(decision.look(PARAMS)["inputs"], "PendingManualApproval")
    known = decision.look(PARAMS)
    assert known["changed"] == [] and decision.next_step(known, PARAMS) == "features"
    assert "version 1, but that was neither approved nor rejected" in capsys.readouterr().out


def test_an_approved_version_that_the_endpoint_lacks_is_deployed_without_training(
    house: Any, deployed: Callable[[str], None], capsys: Any
) -> None:
    inputs = decision.look(PARAMS)["inputs"]
    old, _ = house(inputs), house(inputs)
    known = decision.look(PARAMS)
    assert not known["champion"]["served"] and decision.next_step(known, PARAMS) == "redeploy"
    assert "DEPLOYING: version 2 is approved, and not behind endpoint" in capsys.readouterr().out
    assert decision.next_step(known, {**PARAMS, "keep_endpoint": False}) is None
    deployed(old)
    assert decision.next_step(decision.look(PARAMS), PARAMS) == "redeploy"


def test_an_approved_version_behind_the_endpoint_is_left_there(house: Any, deployed: Callable[[str], None]) -> None:
    deployed(house(decision.look(PARAMS)["inputs"]))
    known = decision.look(PARAMS)
    assert known["champion"]["served"] and decision.next_step(known, PARAMS) is None


def test_a_tuned_version_is_no_training_and_is_deployed_like_any_other(house: Any, capsys: Any) -> None:
    inputs = decision.look(PARAMS)["inputs"]
    house(inputs, "Rejected")
    house({**inputs, "inputs-settings": "others", decision.TUNING_JOB: "tune"})
    known = decision.look(PARAMS)
    assert (known["changed"], known["last"]["version"], known["champion"]["version"]) == ([], 1, 2)
    assert decision.next_step(known, PARAMS) == "redeploy"
    assert "DEPLOYING: version 2 is approved" in capsys.readouterr().out


def test_a_champion_served_as_its_twin_is_served(
    house: Any, aws: Any, deployed: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = decision.settings
    monkeypatch.setattr(compiling, "settings", settings)
    champion = house(decision.look(PARAMS)["inputs"])
    aws("sagemaker").create_model_package_group(ModelPackageGroupName=settings.twin_group)
    container = {"Image": settings.inference_image, "ModelDataUrl": f"s3://{settings.bucket}/Approved/model.tar.gz"}
    twin = aws("sagemaker").create_model_package(
        ModelPackageGroupName=settings.twin_group,
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": ["application/jsonlines"],
            "SupportedResponseMIMETypes": ["application/jsonlines"],
        },
        ModelApprovalStatus="Approved",
        CustomerMetadataProperties={compiling.TWIN_OF: champion},
    )["ModelPackageArn"]
    asked_for_twin = {**PARAMS, "serve": compiling.TWIN}
    deployed(twin)
    for params in (PARAMS, asked_for_twin):
        known = decision.look(params)
        assert known["champion"]["served"] and decision.next_step(known, params) is None
        assert known["last"]["version"] == 1, "a twin is no training"


def test_the_original_behind_the_endpoint_is_not_the_twin_that_is_asked_for(
    house: Any, deployed: Callable[[str], None], capsys: Any
) -> None:
    deployed(house(decision.look(PARAMS)["inputs"]))
    params = {**PARAMS, "serve": compiling.TWIN}
    assert decision.next_step(decision.look(params), params) == "redeploy"
    assert "as onnx-int8; nothing changed" in capsys.readouterr().out


def test_without_reviews_the_error_names_the_place(house: Any, aws: Any) -> None:
    aws("s3").delete_object(Bucket=decision.settings.bucket, Key="data/reviews/reviews.parquet")
    with pytest.raises(ValueError, match=r"there is nothing in s3://.*/data/reviews/"):
        decision.look(PARAMS)
