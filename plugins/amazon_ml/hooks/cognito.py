"""Cognito user pools through the hook: looked for by name, and changed without losing what is not said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amazon_ml.hooks.sagemaker import SageMakerJobHook

#: Cognito wants a callback URL with the code flow, before there is a portal. Nobody answers at a name that ends so.
NOWHERE = "https://portal.invalid/oauth2/idpresponse"
#: entries a page of Cognito's List operations at most.
_PAGE = 60
#: what DescribeUserPoolClient says that UpdateUserPoolClient does not take.
_READ_ONLY = {"ClientSecret", "LastModifiedDate", "CreationDate"}
_MISSING = {"ResourceNotFoundException"}


def find_pool(cognito: SageMakerJobHook, name: str, domain: str) -> dict[str, Any] | None:
    """
    Return the description of the user pool of this domain or, without the domain, of this name; None without one.

    Cognito lets several pools have one name. The oldest is taken, so that all tries take the same.
    """
    if pool_id := domain_owner(cognito, domain):
        return describe_pool(cognito, pool_id)
    ids = [
        pool["Id"]
        for page in cognito.pages("list_user_pools", MaxResults=_PAGE)
        for pool in page["UserPools"]
        if pool["Name"] == name
    ]
    found = [describe_pool(cognito, pool_id) for pool_id in ids]
    return min(found, key=lambda pool: (pool["CreationDate"], pool["Id"]), default=None)


def describe_pool(cognito: SageMakerJobHook, pool_id: str) -> dict[str, Any]:
    """Return the description of a user pool."""
    pool: dict[str, Any] = cognito.call("describe_user_pool", UserPoolId=pool_id)["UserPool"]
    return pool


def domain_owner(cognito: SageMakerJobHook, domain: str) -> str:
    """Return the id of the user pool that has a domain prefix; "" where none of this account has it."""
    answer = cognito.call_unless(_MISSING, "describe_user_pool_domain", Domain=domain) or {}
    return str(answer.get("DomainDescription", {}).get("UserPoolId", ""))


def find_client(cognito: SageMakerJobHook, pool_id: str, name: str) -> dict[str, Any] | None:
    """Return the description of the oldest client of this name, its secret included; None without one."""
    ids = [
        client["ClientId"]
        for page in cognito.pages("list_user_pool_clients", UserPoolId=pool_id, MaxResults=_PAGE)
        for client in page["UserPoolClients"]
        if client["ClientName"] == name
    ]
    found = [describe_client(cognito, pool_id, client_id) for client_id in ids]
    return min(found, key=lambda client: (str(client.get("CreationDate", "")), client["ClientId"]), default=None)


def describe_client(cognito: SageMakerJobHook, pool_id: str, client_id: str) -> dict[str, Any]:
    """Return the description of a client, its secret included: not for a log."""
    answer = cognito.call("describe_user_pool_client", UserPoolId=pool_id, ClientId=client_id)
    client: dict[str, Any] = answer["UserPoolClient"]
    return client


def allow_callback(cognito: SageMakerJobHook, pool_id: str, client_id: str, url: str) -> bool:
    """
    Add an address to those to which a client may send users back, in place of :data:`NOWHERE`.

    :returns: False where it was among them.
    """
    client = describe_client(cognito, pool_id, client_id)
    before = client.get("CallbackURLs", [])
    wanted = [each for each in before if each not in {url, NOWHERE}]
    if url in before and NOWHERE not in before:
        return False
    change_client(cognito, client, CallbackURLs=[*wanted, url])
    return True


def change_client(cognito: SageMakerJobHook, client: dict[str, Any], **changes: Any) -> None:
    """Change settings of a client and keep its others, which Cognito resets where they are not said."""
    kept = {key: value for key, value in client.items() if key not in _READ_ONLY}
    cognito.call("update_user_pool_client", **{**kept, **changes})
