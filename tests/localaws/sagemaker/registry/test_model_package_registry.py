"""The Model Registry over boto3: groups, versions, approval, and what is refused."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from localaws_kit import LocalAws

SPECIFICATION = {
    "Containers": [
        {"Image": "1.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2", "ModelDataUrl": "s3://bucket/model.tar.gz"}
    ],
    "SupportedContentTypes": ["application/jsonlines"],
    "SupportedResponseMIMETypes": ["application/jsonlines"],
}
ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package"


@pytest.fixture
def sagemaker(localaws: LocalAws) -> Any:
    return boto3.client("sagemaker")


@pytest.fixture
def group(sagemaker: Any) -> str:
    """An empty group."""
    name = f"Group-{uuid.uuid4().hex[:8]}"
    sagemaker.create_model_package_group(ModelPackageGroupName=name, Tags=[{"Key": "team", "Value": "ml"}])
    return name


def add(sagemaker: Any, group: str, **changes: Any) -> str:
    """Register a version; its ARN."""
    given = {"ModelPackageGroupName": group, "InferenceSpecification": SPECIFICATION, **changes}
    return str(sagemaker.create_model_package(**given)["ModelPackageArn"])


def refused(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_versions_of_a_group_are_counted_and_described(sagemaker: Any, group: str) -> None:
    metrics = {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://b/e.json"}}}
    one = add(sagemaker, group, ModelMetrics=metrics, CustomerMetadataProperties={"accuracy": "0.7"})
    two = add(sagemaker, group, ModelApprovalStatus="Approved")
    assert (one, two) == (f"{ARN}/{group.lower()}/1", f"{ARN}/{group.lower()}/2")
    found = sagemaker.describe_model_package(ModelPackageName=one)
    assert (found["ModelPackageGroupName"], found["ModelPackageVersion"]) == (group, 1)
    assert (found["ModelApprovalStatus"], found["ModelPackageStatus"]) == ("PendingManualApproval", "Completed")
    assert found["InferenceSpecification"] == SPECIFICATION
    assert (found["ModelMetrics"], found["CustomerMetadataProperties"]) == (metrics, {"accuracy": "0.7"})
    arn = sagemaker.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    assert sagemaker.describe_model_package_group(ModelPackageGroupName=arn)["ModelPackageGroupName"] == group
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "ml"}]


def test_the_latest_approved_version_is_found_by_list(sagemaker: Any, group: str) -> None:
    arns = [add(sagemaker, group) for _ in range(3)]
    for arn in arns[:2]:
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="ok")
    asked = {"ModelApprovalStatus": "Approved", "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 1}
    found = sagemaker.list_model_packages(ModelPackageGroupName=group, **asked)
    assert [each["ModelPackageArn"] for each in found["ModelPackageSummaryList"]] == [arns[1]]
    more = sagemaker.list_model_packages(ModelPackageGroupName=group, NextToken=found["NextToken"], **asked)
    assert [each["ModelPackageArn"] for each in more["ModelPackageSummaryList"]] == [arns[0]]
    assert "NextToken" not in more
    described = sagemaker.describe_model_package(ModelPackageName=arns[0])
    assert described["ApprovalDescription"] == "ok"
    assert described["LastModifiedTime"] >= described["CreationTime"]


def test_customer_metadata_is_added_and_removed(sagemaker: Any, group: str) -> None:
    arn = add(sagemaker, group, CustomerMetadataProperties={"a": "1", "b": "2"})
    sagemaker.update_model_package(
        ModelPackageArn=arn, CustomerMetadataProperties={"b": "3", "c": "4"}, CustomerMetadataPropertiesToRemove=["a"]
    )
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    assert found["CustomerMetadataProperties"] == {"b": "3", "c": "4"}


def test_a_request_repeated_with_its_token_makes_one_version(sagemaker: Any, group: str) -> None:
    token = uuid.uuid4().hex
    assert add(sagemaker, group, ClientToken=token) == add(sagemaker, group, ClientToken=token)
    request = {"ModelPackageGroupName": group, "InferenceSpecification": SPECIFICATION, "ClientToken": token}
    code, _ = refused(sagemaker.create_model_package, **request, ModelApprovalStatus="Approved")
    assert code == "ConflictException"
    assert len(sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]) == 1


def test_a_package_may_stand_outside_of_groups(sagemaker: Any) -> None:
    name = f"alone-{uuid.uuid4().hex[:8]}"
    tags = [{"Key": "team", "Value": "ml"}]
    request = {"ModelPackageName": name, "InferenceSpecification": SPECIFICATION}
    arn = sagemaker.create_model_package(**request, Tags=tags)["ModelPackageArn"]
    assert sagemaker.describe_model_package(ModelPackageName=name)["ModelPackageArn"] == arn
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags
    found = sagemaker.list_model_packages(NameContains=name)["ModelPackageSummaryList"]
    assert [each["ModelPackageName"] for each in found] == [name]
    assert refused(sagemaker.create_model_package, **request) == (
        "ValidationException",
        f"ModelPackage already exists: {arn}",
    )
    sagemaker.delete_model_package(ModelPackageName=name)
    assert refused(sagemaker.describe_model_package, ModelPackageName=name)[0] == "ValidationException"


def test_a_deleted_version_is_gone_and_its_number_is_not_given_again(sagemaker: Any, group: str) -> None:
    one = add(sagemaker, group)
    code, message = refused(sagemaker.delete_model_package_group, ModelPackageGroupName=group)
    assert (code, "still contains" in message) == ("ConflictException", True)
    sagemaker.delete_model_package(ModelPackageName=one)
    two = add(sagemaker, group)
    assert two.endswith("/2")
    sagemaker.delete_model_package(ModelPackageName=two)
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    assert "does not exist" in refused(sagemaker.describe_model_package_group, ModelPackageGroupName=group)[1]


def test_approving_what_is_not_there_is_refused(sagemaker: Any, group: str) -> None:
    arn = f"{ARN}/{group.lower()}/7"
    said = ("ValidationException", f"ModelPackage {arn} does not exist.")
    assert refused(sagemaker.update_model_package, ModelPackageArn=arn, ModelApprovalStatus="Approved") == said
    assert refused(sagemaker.describe_model_package, ModelPackageName=arn) == said
    assert refused(sagemaker.delete_model_package, ModelPackageName=arn) == said
    one = add(sagemaker, group)
    found = sagemaker.batch_describe_model_package(ModelPackageArnList=[one, arn])
    assert list(found["ModelPackageSummaries"]) == [one]
    assert found["BatchDescribeModelPackageErrorMap"][arn]["ErrorCode"] == "ValidationException"


BAD: dict[str, dict[str, Any]] = {
    "neither name nor group": {"ModelPackageGroupName": None},
    "a group that is not there": {"ModelPackageGroupName": "nobody"},
    "nothing to deploy": {"InferenceSpecification": None},
    "tags of its own": {"Tags": [{"Key": "a", "Value": "b"}]},
    "an unknown approval status": {"ModelApprovalStatus": "Perhaps"},
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_package_is_refused(sagemaker: Any, group: str, case: str) -> None:
    given = {"ModelPackageGroupName": group, "InferenceSpecification": SPECIFICATION, **BAD[case]}
    request = {key: value for key, value in given.items() if value is not None}
    assert refused(sagemaker.create_model_package, **request)[0] == "ValidationException"
    assert sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"] == []


def test_a_group_is_made_once_and_listed(sagemaker: Any, group: str) -> None:
    code, message = refused(sagemaker.create_model_package_group, ModelPackageGroupName=group)
    assert (code, "already exists" in message) == ("ValidationException", True)
    found = sagemaker.list_model_package_groups(NameContains=group)["ModelPackageGroupSummaryList"]
    assert [each["ModelPackageGroupStatus"] for each in found] == ["Completed"]
