"""What botocore's model does not say of workforces and work teams."""

from __future__ import annotations

from typing import Any

from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.moto_bridge import user_pools

#: a workforce's IP address ranges.
MAX_CIDRS = 10

Member = dict[str, Any]


def check_workforce(request: dict[str, Any]) -> None:
    """
    Check a request that makes a workforce.

    :raises ValidationException: not exactly one identity provider, or a pool or client that workers cannot sign in by.
    """
    if ("CognitoConfig" in request) == ("OidcConfig" in request):
        raise ValidationException("Exactly one of CognitoConfig and OidcConfig must be specified.")
    check_settings(request)
    if "CognitoConfig" in request:
        check_client(request["CognitoConfig"]["UserPool"], request["CognitoConfig"]["ClientId"])


def check_settings(request: dict[str, Any]) -> None:
    """
    Check the settings that may also be updated.

    :raises ValidationException: more IP address ranges than there may be.
    :raises NotImplementedByLocalAws: the portal would be in a VPC.
    """
    if request.get("WorkforceVpcConfig"):
        raise NotImplementedByLocalAws("WorkforceVpcConfig is not implemented by localaws: its portal is in no VPC.")
    cidrs = request.get("SourceIpConfig", {}).get("Cidrs", [])
    if len(cidrs) > MAX_CIDRS:
        raise ValidationException(
            f"1 validation error detected: Value '[{', '.join(cidrs)}]' at 'sourceIpConfig.cidrs' failed to satisfy"
            f" constraint: Member must have length less than or equal to {MAX_CIDRS}"
        )


def check_client(pool_id: str, client_id: str) -> None:
    """
    Check that workers can sign in by a user pool and an app client.

    :raises ValidationException: one of them is not there, the pool has no domain or the client no secret.
    """
    pool = user_pools.pool(pool_id)
    if pool is None:
        raise ValidationException(f"The Cognito user pool {pool_id} does not exist.")
    client = user_pools.client(pool_id, client_id)
    if client is None:
        raise ValidationException(f"The app client {client_id} does not exist in the Cognito user pool {pool_id}.")
    if pool.domain is None:
        raise ValidationException(
            f"The Cognito user pool {pool_id} has no domain: create one with CreateUserPoolDomain."
        )
    if client.secret is None:
        raise ValidationException(
            f"The app client {client_id} has no client secret: create one with GenerateSecret set to true."
        )


def kind_of(members: list[Member]) -> str:
    """
    Return ``CognitoMemberDefinition`` or ``OidcMemberDefinition``, whichever all of a team's members are.

    :raises ValidationException: they are of both kinds, or one is of none.
    """
    kinds = {key for member in members for key in member}
    if any(len(member) != 1 for member in members) or len(kinds) != 1:
        raise ValidationException(
            "Each member definition must be either a CognitoMemberDefinition or an OidcMemberDefinition, and all of"
            " the same kind."
        )
    return kinds.pop()


def check_members(members: list[Member], workforce: dict[str, Any]) -> None:
    """
    Check the members of a work team against the workforce that it belongs to.

    :raises ValidationException: they are of another identity provider, pool or client, or of a group that is not there.
    """
    kind = kind_of(members)
    cognito = workforce.get("CognitoConfig")
    if (kind == "CognitoMemberDefinition") != (cognito is not None):
        other = "OidcMemberDefinition" if cognito is None else "CognitoMemberDefinition"
        raise ValidationException(f"The workforce {workforce['WorkforceName']} takes {other}s only.")
    if cognito is None:
        _check_oidc(members)
        return
    for member in (each["CognitoMemberDefinition"] for each in members):
        if (member["UserPool"], member["ClientId"]) != (cognito["UserPool"], cognito["ClientId"]):
            raise ValidationException(
                "All CognitoMemberDefinitions must have the user pool and the client of the workforce:"
                f" {cognito['UserPool']} and {cognito['ClientId']}."
            )
        if not user_pools.has_group(member["UserPool"], member["UserGroup"]):
            raise ValidationException(
                f"The user group {member['UserGroup']} does not exist in the Cognito user pool {member['UserPool']}."
            )


def _check_oidc(members: list[Member]) -> None:
    if any(not member["OidcMemberDefinition"].get("Groups") for member in members):
        raise ValidationException("An OidcMemberDefinition must name one to ten groups.")
