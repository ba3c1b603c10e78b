"""Registry operators against localaws: register once a task instance, approve, reject."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from operator_kit import BUCKET, ROLE, SERVING_IMAGE, Airflow, FakeTask

from amazon_ml.exceptions import Overtaken, RequestRefused
from amazon_ml.operators.model import ModelOperator
from amazon_ml.operators.model_package import ApproveModelOperator, RegisterModelOperator


def register(ti: FakeTask, group: str, **changes: Any) -> Callable[[], RegisterModelOperator]:
    given = {
        "task_id": ti.task_id,
        "group_name": group,
        "image_uri": SERVING_IMAGE,
        "model_data": "s3://bucket/model.tar.gz",
        "metrics": {"ModelQuality": "s3://bucket/evaluation.json", "Bias": "s3://bucket/bias.json"},
        "properties": {"accuracy": 0.75},
    }
    return lambda: RegisterModelOperator(**{**given, **changes})


def approve(ti: FakeTask, arn: str, **changes: Any) -> Callable[[], ApproveModelOperator]:
    return lambda: ApproveModelOperator(task_id=ti.task_id, model_package_arn=arn, **changes)


def versions(aws: Any, group: str) -> list[int]:
    found = aws("sagemaker").list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    return [each["ModelPackageVersion"] for each in found]


def test_a_model_is_registered_once_whatever_the_tries(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    made = airflow.run(register(ti, "reviews", tags={"project": "reviews"}), ti)
    assert made == {
        "arn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/reviews/1",
        "group": "reviews",
        "version": 1,
        "status": "PendingManualApproval",
    }
    assert airflow.run(register(ti, "reviews"), ti.next_try()) == made
    assert versions(aws, "reviews") == [1]
    package = aws("sagemaker").describe_model_package(ModelPackageName=made["arn"])
    assert package["CustomerMetadataProperties"]["accuracy"] == "0.75"
    assert package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] == "s3://bucket/evaluation.json"
    assert package["ModelMetrics"]["Bias"]["Report"]["S3Uri"] == "s3://bucket/bias.json"
    group = aws("sagemaker").describe_model_package_group(ModelPackageGroupName="reviews")["ModelPackageGroupArn"]
    assert "project" in {tag["Key"] for tag in aws("sagemaker").list_tags(ResourceArn=group)["Tags"]}


def test_another_model_or_another_run_makes_another_version(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    airflow.run(register(ti, "several"), ti)
    airflow.run(register(ti, "several", model_data="s3://bucket/other.tar.gz"), ti.next_try())
    other = FakeTask(run_id=f"{ti.run_id}-other")
    assert airflow.run(register(other, "several"), other)["version"] == 3
    assert versions(aws, "several") == [1, 2, 3]


def test_a_version_is_found_again_after_it_was_approved(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    made = airflow.run(register(ti, "approved"), ti)
    approved = airflow.run(approve(ti, made["arn"], reason="good on the test split"), ti)
    assert approved == {**made, "status": "Approved"}
    assert airflow.run(approve(ti, made["arn"]), ti.next_try()) == approved
    package = aws("sagemaker").describe_model_package(ModelPackageName=made["arn"])
    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == ("Approved", "good on the test split")
    assert airflow.run(register(ti, "approved"), ti.next_try()) == approved
    assert airflow.run(approve(ti, made["arn"], status="Rejected"), ti)["status"] == "Rejected"


def test_approving_what_is_not_there_fails_with_aws_words(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:model-package/nobody/1"
    with pytest.raises(RequestRefused, match=f"ModelPackage {arn} does not exist"):
        airflow.run(approve(ti, arn), ti)


def test_of_two_that_are_better_than_the_same_version_only_the_first_is_approved(
    aws: Any, airflow: Airflow, ti: FakeTask
) -> None:
    first = airflow.run(register(ti, "rivals"), ti)["arn"]
    second = airflow.run(register(ti, "rivals", model_data="s3://bucket/other.tar.gz"), ti)["arn"]
    assert airflow.run(approve(ti, first, instead_of=""), ti)["status"] == "Approved"
    with pytest.raises(Overtaken, match=f"of no version, but the newest approved version is {first}: compare"):
        airflow.run(approve(ti, second, instead_of=""), ti)
    assert aws("sagemaker").describe_model_package(ModelPackageName=second)["ModelApprovalStatus"] != "Approved"
    assert airflow.run(approve(ti, second, instead_of=first), ti)["status"] == "Approved"
    # What has been approved is left as it is, whatever came after it.
    assert airflow.run(approve(ti, first, instead_of=""), ti.next_try())["status"] == "Approved"


def test_a_version_is_found_again_among_more_than_a_page_of_them(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    first = airflow.run(register(ti, "many"), ti)["arn"]
    described = aws("sagemaker").describe_model_package(ModelPackageName=first)
    for _ in range(100):
        aws("sagemaker").create_model_package(
            ModelPackageGroupName="many", InferenceSpecification=described["InferenceSpecification"]
        )
    mine = FakeTask(run_id=f"{ti.run_id}-last")
    made = airflow.run(register(mine, "many"), mine)
    assert made["version"] == 102
    assert airflow.run(register(mine, "many"), mine.next_try()) == made


def test_a_model_is_made_of_a_version(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    aws("s3").put_object(Bucket=BUCKET, Key="model.tar.gz", Body=b"")
    model_data = f"s3://{BUCKET}/model.tar.gz"
    version = airflow.run(register(ti, "deployed", model_data=model_data), ti)["arn"]
    containers = [{"model_package": version, "environment": {"LEVEL": 20}}]
    made = airflow.run(lambda: ModelOperator(task_id=ti.task_id, role_arn=ROLE, containers=containers), ti)
    container = aws("sagemaker").describe_model(ModelName=made["name"])["PrimaryContainer"]
    assert (container["Image"], container["ModelDataUrl"]) == (SERVING_IMAGE, model_data)
    assert container["Environment"]["LEVEL"] == "20"
