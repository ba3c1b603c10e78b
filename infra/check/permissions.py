"""Whether the caller and the execution role may do what the DAGs and their jobs call, by IAM's own simulation."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from infra.check.account import Account, principal
from infra.check.findings import Finding, code_of, is_denied, missing, ok, unknown
from infra.policy import CALLS, actions, place, read

#: actions of one call.
_AT_ONCE = 50
#: actions that are named in a finding.
_SHOWN = 6
#: kinds of SageMaker's resources that have other names in ARNs.
_KINDS = {
    "association": "artifact",
    "auto-ml-job": "automl-job",
    "auto-ml-job-v2": "automl-job",
    "endpoint-weights-and-capacities": "endpoint",
    "lineage": "artifact",
    "pipeline-execution": "pipeline/check-aws/execution",
    "record": "feature-group",
    "tags": "training-job",
    "trial-component": "experiment-trial-component",
}
_VERBS = re.compile("^(Add|Create|Delete|Describe|Invoke|Put|Query|Start|Stop|Update)")
#: what takes the role that a job runs as.
_SERVICE = "sagemaker.amazonaws.com"


def check_caller(account: Account, settings: Any, caller: str = "") -> Iterator[Finding]:
    """
    Yield whether the caller may call what Airflow's tasks call.

    :param caller: ARN of a user or role to ask about instead.
    """
    for found in [caller] if caller else principal(account):
        if isinstance(found, Finding):
            yield found
        else:
            yield from _check(account, settings, "airflow", found)


def check_role(account: Account, settings: Any) -> Iterator[Finding]:
    """Yield whether the execution role may call what the jobs call."""
    yield from _check(account, settings, "job", settings.role_arn)


def _check(account: Account, settings: Any, who: str, arn: str) -> Iterator[Finding]:
    from botocore.exceptions import ClientError

    what = f"permissions of {arn}"
    needed = actions(who, read(CALLS))
    try:
        denied = sorted(_denied(account, settings, arn, needed))
    except ClientError as error:
        yield _not_simulated(what, error)
        return
    if denied:
        more = f", and {len(denied) - _SHOWN} more" if len(denied) > _SHOWN else ""
        role = {"airflow": "Airflow's role", "job": "the execution role"}[who]
        remedy = f"Allow them as infra/template.yaml does for {role}"
        yield missing(what, f"it may not {', '.join(denied[:_SHOWN])}{more}", remedy)
    else:
        yield ok(what, f"it may do all {len(needed)} actions that {who} needs")


def _not_simulated(what: str, error: Any) -> Finding:
    code = code_of(error)
    if is_denied(error):
        remedy = "Allow the caller iam:SimulatePrincipalPolicy, or run the check as somebody who may"
        return unknown(what, "the caller may not call SimulatePrincipalPolicy", remedy)
    if code == "NoSuchEntity":
        return missing(what, "there is no such user or role", "Give --caller or SAGEMAKER_ROLE_ARN one that is there")
    if code == "InvalidInput":
        return unknown(what, "IAM knows no user or role of this ARN", "Give --caller the ARN of what Airflow runs as")
    raise error


def _denied(account: Account, settings: Any, arn: str, needed: set[str]) -> Iterator[str]:
    groups: dict[str, list[str]] = defaultdict(list)
    for action in sorted(needed):
        groups[resource_of(action, _names(account, settings))].append(action)
    for resource, group in groups.items():
        for start in range(0, len(group), _AT_ONCE):
            yield from _simulated(account, arn, resource, group[start : start + _AT_ONCE])


def _simulated(account: Account, arn: str, resource: str, group: list[str]) -> Iterator[str]:
    """Yield the actions that are not allowed."""
    context = {
        "ContextKeyName": "iam:PassedToService",
        "ContextKeyValues": [_SERVICE],
        "ContextKeyType": "string",
    }
    pages = account.client("iam").get_paginator("simulate_principal_policy")
    asked: dict[str, Any] = {"PolicySourceArn": arn, "ActionNames": group, "ContextEntries": [context]}
    if resource != "*":
        asked["ResourceArns"] = [resource]
    for page in pages.paginate(**asked):
        for result in page["EvaluationResults"]:
            if result["EvalDecision"] != "allowed":
                yield result["EvalActionName"]


def _names(account: Account, settings: Any) -> dict[str, str]:
    """Return what the template's names are in this account."""
    return {
        "AWS::Partition": account.partition,
        "AWS::Region": account.region,
        "AWS::AccountId": account.number,
        "Bucket.Arn": f"arn:{account.partition}:s3:::{settings.bucket}",
        "ExecutionRole": settings.role_arn,
        "DatabaseName": settings.database,
        "WorkGroup": settings.work_group,
        "SecretPrefix": "human_review/",
    }


def resource_of(action: str, names: Mapping[str, str]) -> str:
    """
    Return the ARN of a resource that a DAG might call this action for; "*" where the action knows none.

    :param names: of the template -> what they are in the account.
    """
    _, resources = place(action)
    arn = re.sub(r"\$\{([^}]+)\}", lambda found: names[found[1]], resources[0])
    if arn.endswith(":*") and action.startswith("sagemaker:"):
        return f"{arn[:-1]}{_kind(action)}/check-aws"
    if arn == "*":
        return arn
    return arn.replace(":*:", f":{names['AWS::AccountId']}:").replace("*", "check-aws")


def _kind(action: str) -> str:
    """Return the kind of resource in the ARNs that an action of SageMaker is for: "training-job"."""
    from botocore import xform_name

    noun = _VERBS.sub("", action.partition(":")[2])
    kind = str(xform_name(noun)).replace("_", "-")
    return _KINDS.get(kind, kind)
