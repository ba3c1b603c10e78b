"""IAM and STS: policy documents that moto takes as they are."""

from __future__ import annotations

import re
from typing import Any

from moto.iam.exceptions import MalformedPolicyDocument as Malformed
from moto.iam.policy_validation import IAMPolicyDocumentValidator, IAMTrustPolicyDocumentValidator

from localaws.core.errors import AwsError

#: (operation, member) -> moto's validator. Of other policies it asks that one itself.
_VALIDATORS = {
    ("CreateRole", "AssumeRolePolicyDocument"): IAMTrustPolicyDocumentValidator,
    ("AssumeRole", "Policy"): IAMPolicyDocumentValidator,
    ("AssumeRoleWithSAML", "Policy"): IAMPolicyDocumentValidator,
    ("AssumeRoleWithWebIdentity", "Policy"): IAMPolicyDocumentValidator,
    ("GetFederationToken", "Policy"): IAMPolicyDocumentValidator,
}

_SYNTAX = "Syntax errors in policy."
_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?")


class MalformedPolicyDocument(AwsError):
    """The policy is not JSON, or not a policy."""

    code = "MalformedPolicyDocument"
    status = 400


def check(operation: str, parameters: dict[str, Any], region: str) -> None:
    """
    Check the policy document of a request, if it has one, and the name of a service.

    :raises MalformedPolicyDocument: with IAM's sentence for it.
    """
    service = parameters.get("AWSServiceName", "a.amazonaws.com")
    if not _SERVICE.fullmatch(service):
        raise AwsError(f"Invalid service name: {service}", code="InvalidInput", status=400)
    for (name, member), validator in _VALIDATORS.items():
        if name == operation and member in parameters:
            try:
                validator(parameters[member]).validate()
            except Malformed as error:
                # What more moto asks for is asked of policies that are kept, not of a session's.
                if operation != "CreateRole" and error.message != _SYNTAX:
                    continue
                raise MalformedPolicyDocument(error.message) from error
