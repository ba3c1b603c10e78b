"""The CloudFormation template: by cfn-lint, and as far as moto makes its resources."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from cfnlint.api import lint_file
from cfnlint.decode import decode
from moto import mock_aws

from infra.policy import TEMPLATE

# moto passes over what it does not make, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS:UserWarning")

ACCOUNT = "123456789012"
#: of a role's inline policies together, blanks not counted.
_MOST_CHARACTERS = 10240


@pytest.fixture(scope="module")
def deployed() -> Iterator[boto3.Session]:
    """The stack ``reviews`` as moto makes it: bucket, roles and log groups. It passes over the other resources."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        # A localaws of other tests must not be asked.
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        session = boto3.Session("AKIAIOSFODNN7EXAMPLE", "none", region_name="us-east-1")
        parameters = {
            "BucketName": "reviews-of-mine",
            "AirflowPrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/machine",
            "BudgetEmail": "me@example.com",
            "MwaaSubnetIds": "subnet-1,subnet-2",
            "MwaaSecurityGroupIds": "sg-1",
        }
        session.client("cloudformation").create_stack(
            StackName="reviews",
            TemplateBody=TEMPLATE.read_text(),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        yield session


def test_cfn_lint_finds_nothing() -> None:
    assert [str(match) for match in lint_file(TEMPLATE)] == []


def test_the_stack_is_created_and_names_what_the_dags_are_told(deployed: boto3.Session) -> None:
    (stack,) = deployed.client("cloudformation").describe_stacks(StackName="reviews")["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert outputs["BucketName"] == "reviews-of-mine"
    assert outputs["ExecutionRoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/reviews-execution"
    assert outputs["AirflowRoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/reviews-airflow"


def test_the_bucket_is_encrypted(deployed: boto3.Session) -> None:
    answer = deployed.client("s3").get_bucket_encryption(Bucket="reviews-of-mine")
    (rule,) = answer["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_the_bucket_is_closed_to_the_public_and_its_old_versions_end() -> None:
    template, _ = decode(str(TEMPLATE))
    bucket = template["Resources"]["Bucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert rules["old-versions"]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    assert rules["unfinished-uploads"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7


def test_logs_of_jobs_end_after_the_days_that_are_given(deployed: boto3.Session) -> None:
    groups = deployed.client("logs").describe_log_groups(logGroupNamePrefix="/aws/sagemaker/")["logGroups"]
    assert {group["logGroupName"].split("/")[3]: group["retentionInDays"] for group in groups} == dict.fromkeys(
        ("Endpoints", "ProcessingJobs", "TrainingJobs", "TransformJobs"), 90
    )


@pytest.mark.parametrize(("role", "policy"), [("execution", "jobs"), ("airflow", "dags")])
def test_no_policy_allows_all_actions_or_all_objects(deployed: boto3.Session, role: str, policy: str) -> None:
    document = _policy(deployed, role, policy)
    for statement in document["Statement"]:
        assert not [action for action in statement["Action"] if "*" in action]
        if statement["Sid"] != "WithoutResource":
            assert "*" not in statement["Resource"], statement["Sid"]
    (objects,) = [statement for statement in document["Statement"] if statement["Sid"] == "Objects"]
    assert objects["Resource"] == ["arn:aws:s3:::reviews-of-mine/*"]


@pytest.mark.parametrize(("role", "policy"), [("execution", "jobs"), ("airflow", "dags")])
def test_policies_are_no_longer_than_iam_takes(deployed: boto3.Session, role: str, policy: str) -> None:
    assert len(json.dumps(_policy(deployed, role, policy), separators=(",", ":"))) < _MOST_CHARACTERS


def test_airflow_may_pass_the_execution_role_alone(deployed: boto3.Session) -> None:
    statements = _policy(deployed, "airflow", "dags")["Statement"]
    (passing,) = [statement for statement in statements if "iam:PassRole" in statement["Action"]]
    assert passing["Resource"] == [f"arn:aws:iam::{ACCOUNT}:role/reviews-execution"]


def _policy(session: boto3.Session, role: str, policy: str) -> Any:
    document = session.client("iam").get_role_policy(RoleName=f"reviews-{role}", PolicyName=policy)["PolicyDocument"]
    # moto keeps what CloudFormation gives it as Python writes a dict.
    return ast.literal_eval(document)
