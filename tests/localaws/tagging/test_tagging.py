"""SageMaker's resources by their tags, as the Resource Groups Tagging API finds them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from job_helpers import IMAGE, ROLE
from localaws_kit import LocalAws

#: resource -> its tags.
GROUPS = {f"tagging-{number}": {"lot": "tagging", "number": str(number % 2)} for number in range(5)}


@pytest.fixture(scope="module")
def arns(localaws: LocalAws) -> dict[str, str]:
    """Resources of two kinds, by name."""
    sagemaker = localaws.client("sagemaker")
    made = {
        name: sagemaker.create_model_package_group(ModelPackageGroupName=name, Tags=_listed(tags))[
            "ModelPackageGroupArn"
        ]
        for name, tags in GROUPS.items()
    }
    s3 = localaws.client("s3")
    s3.create_bucket(Bucket="tagging")
    s3.put_object(Bucket="tagging", Key="model.tar.gz", Body=b"")
    container = {"Image": IMAGE, "ModelDataUrl": "s3://tagging/model.tar.gz"}
    made["model"] = sagemaker.create_model(
        ModelName="tagging-model", ExecutionRoleArn=ROLE, PrimaryContainer=container, Tags=_listed({"lot": "tagging"})
    )["ModelArn"]
    return made


@pytest.fixture(scope="module")
def tagging(localaws: LocalAws) -> Any:
    return localaws.client("resourcegroupstaggingapi")


def _listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _found(tagging: Any, **request: Any) -> list[str]:
    return [each["ResourceARN"] for each in tagging.get_resources(**request)["ResourceTagMappingList"]]


LOT = {"Key": "lot", "Values": ["tagging"]}


def test_resources_are_found_by_all_filters_and_any_of_their_values(tagging: Any, arns: dict[str, str]) -> None:
    assert set(_found(tagging, TagFilters=[LOT])) == set(arns.values())
    even = [LOT, {"Key": "number", "Values": ["0", "7"]}]
    assert _found(tagging, TagFilters=even) == [arns[f"tagging-{number}"] for number in (0, 2, 4)]
    assert arns["model"] not in _found(tagging, TagFilters=[LOT, {"Key": "number"}])
    assert _found(tagging, TagFilters=[{"Key": "lot", "Values": ["other"]}]) == []


def test_resources_are_found_by_type_and_by_arn(tagging: Any, arns: dict[str, str]) -> None:
    assert _found(tagging, TagFilters=[LOT], ResourceTypeFilters=["sagemaker:model"]) == [arns["model"]]
    assert len(_found(tagging, TagFilters=[LOT], ResourceTypeFilters=["sagemaker"])) == 6
    assert _found(tagging, TagFilters=[LOT], ResourceTypeFilters=["s3"]) == []
    only = tagging.get_resources(ResourceARNList=[arns["tagging-1"]])["ResourceTagMappingList"]
    assert only == [{"ResourceARN": arns["tagging-1"], "Tags": _listed(GROUPS["tagging-1"])}]


def test_pages_have_all_resources_once(tagging: Any, arns: dict[str, str]) -> None:
    pages = list(tagging.get_paginator("get_resources").paginate(TagFilters=[LOT], ResourcesPerPage=4))
    assert [len(page["ResourceTagMappingList"]) for page in pages] == [4, 2]
    listed = [each["ResourceARN"] for page in pages for each in page["ResourceTagMappingList"]]
    assert listed == sorted(arns.values())
    assert pages[-1]["PaginationToken"] == ""


def test_a_page_has_no_more_tags_than_it_is_asked_for(localaws: LocalAws, tagging: Any) -> None:
    sagemaker = localaws.client("sagemaker")
    many = _listed({"heavy": "yes", **{f"k{number}": "v" for number in range(49)}})
    for name in ("heavy-1", "heavy-2", "heavy-3"):
        sagemaker.create_model_package_group(ModelPackageGroupName=name, Tags=many)
    pages = tagging.get_paginator("get_resources").paginate(TagFilters=[{"Key": "heavy"}], TagsPerPage=100)
    assert [len(page["ResourceTagMappingList"]) for page in pages] == [2, 1]


def test_tags_that_change_and_resources_that_go_are_seen(localaws: LocalAws, tagging: Any) -> None:
    sagemaker = localaws.client("sagemaker")
    arn = sagemaker.create_model_package_group(ModelPackageGroupName="passing")["ModelPackageGroupArn"]
    assert arn not in _found(tagging)
    sagemaker.add_tags(ResourceArn=arn, Tags=_listed({"passing": "a b"}))
    assert _found(tagging, TagFilters=[{"Key": "passing"}]) == [arn]
    assert "passing" in tagging.get_tag_keys()["TagKeys"]
    assert tagging.get_tag_values(Key="passing")["TagValues"] == ["a b"]
    sagemaker.delete_model_package_group(ModelPackageGroupName="passing")
    assert _found(tagging, TagFilters=[{"Key": "passing"}]) == []
    assert "passing" not in tagging.get_tag_keys()["TagKeys"]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"ResourcesPerPage": 0}, "ResourcesPerPage"),
        ({"ResourcesPerPage": 101}, "ResourcesPerPage"),
        ({"TagsPerPage": 150}, "TagsPerPage"),
        ({"PaginationToken": "made up"}, "PaginationToken"),
        ({"ResourceTypeFilters": ["Sage Maker"]}, "not a valid resource type"),
        ({"ResourceARNList": ["arn:aws:sagemaker:us-east-1:1:model/a"], "TagFilters": [LOT]}, "together"),
    ],
)
def test_a_parameter_that_aws_refuses_is_refused(tagging: Any, request_: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words) as caught:
        tagging.get_resources(**request_)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_compliance_details_are_not_implemented(tagging: Any) -> None:
    with pytest.raises(ClientError) as caught:
        tagging.get_resources(IncludeComplianceDetails=True)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
