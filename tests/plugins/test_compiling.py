"""Which form of a version is served, and where its twin is registered: against localaws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from operator_kit import SERVING_IMAGE, Airflow, FakeTask

from include.ab_test import rivals
from include.settings import Settings
from include.tasks import compiling


@pytest.fixture
def register(aws: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Registers a version in a group of this test's own, or in that of its twins."""
    name = request.node.name.replace("_", "-")[:50].strip("-")
    settings = Settings.read({"REVIEWS_MODEL_GROUP": name})
    monkeypatch.setattr(compiling, "settings", settings)
    made: set[str] = set()

    def put(archive: str, *, twin: bool = False, status: str = "Approved", **properties: str) -> str:
        group = settings.twin_group if twin else settings.model_group
        if group not in made:
            aws("sagemaker").create_model_package_group(ModelPackageGroupName=group)
            made.add(group)
        return str(
            aws("sagemaker").create_model_package(
                ModelPackageGroupName=group,
                InferenceSpecification={
                    "Containers": [{"Image": SERVING_IMAGE, "ModelDataUrl": f"s3://models/{archive}/model.tar.gz"}],
                    "SupportedContentTypes": ["application/jsonlines"],
                    "SupportedResponseMIMETypes": ["application/jsonlines"],
                },
                ModelApprovalStatus=status,
                CustomerMetadataProperties={"made_by": "a test", **properties},
            )["ModelPackageArn"]
        )

    return put


def container(version: str) -> list[dict[str, str]]:
    return [{"model_package": version}]


def test_by_default_the_version_itself_is_served(register: Any, ti: FakeTask) -> None:
    version = register("one", validation="s3://data/validation/")
    params = {"serve": compiling.SERVE.value}
    assert compiling.next_step(container(version), params, ti) == "served"
    assert compiling.what_is_served(container(version), params, ti) == container(version)
    assert ti.pushed == {"model_data": "s3://models/one/model.tar.gz", "twin_of_data": None}


def test_a_version_without_a_twin_is_compiled_first(register: Any, ti: FakeTask) -> None:
    version = register("one", validation="s3://data/validation/", synthetic="True")
    assert compiling.next_step(container(version), {"serve": "onnx-int8"}, ti) == "compile"
    assert ti.pushed == {
        "version": version,
        "model_data": "s3://models/one/model.tar.gz",
        "validation": "s3://data/validation/",
        "synthetic": "True",
    }
    with pytest.raises(ValueError, match=r"has no twin in .*-int8: clear `serve`"):
        compiling.what_is_served(container(version), {"serve": "onnx-int8"}, ti)


def test_a_twin_that_is_there_is_served_without_compiling(register: Any, ti: FakeTask) -> None:
    old, version = register("one"), register("two")
    twin = register("two-int8", twin=True, twin_of=version)
    register("one-int8", twin=True, twin_of=old)
    register("withdrawn", twin=True, status="Rejected", twin_of=version)
    params = {"serve": "onnx-int8"}
    assert compiling.next_step(container(version), params, ti) == "served"
    assert compiling.what_is_served(container(version), params, ti) == container(twin)
    assert ti.pushed == {
        "model_data": "s3://models/two-int8/model.tar.gz",
        "twin_of_data": "s3://models/two/model.tar.gz",
    }


def test_a_version_that_names_no_validation_split_is_not_compiled(register: Any, ti: FakeTask) -> None:
    version = register("one")
    with pytest.raises(ValueError, match=r"does not say which validation split.*serve=pytorch"):
        compiling.next_step(container(version), {"serve": "onnx-int8"}, ti)


def test_a_twin_is_registered_approved_in_a_group_of_its_own(
    register: Any, aws: Any, airflow: Airflow, ti: FakeTask
) -> None:
    version = register("one")
    report = {"synthetic": False, "reviews": 307, "compiled": {"accuracy": 0.7459, "agreement": 0.987}}
    compiled = compiling.compile_model("compile", "s3://models/one/model.tar.gz", "s3://data/validation/")
    ti.xcom_pull = lambda task_ids, key: {
        "output_model": "s3://out/model/",
        "output_report": "s3://out/report/",
        "result": report,
    }[key]  # type: ignore[attr-defined]

    def twin() -> Any:
        operator = compiling.register_twin("register_twin", version, compiled)
        operator.render_template_fields({"ti": ti})
        return operator

    arn = airflow.run(twin, ti)["arn"]
    assert airflow.run(twin, ti)["arn"] == arn, "once, whatever its tries"
    found = aws("sagemaker").describe_model_package(ModelPackageName=arn)
    assert found["ModelPackageGroupName"] == compiling.settings.twin_group
    assert found["ModelApprovalStatus"] == "Approved"
    properties = found["CustomerMetadataProperties"]
    assert (properties["twin_of"], properties["serving"], properties["accuracy"]) == (version, "onnx-int8", "0.7459")
    assert properties["synthetic"] == "False"
    (archive,) = found["InferenceSpecification"]["Containers"]
    assert archive["ModelDataUrl"] == "s3://out/model/model.tar.gz"
    assert found["ModelPackageDescription"].endswith("answers 98.7 % of 307 validation reviews like the original")
    assert compiling.find_twin(version) == arn


def test_a_twin_is_no_champion(register: Any) -> None:
    from amazon_ml.hooks.sagemaker import SageMakerJobHook

    version = register("one")
    register("one-int8", twin=True, twin_of=version)
    newest = SageMakerJobHook().newest_model_package(compiling.settings.model_group, **compiling.APPROVED)
    assert newest and newest["ModelPackageArn"] == version


def test_the_last_version_beside_the_champion_is_its_rival(register: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "settings", compiling.settings)
    older, champion = register("one"), register("two")
    register("three", status="Rejected")
    assert rivals.find_rivals(champion, {"challenger": "last"}) == {"champion": champion, "challenger": older}


def test_a_champion_without_other_approved_versions_has_no_rival(
    register: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rivals, "settings", compiling.settings)
    champion = register("one")
    register("two", status="Rejected")
    with pytest.raises(ValueError, match="is the only approved version of"):
        rivals.find_rivals(champion, {"challenger": "last"})
