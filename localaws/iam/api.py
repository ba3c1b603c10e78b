"""SimulatePrincipalPolicy and SimulateCustomPolicy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.core.operations import Service
from localaws.iam import principals
from localaws.iam.documents import InvalidInput, Source, Statement, statements
from localaws.iam.evaluation import evaluate

policy_simulation = Service("iam", resource="policy-simulation")

#: members that change the outcome in ways that are not done here.
_NOT_DONE = (
    "CallerArn",
    "OrderedOrganizationPolicyInputList",
    "PolicyExclusionList",
    "ResourceHandlingOption",
    "ResourceOwner",
    "ResourcePolicy",
)
#: AWS's own size of a page.
_PAGE = 100


@policy_simulation.operation
def simulate_principal_policy(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Evaluate the policies of a user (with its groups'), a group or a role, and those of the request."""
    _check(request)
    principal = principals.find(request["PolicySourceArn"], ctx)
    known = {"aws:principalarn": [principal.arn], "aws:principalaccount": [ctx.account_id]}
    if principal.kind == "user":
        known["aws:username"] = [principal.name]
    return _simulate(request, principal.policies, principal.boundary, known, ctx)


@policy_simulation.operation
def simulate_custom_policy(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Evaluate the policies of the request alone."""
    _check(request)
    return _simulate(request, [], None, {}, ctx)


def _check(request: dict[str, Any]) -> None:
    for member in _NOT_DONE:
        if request.get(member):
            raise NotImplementedByLocalAws(f"{member} of a policy simulation is not implemented by localaws.")
    for action in request["ActionNames"]:
        service, colon, name = action.partition(":")
        if not (service and colon and name):
            raise InvalidInput(f"Invalid Input: the action {action} is not of the form service:operation.")


def _simulate(
    request: dict[str, Any],
    policies: list[Statement],
    boundary: list[Statement] | None,
    known: dict[str, list[str]],
    ctx: Context,
) -> dict[str, Any]:
    policies = [*policies, *_given(request, "PolicyInputList", "IAM Policy")]
    if request.get("PermissionsBoundaryPolicyInputList"):
        # It takes the place of the identity's own.
        boundary = _given(request, "PermissionsBoundaryPolicyInputList", "Permissions Boundary Policy")
    now = ctx.now()
    context = {
        "aws:currenttime": [now.isoformat()],
        "aws:epochtime": [str(int(now.timestamp()))],
        **known,
        **{
            each["ContextKeyName"].lower(): each.get("ContextKeyValues", [])
            for each in request.get("ContextEntries", [])
            if "ContextKeyName" in each
        },
    }
    named = request.get("ResourceArns", [])
    results = [
        _result(evaluate(policies, boundary, action, resource, context), specific=bool(named))
        for action in request["ActionNames"]
        for resource in named or ["*"]
    ]
    asked = {"MaxResults": request.get("MaxItems"), "NextToken": request.get("Marker")}
    try:
        page, more = pagination.page(results, asked, default_size=_PAGE)
    except ValidationException as error:
        raise InvalidInput("Invalid Marker.") from error
    marker = {"Marker": more["NextToken"]} if more else {}
    return {"EvaluationResults": page, "IsTruncated": bool(more), **marker}


def _given(request: dict[str, Any], member: str, kind: str) -> list[Statement]:
    texts: Sequence[str] = request.get(member, [])
    return [
        found for number, text in enumerate(texts, 1) for found in statements(text, Source(f"{member}.{number}", kind))
    ]


def _result(result: dict[str, Any], *, specific: bool) -> dict[str, Any]:
    """With ResourceSpecificResults, where the request names resources."""
    if not specific:
        return result
    same = ("MatchedStatements", "MissingContextValues", "PermissionsBoundaryDecisionDetail")
    own = {
        "EvalResourceName": result["EvalResourceName"],
        "EvalResourceDecision": result["EvalDecision"],
        **{member: result[member] for member in same if member in result},
    }
    return {**result, "ResourceSpecificResults": [own]}
