"""SimulatePrincipalPolicy and SimulateCustomPolicy over HTTP, on what IAM holds."""

from __future__ import annotations

import json
import uuid
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from localaws_kit import LocalAws

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


@pytest.fixture(scope="module")
def iam(localaws: LocalAws) -> Any:
    return boto3.client("iam")


@pytest.fixture
def name() -> str:
    return f"simulated-{uuid.uuid4().hex[:8]}"


def document(effect: str, action: Any, resource: Any = "*") -> str:
    statement = {"Effect": effect, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


def role(iam: Any, name: str) -> str:
    return str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"])


def decisions(iam: Any, arn: str, *actions: str, **request: Any) -> dict[str, str]:
    answer = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=list(actions), **request)
    return {each["EvalActionName"]: each["EvalDecision"] for each in answer["EvaluationResults"]}


def test_a_role_may_do_what_its_inline_and_managed_policies_say(iam: Any, name: str) -> None:
    arn = role(iam, name)
    assert decisions(iam, arn, "s3:GetObject") == {"s3:GetObject": "implicitDeny"}
    managed = iam.create_policy(PolicyName=name, PolicyDocument=document("Allow", "s3:*"))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=managed)
    iam.put_role_policy(RoleName=name, PolicyName="no", PolicyDocument=document("Deny", "s3:Delete*"))
    assert decisions(iam, arn, "s3:GetObject", "s3:DeleteObject", "iam:GetRole") == {
        "s3:GetObject": "allowed",
        "s3:DeleteObject": "explicitDeny",
        "iam:GetRole": "implicitDeny",
    }
    (denied,) = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["s3:DeleteObject"])["EvaluationResults"]
    assert denied["EvalResourceName"] == "*"
    assert denied["MatchedStatements"] == [
        {
            "SourcePolicyId": f"role_{name}_no",
            "SourcePolicyType": "IAM Policy",
            "StartPosition": {"Line": 1, "Column": 38},
            "EndPosition": {"Line": 1, "Column": 92},
        }
    ]
    iam.create_policy_version(PolicyArn=managed, PolicyDocument=document("Allow", "iam:*"), SetAsDefault=True)
    assert decisions(iam, arn, "s3:GetObject", "iam:GetRole") == {
        "s3:GetObject": "implicitDeny",
        "iam:GetRole": "allowed",
    }


def test_a_user_has_the_policies_of_its_groups(iam: Any, name: str) -> None:
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    group = iam.create_group(GroupName=name)["Group"]["Arn"]
    own = "arn:aws:s3:::reviews/${aws:username}/*"
    iam.put_group_policy(GroupName=name, PolicyName="own", PolicyDocument=document("Allow", "s3:PutObject", own))
    asked = {"ResourceArns": [f"arn:aws:s3:::reviews/{name}/a"]}
    assert decisions(iam, arn, "s3:PutObject", **asked) == {"s3:PutObject": "implicitDeny"}
    iam.add_user_to_group(GroupName=name, UserName=name)
    assert decisions(iam, arn, "s3:PutObject", **asked) == {"s3:PutObject": "allowed"}
    assert decisions(iam, group, "s3:PutObject", ResourceArns=["arn:aws:s3:::x"]) == {"s3:PutObject": "implicitDeny"}


def test_each_action_is_evaluated_on_each_resource_and_paged(iam: Any, name: str) -> None:
    arn = role(iam, name)
    policy = document("Allow", "s3:GetObject", "arn:aws:s3:::a/*")
    asked = {
        "PolicySourceArn": arn,
        "ActionNames": ["s3:GetObject", "s3:PutObject"],
        "ResourceArns": ["arn:aws:s3:::a/x", "arn:aws:s3:::b/x"],
        "PolicyInputList": [policy],
    }
    pages = [*iam.get_paginator("simulate_principal_policy").paginate(**asked, PaginationConfig={"PageSize": 3})]
    assert [len(page["EvaluationResults"]) for page in pages] == [3, 1]
    results = [each for page in pages for each in page["EvaluationResults"]]
    assert [(each["EvalActionName"], each["EvalResourceName"], each["EvalDecision"]) for each in results] == [
        ("s3:GetObject", "arn:aws:s3:::a/x", "allowed"),
        ("s3:GetObject", "arn:aws:s3:::b/x", "implicitDeny"),
        ("s3:PutObject", "arn:aws:s3:::a/x", "implicitDeny"),
        ("s3:PutObject", "arn:aws:s3:::b/x", "implicitDeny"),
    ]
    assert results[0]["ResourceSpecificResults"][0]["EvalResourceDecision"] == "allowed"
    assert results[0]["MatchedStatements"][0]["SourcePolicyId"] == "PolicyInputList.1"


def test_policies_alone_are_simulated_with_the_context_that_is_given(iam: Any) -> None:
    condition = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    statement = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": condition}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    asked = {"PolicyInputList": [policy], "ActionNames": ["iam:PassRole"]}
    (missing,) = iam.simulate_custom_policy(**asked)["EvaluationResults"]
    assert (missing["EvalDecision"], missing["MissingContextValues"]) == ("implicitDeny", ["iam:PassedToService"])
    entry = {
        "ContextKeyName": "iam:PassedToService",
        "ContextKeyType": "string",
        "ContextKeyValues": ["sagemaker.amazonaws.com"],
    }
    (given,) = iam.simulate_custom_policy(**asked, ContextEntries=[entry])["EvaluationResults"]
    assert (given["EvalDecision"], given["MissingContextValues"]) == ("allowed", [])


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"PolicySourceArn": "arn:aws:iam::123456789012:role/nobody"}, "NoSuchEntity"),
        ({"PolicySourceArn": "arn:aws:iam::210987654321:role/nobody"}, "NoSuchEntity"),
        ({"PolicySourceArn": "arn:aws:sts::123456789012:assumed-role/a/b"}, "InvalidInput"),
        ({"PolicySourceArn": "arn:aws:iam::123456789012:root"}, "InvalidInput"),
        ({"Marker": "x" * 400}, "ValidationError"),
        ({"ActionNames": ["GetObject"]}, "InvalidInput"),
        ({"PolicyInputList": ["{}}"]}, "InvalidInput"),
        ({"Marker": "nonsense"}, "InvalidInput"),
        ({"CallerArn": "arn:aws:iam::123456789012:user/x"}, "NotImplemented"),
    ],
)
def test_a_request_that_cannot_be_simulated_is_refused(
    iam: Any, name: str, request_: dict[str, Any], code: str
) -> None:
    asked: dict[str, Any] = {"ActionNames": ["s3:GetObject"], **request_}
    asked.setdefault("PolicySourceArn", role(iam, name))
    with pytest.raises(ClientError) as caught:
        iam.simulate_principal_policy(**asked)
    assert caught.value.response["Error"]["Code"] == code
