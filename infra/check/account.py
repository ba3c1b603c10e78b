"""Who asks, in which account and region."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from infra.check.findings import (
    BadCredentials,
    Finding,
    is_denied,
    missing,
    not_answered,
    ok,
    unknown,
)

#: where nobody has set another region, include/settings.py goes by this one.
DEFAULT_REGION = "us-east-1"
_RENEW = "Set or renew AWS_PROFILE (aws sso login), or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"


@dataclass
class Account:
    """
    An AWS account as the caller sees it.

    :param session: boto3's.
    :param region: in which the DAGs work.
    :param number: of the account, 12 digits.
    :param caller: ARN of whoever asks.
    """

    session: Any
    region: str
    number: str = ""
    caller: str = ""
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def partition(self) -> str:
        """The partition of the caller's ARN: "aws", "aws-cn" or "aws-us-gov"."""
        return self.caller.split(":")[1]

    def client(self, service: str) -> Any:
        """Return a client of a service, which gives up soon."""
        from botocore.config import Config

        if service not in self._clients:
            retries = {"mode": "standard", "total_max_attempts": 4}
            config = Config(connect_timeout=10, read_timeout=30, retries=retries)
            self._clients[service] = self.session.client(service, region_name=self.region, config=config)
        return self._clients[service]


def check_region(session: Any) -> tuple[str, list[Finding]]:
    """Return the region that the DAGs work in, "" for none, and what was found of it."""
    given = os.environ.get("AWS_DEFAULT_REGION", "")
    region = session.region_name or ""
    settings_say = given or DEFAULT_REGION
    if not region:
        return "", [
            missing("region", "none is set for boto3", f"Set AWS_DEFAULT_REGION, such as to {DEFAULT_REGION}"),
        ]
    known = _regions(session, region)
    if region not in known:
        remedy = f"Set AWS_DEFAULT_REGION to one of {', '.join(known)}"
        return "", [missing("region", f"AWS has no SageMaker in a region {region!r}", remedy)]
    if region != settings_say:
        detail = f"boto3 works in {region}, and the settings of the DAGs say {settings_say}"
        return "", [missing("region", detail, f"Set AWS_DEFAULT_REGION={region}")]
    return region, [ok("region", region)]


def _regions(session: Any, region: str) -> list[str]:
    """Return the regions with SageMaker, of the partition that a region is in."""
    from botocore.exceptions import UnknownRegionError

    try:
        partition = session.get_partition_for_region(region)
    except UnknownRegionError:
        partition = "aws"
    return list(session.get_available_regions("sagemaker", partition))


def identify(account: Account) -> Finding:
    """Find out who asks. :raises BadCredentials: nobody whom AWS knows."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = account.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        return not_answered("credentials", error)
    account.number, account.caller = found["Account"], found["Arn"]
    return ok("credentials", f"{account.caller}, account {account.number}")


def refused(error: BadCredentials) -> Finding:
    """Return the finding of credentials that are not there, or that AWS does not take."""
    return missing("credentials", str(error), _RENEW)


def principal(account: Account) -> Iterator[Finding | str]:
    """
    Yield the ARN of the user or role that the caller is; or a finding, where it has no policies to simulate.

    A session's ARN has the name of its role and not its path, so IAM is asked for that.
    """
    kind, _, name = account.caller.split(":", 5)[5].partition("/")
    if kind == "root":
        yield ok("permissions", "the caller is the account's root user, who may do all", "Better use a role")
    elif kind == "user":
        yield account.caller
    elif kind == "assumed-role":
        yield from _role_of(account, name.split("/")[0])
    else:
        yield unknown("permissions", f"{account.caller} is neither a user nor a role", "Give --caller its role's ARN")


def _role_of(account: Account, name: str) -> Iterator[Finding | str]:
    from botocore.exceptions import ClientError

    try:
        yield str(account.client("iam").get_role(RoleName=name)["Role"]["Arn"])
    except ClientError as error:
        if not is_denied(error):
            raise
        yield f"arn:{account.partition}:iam::{account.number}:role/{name}"
