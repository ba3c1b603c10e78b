"""The policies of a user, a group or a role, as IAM has them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from localaws.core.context import Context
from localaws.core.errors import AwsError
from localaws.iam.documents import InvalidInput, Source, Statement, statements

_ARN = re.compile(r"arn:[\w-]+:iam::(?P<account>\d{12}):(?P<kind>user|group|role)/(?:.*/)?(?P<name>[^/]+)")


@dataclass(frozen=True)
class Principal:
    """
    An identity with its policies.

    :param boundary: the statements of its permissions boundary, ``None`` where it has none.
    """

    arn: str
    kind: str
    name: str
    policies: list[Statement]
    boundary: list[Statement] | None


def find(arn: str, ctx: Context) -> Principal:
    """
    Return the identity of an ARN.

    :raises InvalidInput: it is the ARN of something else.
    :raises NoSuchEntity: there is none.
    """
    match = _ARN.fullmatch(arn)
    if match is None:
        raise InvalidInput(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    kind, name = match["kind"], match["name"]
    if match["account"] != ctx.account_id:
        raise AwsError(f"The {kind} with name {name} cannot be found.", code="NoSuchEntity", status=404)
    try:
        return _read(arn, kind, name, ctx.client("iam"))
    except ClientError as error:
        told = error.response["Error"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        raise AwsError(told["Message"], code=told["Code"], status=status) from error


def _read(arn: str, kind: str, name: str, iam: Any) -> Principal:
    title = kind.capitalize()
    entity = getattr(iam, f"get_{kind}")(**{f"{title}Name": name})[title]
    policies = [*_policies(kind, name, iam)]
    if kind == "user":
        for group in iam.list_groups_for_user(UserName=name)["Groups"]:
            policies += _policies("group", group["GroupName"], iam)
    limit = entity.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    boundary = None if limit is None else _managed(limit, iam, "Permissions Boundary Policy")
    return Principal(arn, kind, name, policies, boundary)


def _policies(kind: str, name: str, iam: Any) -> Iterator[Statement]:
    member = {f"{kind.capitalize()}Name": name}
    for page in iam.get_paginator(f"list_{kind}_policies").paginate(**member):
        for policy in page["PolicyNames"]:
            found = getattr(iam, f"get_{kind}_policy")(**member, PolicyName=policy)
            yield from statements(_text(found["PolicyDocument"]), Source(f"{kind}_{name}_{policy}"))
    for page in iam.get_paginator(f"list_attached_{kind}_policies").paginate(**member):
        for policy in page["AttachedPolicies"]:
            yield from _managed(policy["PolicyArn"], iam)


def _managed(arn: str, iam: Any, kind: str = "IAM Policy") -> list[Statement]:
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    return statements(_text(version["Document"]), Source(policy["PolicyName"], kind))


def _text(document: Any) -> str:
    """botocore has parsed what it found to be JSON: positions are those of a document written without blanks."""
    return document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))
