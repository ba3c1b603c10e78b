"""The execution role: whether it is there, and whom it trusts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from infra.check.account import Account
from infra.check.findings import Finding, code_of, missing, ok

#: what runs as the role: jobs, endpoints and pipelines, and the crawler.
SERVICES = ("sagemaker.amazonaws.com", "glue.amazonaws.com")
_REMEDY = "Set SAGEMAKER_ROLE_ARN to the one that infra/template.yaml makes"


def check(account: Account, settings: Any) -> Iterator[Finding]:
    """Yield whether the role is there, in this account, and trusts SageMaker and Glue."""
    from botocore.exceptions import ClientError

    what, arn = "execution role", settings.role_arn
    owner = arn.split(":")[4] if arn.count(":") >= 5 else ""
    if owner != account.number:
        yield missing(what, f"{arn} is not of account {account.number}", _REMEDY)
        return
    try:
        role = account.client("iam").get_role(RoleName=arn.rpartition("/")[2])["Role"]
    except ClientError as error:
        if code_of(error) != "NoSuchEntity":
            raise
        yield missing(what, f"there is no {arn}", _REMEDY)
        return
    trusted = _trusted(role["AssumeRolePolicyDocument"])
    yield ok(what, arn)
    for service in SERVICES:
        if service in trusted:
            yield ok("trust of the execution role", f"{service} may assume it")
        else:
            remedy = f"Add {service} to its trust policy"
            yield missing("trust of the execution role", f"{service} may not assume it", remedy)


def _trusted(document: Any) -> set[str]:
    """Return the services that a trust policy lets assume the role."""
    found = json.loads(unquote(document)) if isinstance(document, str) else document
    services: set[str] = set()
    for statement in _listed(found.get("Statement", [])):
        principals = statement.get("Principal", {})
        allows = statement.get("Effect") == "Allow" and "sts:AssumeRole" in _listed(statement.get("Action", []))
        if allows and isinstance(principals, dict):
            services |= set(_listed(principals.get("Service", [])))
    return services


def _listed(value: Any) -> list[Any]:
    """Return what a policy may write as one or as a list, as a list."""
    return value if isinstance(value, list) else [value]
