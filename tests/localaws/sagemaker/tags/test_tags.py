"""Tags of resources by their ARNs."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from job_helpers import Jobs
from localaws_kit import LocalAws


@pytest.fixture(scope="module")
def jobs(localaws: LocalAws) -> Jobs:
    return Jobs(localaws.home)


def _tags(client: Any, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in client.list_tags(ResourceArn=arn)["Tags"]}


def test_tags_given_at_creation_can_be_added_to_changed_and_deleted(jobs: Jobs) -> None:
    arn = jobs.processing("tagged", "print(1)", Tags=[{"Key": "owner", "Value": "ml"}, {"Key": "ttl", "Value": "1h"}])
    assert _tags(jobs.sagemaker, arn) == {"owner": "ml", "ttl": "1h"}
    added = jobs.sagemaker.add_tags(
        ResourceArn=arn, Tags=[{"Key": "ttl", "Value": "2h"}, {"Key": "dag", "Value": "train"}]
    )["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in added} == {"owner": "ml", "ttl": "2h", "dag": "train"}
    jobs.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["owner", "never-there"])
    assert _tags(jobs.sagemaker, arn) == {"ttl": "2h", "dag": "train"}


def test_tags_go_with_their_resource(jobs: Jobs) -> None:
    jobs.process("untagged", "print(1)")
    arn = jobs.sagemaker.describe_processing_job(ProcessingJobName="untagged")["ProcessingJobArn"]
    jobs.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    jobs.sagemaker.delete_processing_job(ProcessingJobName="untagged")
    with pytest.raises(ClientError, match="not found"):
        jobs.sagemaker.list_tags(ResourceArn=arn)


def test_tags_of_an_unknown_resource_are_refused(jobs: Jobs) -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:training-job/nobody"
    for call in (
        lambda: jobs.sagemaker.list_tags(ResourceArn=arn),
        lambda: jobs.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}]),
        lambda: jobs.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a"]),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_tags_that_aws_refuses_are_refused_and_no_job_is_left_behind(jobs: Jobs) -> None:
    for tags, message in (
        ([{"Key": "aws:mine", "Value": "x"}], "aws: prefixed"),
        ([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}], "Duplicate tag keys"),
    ):
        with pytest.raises(ClientError, match=message):
            jobs.processing("wrongly-tagged", "print(1)", Tags=tags)
    with pytest.raises(ClientError, match="Could not find"):
        jobs.sagemaker.describe_processing_job(ProcessingJobName="wrongly-tagged")


def test_a_resource_has_fifty_tags_at_most_and_pages_them(jobs: Jobs) -> None:
    arn = jobs.processing("many-tags", "print(1)")
    jobs.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": f"k{number:02}", "Value": "v"} for number in range(50)])
    with pytest.raises(ClientError) as caught:
        jobs.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "one-more", "Value": "v"}])
    assert caught.value.response["Error"]["Code"] == "ResourceLimitExceeded"
    assert len(_tags(jobs.sagemaker, arn)) == 50
