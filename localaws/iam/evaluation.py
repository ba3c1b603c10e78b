"""The decision about an action on a resource, as IAM comes to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from localaws.iam import conditions
from localaws.iam.conditions import Context
from localaws.iam.documents import Statement

ALLOWED, EXPLICIT, IMPLICIT = "allowed", "explicitDeny", "implicitDeny"


@dataclass(frozen=True)
class Verdict:
    """
    What a set of policies says.

    :param matched: the statements that made the decision.
    :param missing: context keys that were asked for and have no value.
    """

    decision: str
    matched: Sequence[Statement]
    missing: Sequence[str]


def decide(statements: Iterable[Statement], action: str, resource: str, context: Context) -> Verdict:
    """Deny goes before Allow; what nothing allows is denied."""
    meant = [each for each in statements if each.matches(action, resource, context)]
    asked = [key for each in meant for key in conditions.keys(each.body.get("Condition", {}))]
    missing = sorted({key for key in asked if key.lower() not in context})
    found = [each for each in meant if conditions.holds(each.body.get("Condition", {}), context)]
    denying = [each for each in found if each.denies]
    if denying:
        return Verdict(EXPLICIT, denying, missing)
    return Verdict(ALLOWED if found else IMPLICIT, found, missing)


def evaluate(
    policies: Sequence[Statement], boundary: Sequence[Statement] | None, action: str, resource: str, context: Context
) -> dict[str, Any]:
    """
    Return an EvaluationResult.

    :param boundary: the statements of the permissions boundary, ``None`` where there is none.
    """
    verdict = decide(policies, action, resource, context)
    result: dict[str, Any] = {"EvalActionName": action, "EvalResourceName": resource}
    decision, matched, missing = verdict.decision, [*verdict.matched], {*verdict.missing}
    if boundary is not None:
        limit = decide(boundary, action, resource, context)
        missing |= {*limit.missing}
        allowed = limit.decision == ALLOWED
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
        if limit.decision == EXPLICIT:
            decision, matched = EXPLICIT, [*(matched if decision == EXPLICIT else ()), *limit.matched]
        elif not allowed and decision == ALLOWED:
            decision, matched = IMPLICIT, []
    shown = [each.shown() for each in matched]
    return {**result, "EvalDecision": decision, "MatchedStatements": shown, "MissingContextValues": sorted(missing)}
