"""The check of an account: against moto, and against errors of AWS that moto does not have."""

from __future__ import annotations

import fnmatch
import importlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws

from include.settings import settings
from infra.check import permissions
from infra.check.__main__ import findings
from infra.check.findings import MISSING, OK, UNKNOWN, Finding
from infra.policy import CALLS, actions, place, read

ACCOUNT = "123456789012"
ROLE = settings.role_arn.rpartition("/")[2]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["sagemaker.amazonaws.com", "glue.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}
BLOCK = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
NAMES = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": ACCOUNT,
    "Bucket.Arn": "arn:aws:s3:::reviews",
    "ExecutionRole": f"arn:aws:iam::{ACCOUNT}:role/jobs",
    "DatabaseName": "reviews",
    "WorkGroup": "reviews",
    "SecretPrefix": "human_review/",
}


class Aws:
    """moto, and before it what a test says that AWS answers."""

    def __init__(self) -> None:
        self.session = boto3.Session("AKIAEXAMPLE", "secret", region_name="us-east-1")
        self._answers: dict[str, Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]] = {}

    def on(self, operation: str, answer: Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]) -> None:
        """Have ``service.Operation`` answered by a function of the request: status, and what botocore makes of it."""

        is_new = operation not in self._answers
        self._answers[operation] = answer

        def call(params: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
            status, parsed = self._answers[operation](params)
            metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}}
            return AWSResponse("", status, {}, None), {"ResponseMetadata": metadata, **parsed}

        if is_new:
            self.session.events.register_first(f"before-call.{operation}", call)

    def answer(self, operation: str, parsed: dict[str, Any]) -> None:
        """Have an operation answered so."""
        self.on(operation, lambda _: (200, parsed))

    def refuse(self, operation: str, code: str, status: int = 400, message: str = "No.") -> None:
        """Have an operation refused with this code."""
        self.on(operation, lambda _: (status, {"Error": {"Code": code, "Message": message}}))

    def deny(self, *denied: str) -> None:
        """Have IAM's simulation deny these actions, and allow all others."""

        def simulate(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            asked = [value for name, value in request["body"].items() if name.startswith("ActionNames.member.")]
            decided = {action: "implicitDeny" if action in denied else "allowed" for action in asked}
            results = [{"EvalActionName": action, "EvalDecision": decision} for action, decision in decided.items()]
            return 200, {"IsTruncated": False, "EvaluationResults": results}

        self.on("iam.SimulatePrincipalPolicy", simulate)

    def quotas(self, values: Mapping[str, float], of: str = "ListServiceQuotas") -> None:
        """Have Service Quotas list these."""
        listed = [{"QuotaName": name, "Value": value} for name, value in values.items()]
        self.answer(f"service-quotas.{of}", {"Quotas": listed})

    def found(self, caller: str = "") -> list[Finding]:
        """Return what the check finds."""
        return list(findings(self.session, caller))

    def only(self, what: str) -> Finding:
        """Return the one finding of this."""
        (finding,) = [each for each in self.found() if each.what.startswith(what)]
        return finding


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An account with all that is needed."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        made = Aws()
        client = made.session.client
        client("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
        s3 = client("s3")
        s3.create_bucket(Bucket=settings.bucket)
        sse = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
        s3.put_bucket_encryption(Bucket=settings.bucket, ServerSideEncryptionConfiguration=sse)
        s3.put_public_access_block(Bucket=settings.bucket, PublicAccessBlockConfiguration=BLOCK)
        identity = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/me", "UserId": "AIDA"}
        made.answer("sts.GetCallerIdentity", identity)
        made.deny()
        made.quotas(
            {
                "ml.m5.2xlarge for training job usage": 4.0,
                "ml.c5.xlarge for training job usage": 1.0,
                "ml.m5.xlarge for processing job usage": 1.0,
                "ml.m5.large for endpoint usage": 4.0,
            }
        )
        made.answer("ecr.BatchGetImage", {"images": [{"imageId": {"imageTag": "1"}}]})
        yield made


def test_an_account_that_has_everything_is_ok(aws: Aws) -> None:
    found = aws.found()
    assert {each.status for each in found} == {OK}, [str(each) for each in found if each.status != OK]
    assert len(found) >= 20
    assert aws.only("quota ml.m5.xlarge").detail == "it is 1: jobs wait for one another where a DAG has 2 at once"


def test_the_check_makes_nothing(aws: Aws) -> None:
    called: list[str] = []
    aws.session.events.register_first("before-parameter-build", lambda model, **_: called.append(model.name))
    aws.found()
    assert called
    assert {re.sub("(?<=[a-z])[A-Z].*", "", name) for name in called} <= {"Batch", "Get", "Head", "List", "Simulate"}
    assert "BatchGetImage" in called


def test_a_wrong_region_says_which_there_are(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-esat-1")
    aws.session = boto3.Session("AKIAEXAMPLE", "secret", region_name="us-esat-1")
    (finding,) = aws.found()
    assert (finding.status, finding.detail) == (MISSING, "AWS has no SageMaker in a region 'us-esat-1'")
    assert "us-east-1, us-east-2" in finding.remedy


def test_a_region_that_the_dags_do_not_know_of_is_named(aws: Aws) -> None:
    aws.session = boto3.Session("AKIAEXAMPLE", "secret", region_name="eu-west-1")
    (finding,) = aws.found()
    assert finding.detail == "boto3 works in eu-west-1, and the settings of the DAGs say us-east-1"
    assert finding.remedy == "Set AWS_DEFAULT_REGION=eu-west-1"


def test_no_credentials_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    region, credentials = findings(boto3.Session(region_name="us-east-1"))
    assert region.status == OK
    assert (credentials.status, credentials.detail) == (MISSING, "Unable to locate credentials")


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("ExpiredToken", "the session has expired (ExpiredToken)"),
        ("InvalidClientTokenId", "AWS does not know the access key (InvalidClientTokenId)"),
        ("SignatureDoesNotMatch", "the secret key is not that of the access key (SignatureDoesNotMatch)"),
    ],
)
def test_credentials_that_aws_does_not_take_end_the_check(aws: Aws, code: str, detail: str) -> None:
    aws.refuse("sts.GetCallerIdentity", code, 403)
    _, credentials = aws.found()
    assert (credentials.status, credentials.detail) == (MISSING, detail)
    assert "AWS_PROFILE" in credentials.remedy


def test_a_session_that_expires_on_the_way_ends_the_check(aws: Aws) -> None:
    aws.refuse("athena.GetWorkGroup", "ExpiredTokenException")
    *_, last = aws.found()
    assert (last.what, last.detail) == ("credentials", "the session has expired (ExpiredTokenException)")


def test_permissions_that_lack_are_named(aws: Aws) -> None:
    aws.deny("sagemaker:CreateTrainingJob", "iam:PassRole", "logs:PutLogEvents")
    callers, role = [each for each in aws.found() if each.what.startswith("permissions")]
    assert callers.what == f"permissions of arn:aws:iam::{ACCOUNT}:user/me"
    assert callers.detail == "it may not iam:PassRole, sagemaker:CreateTrainingJob"
    assert role.what == f"permissions of {settings.role_arn}"
    assert "logs:PutLogEvents" in role.detail
    assert {callers.status, role.status} == {MISSING}
    assert callers.remedy == "Allow them as infra/template.yaml does for Airflow's role"


def test_a_caller_that_may_not_ask_iam_is_told_what_to_allow(aws: Aws) -> None:
    aws.refuse("iam.SimulatePrincipalPolicy", "AccessDenied", 403)
    found = [each for each in aws.found() if each.what.startswith("permissions")]
    assert {each.status for each in found} == {UNKNOWN}
    assert "iam:SimulatePrincipalPolicy" in found[0].remedy


def test_a_role_that_is_not_there_is_missing(aws: Aws) -> None:
    aws.session.client("iam").delete_role(RoleName=ROLE)
    assert aws.only("execution role").detail == f"there is no {settings.role_arn}"


def test_a_role_of_another_account_is_missing(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = "arn:aws:iam::999999999999:role/jobs"
    _set(monkeypatch, role_arn=theirs)
    assert aws.only("execution role").detail == f"{theirs} is not of account {ACCOUNT}"


def test_a_role_that_glue_may_not_assume_is_missing_that(aws: Aws) -> None:
    trust = json.loads(json.dumps(TRUST).replace('["sagemaker.amazonaws.com", "glue.amazonaws.com"]', '"ec2.aws"'))
    aws.session.client("iam").update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(trust))
    found = [each for each in aws.found() if each.what.startswith("trust")]
    assert [(each.status, each.detail) for each in found] == [
        (MISSING, "sagemaker.amazonaws.com may not assume it"),
        (MISSING, "glue.amazonaws.com may not assume it"),
    ]


def test_a_bucket_that_is_not_there_is_missing(aws: Aws) -> None:
    aws.session.client("s3").delete_bucket(Bucket=settings.bucket)
    finding = aws.only("bucket")
    assert (finding.status, finding.detail) == (MISSING, f"there is no {settings.bucket}")


def test_a_bucket_of_another_account_is_not_taken(aws: Aws) -> None:
    """HEAD with ExpectedBucketOwner answers 403, and without it 200."""

    forbidden = {"Error": {"Code": "403", "Message": "Forbidden"}}
    aws.on(
        "s3.HeadBucket",
        lambda request: (403, forbidden) if "x-amz-expected-bucket-owner" in request["headers"] else (200, {}),
    )
    finding = aws.only("bucket")
    assert (finding.status, finding.remedy) == (MISSING, "Set REVIEWS_BUCKET to one of your own")
    assert finding.detail == f"{settings.bucket} is not of account {ACCOUNT}, but of another one"


def test_a_bucket_that_is_closed_to_the_caller_says_both_reasons(aws: Aws) -> None:
    aws.refuse("s3.HeadBucket", "403", 403)
    detail = aws.only("bucket").detail
    assert detail == f"{settings.bucket} is another account's, or the caller may not s3:ListBucket on it"


def test_a_bucket_in_another_region_says_so(aws: Aws) -> None:
    aws.answer("s3.HeadBucket", {"BucketRegion": "eu-west-1"})
    finding = aws.only("region of the bucket")
    assert finding.status == MISSING
    assert finding.detail == f"{settings.bucket} is in eu-west-1, and the DAGs work in us-east-1"


def test_a_bucket_that_is_open_says_which_blocks_lack(aws: Aws) -> None:
    half = {**BLOCK, "BlockPublicPolicy": False}
    aws.session.client("s3").put_public_access_block(Bucket=settings.bucket, PublicAccessBlockConfiguration=half)
    finding = aws.only("public access")
    assert (finding.status, finding.detail) == (MISSING, "it is not blocked: BlockPublicPolicy")


def test_what_the_caller_may_not_read_could_not_be_checked(aws: Aws) -> None:
    aws.refuse("s3.GetBucketEncryption", "AccessDenied", 403)
    finding = aws.only("encryption")
    assert (finding.status, finding.detail) == (UNKNOWN, "the caller may not call GetBucketEncryption")
    assert aws.only("Athena").status == OK


def test_a_work_group_that_is_not_there_is_missing(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.refuse("athena.GetWorkGroup", "InvalidRequestException", message="WorkGroup is not found.")
    assert aws.only("Athena").detail == "there is no primary"


@pytest.mark.parametrize(
    ("field", "use"), [("training_instance_type", "training job"), ("inference_instance_type", "endpoint")]
)
def test_an_unknown_instance_type_is_named(aws: Aws, monkeypatch: pytest.MonkeyPatch, field: str, use: str) -> None:
    _set(monkeypatch, **{field: "ml.m5.huge"})
    finding = aws.only("instance type")
    assert (finding.status, finding.detail) == (
        MISSING,
        f"SageMaker has no instance type 'ml.m5.huge' for a {use}",
    )


def test_a_quota_of_nothing_is_missing(aws: Aws) -> None:
    aws.quotas({"ml.m5.2xlarge for training job usage": 0.0})
    aws.quotas({"ml.m5.large for endpoint usage": 2.0}, of="ListAWSDefaultServiceQuotas")
    finding = aws.only("quota ml.m5.2xlarge for training job usage")
    assert (finding.status, finding.detail) == (MISSING, "it is 0, and the DAGs need 2")
    # Nothing waits for an endpoint's instances.
    assert aws.only("quota ml.m5.large for endpoint usage").detail == "it is 2, and the DAGs need 3"
    assert aws.only("quota ml.c5.xlarge").status == UNKNOWN


def test_an_image_that_the_registry_has_not_is_missing(aws: Aws) -> None:
    aws.answer("ecr.BatchGetImage", {"images": [], "failures": [{"failureCode": "ImageNotFound"}]})
    assert aws.only("image clarify").detail.startswith("the registry has no 205585389593.dkr.ecr.us-east-1")


def test_the_simulated_resource_is_one_that_the_template_s_policy_is_for() -> None:
    for action in actions("airflow", read(CALLS)) | actions("job", read(CALLS)):
        _, resources = place(action)
        allowed = [re.sub(r"\$\{([^}]+)\}", lambda found: NAMES[found[1]], resource) for resource in resources]
        asked = permissions.resource_of(action, NAMES)
        assert any(fnmatch.fnmatchcase(asked, pattern) for pattern in allowed), (action, asked, allowed)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("sagemaker:CreateTrainingJob", "training-job/check-aws"),
        ("sagemaker:DescribeAutoMLJobV2", "automl-job/check-aws"),
        ("sagemaker:UpdateEndpointWeightsAndCapacities", "endpoint/check-aws"),
    ],
)
def test_the_simulated_resource_is_of_the_action_s_kind(action: str, resource: str) -> None:
    assert permissions.resource_of(action, NAMES) == f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:{resource}"


def _set(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    from dataclasses import replace

    monkeypatch.setattr(importlib.import_module("include.settings"), "settings", replace(settings, **values))


def _as(aws: Aws, arn: str) -> None:
    aws.answer("sts.GetCallerIdentity", {"Account": ACCOUNT, "Arn": arn, "UserId": "AROA"})


def test_a_session_s_permissions_are_those_of_its_role_with_the_role_s_path(aws: Aws) -> None:
    aws.session.client("iam").create_role(
        RoleName="airflow", Path="/teams/ml/", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    _as(aws, f"arn:aws:sts::{ACCOUNT}:assumed-role/airflow/session")
    callers, _ = [each for each in aws.found() if each.what.startswith("permissions")]
    assert callers.what == f"permissions of arn:aws:iam::{ACCOUNT}:role/teams/ml/airflow"


def test_a_session_that_may_not_read_its_role_is_taken_for_one_without_a_path(aws: Aws) -> None:
    _as(aws, f"arn:aws:sts::{ACCOUNT}:assumed-role/airflow/session")
    aws.refuse("iam.GetRole", "AccessDenied", 403)
    callers, _ = [each for each in aws.found() if each.what.startswith("permissions")]
    assert callers.what == f"permissions of arn:aws:iam::{ACCOUNT}:role/airflow"
    assert aws.only("execution role").detail == "the caller may not call GetRole"


@pytest.mark.parametrize(
    ("who", "status", "detail"),
    [("root", OK, "root user, who may do all"), ("federated-user/me", UNKNOWN, "is neither a user nor a role")],
)
def test_who_has_no_policies_to_simulate_is_told(aws: Aws, who: str, status: str, detail: str) -> None:
    _as(aws, f"arn:aws:iam::{ACCOUNT}:{who}")
    callers, _ = [each for each in aws.found() if each.what.startswith("permissions")]
    assert (callers.status, detail in callers.detail) == (status, True)


def test_another_caller_can_be_named(aws: Aws) -> None:
    theirs = f"arn:aws:iam::{ACCOUNT}:role/mwaa"
    callers, _ = [each for each in aws.found(theirs) if each.what.startswith("permissions")]
    assert callers.what == f"permissions of {theirs}"
