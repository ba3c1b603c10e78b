"""The policy simulator's evaluation, on documents alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localaws.iam.documents import InvalidInput, Source, Statement, statements
from localaws.iam.evaluation import evaluate

BUCKET = "arn:aws:s3:::reviews"


def policy(*found: dict[str, Any], indent: int | None = None) -> list[Statement]:
    return statements(json.dumps({"Version": "2012-10-17", "Statement": list(found)}, indent=indent), Source("p"))


def allow(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def decision(
    policies: list[Statement], action: str = "s3:GetObject", resource: str = f"{BUCKET}/a", **context: list[str]
) -> str:
    given = {key.replace("_", ":"): values for key, values in context.items()}
    return str(evaluate(policies, None, action, resource, given)["EvalDecision"])


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], "implicitDeny"),
        ([allow()], "allowed"),
        ([allow("S3:get*", f"{BUCKET}/*")], "allowed"),
        ([allow("s3:GetObjec?", [BUCKET, f"{BUCKET}/?"])], "allowed"),
        ([allow("s3:PutObject")], "implicitDeny"),
        ([allow("s3:*", f"{BUCKET}/A")], "implicitDeny"),
        ([allow(), deny("s3:GetObject", f"{BUCKET}/*")], "explicitDeny"),
        ([allow(), deny("s3:DeleteObject")], "allowed"),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "allowed"),
        ([{"Effect": "Allow", "NotAction": ["iam:*", "s3:Get*"], "Resource": "*"}], "implicitDeny"),
        ([{"Effect": "Allow", "Action": "s3:*", "NotResource": f"{BUCKET}/*"}], "implicitDeny"),
        ([{"Effect": "Allow", "Action": "s3:*", "NotResource": f"{BUCKET}-other/*"}], "allowed"),
    ],
)
def test_a_decision_follows_from_the_statements(found: list[dict[str, Any]], expected: str) -> None:
    assert decision(policy(*found)) == expected


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "given", "expected"),
    [
        ("StringEquals", "aws:x", "a*", ["a*"], True),
        ("StringEquals", "aws:x", "a*", ["ab"], False),
        ("StringEquals", "AWS:X", ["b", "a"], ["a"], True),
        ("StringEquals", "aws:x", "a", None, False),
        ("StringEqualsIfExists", "aws:x", "a", None, True),
        ("StringNotEquals", "aws:x", "a", None, True),
        ("StringNotEquals", "aws:x", ["a", "b"], ["b"], False),
        ("StringEqualsIgnoreCase", "aws:x", "A", ["a"], True),
        ("StringLike", "aws:x", "a*", ["ab"], True),
        ("StringNotLike", "aws:x", "a*", ["ab"], False),
        ("NumericLessThanEquals", "aws:x", "10", ["9.5"], True),
        ("NumericGreaterThan", "aws:x", 10, ["9.5"], False),
        ("DateGreaterThan", "aws:x", "2020-01-01T00:00:00Z", ["2021-01-01T00:00:00Z"], True),
        ("DateLessThan", "aws:x", "2020-01-01T00:00:00Z", ["1600000000"], False),
        ("Bool", "aws:x", True, ["true"], True),
        ("BinaryEquals", "aws:x", "QQ==", ["QQ=="], True),
        ("IpAddress", "aws:x", "10.0.0.0/8", ["10.1.2.3"], True),
        ("NotIpAddress", "aws:x", ["10.0.0.0/8", "::1/128"], ["10.1.2.3"], False),
        ("ArnLike", "aws:x", "arn:aws:iam::*:role/a*", ["arn:aws:iam::1:role/ab"], True),
        ("ArnEquals", "aws:x", "arn:aws:*:role/a", ["arn:aws:iam::1:role/a"], False),
        ("ArnNotLike", "aws:x", "arn:aws:iam::*:role/a*", ["arn:aws:iam::1:role/ab"], False),
        ("Null", "aws:x", "true", None, True),
        ("Null", "aws:x", False, ["a"], True),
        ("ForAllValues:StringEquals", "aws:x", ["a", "b"], ["a", "b"], True),
        ("ForAllValues:StringEquals", "aws:x", ["a", "b"], ["a", "c"], False),
        ("ForAllValues:StringEquals", "aws:x", ["a"], None, True),
        ("ForAnyValue:StringEquals", "aws:x", ["a", "b"], ["c", "b"], True),
        ("ForAnyValue:StringEquals", "aws:x", ["a"], None, False),
    ],
)
def test_a_condition_holds_as_its_operator_says(
    operator: str, key: str, wanted: Any, given: list[str] | None, expected: bool
) -> None:
    found = policy(allow(Condition={operator: {key: wanted}}))
    context: dict[str, Any] = {} if given is None else {"aws_x": given}
    assert (decision(found, **context) == "allowed") is expected


def test_values_that_a_condition_misses_are_named() -> None:
    found = policy(allow(Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}}))
    result = evaluate(found, None, "s3:GetObject", "*", {})
    assert (result["EvalDecision"], result["MissingContextValues"]) == ("implicitDeny", ["aws:RequestedRegion"])


def test_variables_stand_for_the_callers_values_and_are_no_patterns() -> None:
    found = policy(allow(resource=f"{BUCKET}/${{aws:username}}/*"))
    assert decision(found, resource=f"{BUCKET}/ann/a", aws_username=["ann"]) == "allowed"
    assert decision(found, resource=f"{BUCKET}/ann/a", aws_username=["*"]) == "implicitDeny"
    assert decision(found, resource=f"{BUCKET}/ann/a") == "implicitDeny"
    assert decision(policy(allow(resource="arn:${*}")), resource="arn:x") == "implicitDeny"


def test_matched_statements_have_their_place_in_the_text() -> None:
    one_line = policy(deny("s3:*"))[0].shown()
    assert (one_line["StartPosition"], one_line["EndPosition"]["Line"]) == ({"Line": 1, "Column": 41}, 1)
    # The text of AdministratorAccess, for which AWS tells these positions.
    (shown,) = (each.shown() for each in policy(allow(), indent=2))
    assert (shown["StartPosition"], shown["EndPosition"]) == ({"Line": 3, "Column": 17}, {"Line": 8, "Column": 6})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"Statement": "x"}',
        '{"Statement": [{"Effect": "Maybe", "Action": "*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "*"}]}',
        '{"Statement": {"Effect": "Allow", "Action": {"a": 1}, "Resource": "*"}}',
    ],
)
def test_a_malformed_policy_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="The policy p is malformed"):
        statements(text, Source("p"))


@pytest.mark.parametrize(
    "condition",
    [
        {"StringsEqual": {"aws:x": "a"}},
        {"NullIfExists": {"aws:x": "a"}},
        {"NotBool": {"aws:x": "true"}},
        {"ForEach:StringEquals": {"aws:x": "a"}},
        {"NumericEquals": {"aws:x": "ten"}},
        {"IpAddress": {"aws:x": "everywhere"}},
        {"StringEquals": ["aws:x"]},
    ],
)
def test_a_condition_that_cannot_be_evaluated_is_refused(condition: Any) -> None:
    with pytest.raises(InvalidInput, match="cannot be evaluated"):
        decision(policy(allow(Condition=condition)), aws_x=["7"])


@pytest.mark.parametrize(
    ("own", "limit", "expected"),
    [
        (allow(), allow("s3:*"), "allowed"),
        (allow(), allow("iam:*"), "implicitDeny"),
        (allow(), deny(), "explicitDeny"),
        (deny(), allow(), "explicitDeny"),
        (allow("iam:*"), allow(), "implicitDeny"),
    ],
)
def test_a_permissions_boundary_limits_what_policies_allow(
    own: dict[str, Any], limit: dict[str, Any], expected: str
) -> None:
    result = evaluate(policy(own), policy(limit), "s3:GetObject", "*", {})
    assert result["EvalDecision"] == expected
    assert result["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"] is (
        limit["Effect"] == "Allow" and limit["Action"] != "iam:*"
    )
