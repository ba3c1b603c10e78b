"""Cognito user pools: looked for by name, and changed without losing what is not said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amazon_ml.hooks.base import ServiceHook

#: Cognito wants a callback URL with the code flow, before there is a portal. Nobody answers at a name that ends so.
NOWHERE = "https://portal.invalid/oauth2/idpresponse"
#: entries a page of Cognito's List operations at most.
_PAGE = 60
#: what DescribeUserPoolClient says that UpdateUserPoolClient does not take.
_READ_ONLY = {"ClientSecret", "LastModifiedDate", "CreationDate"}


class CognitoHook(ServiceHook):
    """User pools with their domains, clients, groups and users."""

    service = "cognito-idp"

    def find_pool(self, name: str, domain: str) -> dict[str, Any] | None:
        """
        Return the description of the user pool of this domain or, without the domain, of this name; None without one.

        Cognito lets several pools have one name. The oldest is taken, so that all tries take the same.
        """
        if pool_id := self.domain_owner(domain):
            return self.describe_pool(pool_id)
        ids = [
            pool["Id"]
            for page in self._pages("list_user_pools", MaxResults=_PAGE)
            for pool in page["UserPools"]
            if pool["Name"] == name
        ]
        found = [self.describe_pool(pool_id) for pool_id in ids]
        return min(found, key=lambda pool: (pool["CreationDate"], pool["Id"]), default=None)

    def describe_pool(self, pool_id: str) -> dict[str, Any]:
        """Return the description of a user pool."""
        pool: dict[str, Any] = self._call("describe_user_pool", UserPoolId=pool_id)["UserPool"]
        return pool

    def create_pool(self, name: str, tags: Mapping[str, str], **settings: Any) -> None:
        """Create a user pool; ``settings`` are further members of CreateUserPool."""
        self._call("create_user_pool", PoolName=name, UserPoolTags=dict(tags), **settings)

    def domain_owner(self, domain: str) -> str:
        """Return the id of the user pool that has a domain prefix; "" where none of this account has it."""
        answer = self._call_unless({"ResourceNotFoundException"}, "describe_user_pool_domain", Domain=domain) or {}
        return str(answer.get("DomainDescription", {}).get("UserPoolId", ""))

    def create_domain(self, pool_id: str, domain: str) -> None:
        """Give a user pool a domain prefix."""
        self._call("create_user_pool_domain", Domain=domain, UserPoolId=pool_id)

    def find_client(self, pool_id: str, name: str) -> dict[str, Any] | None:
        """Return the description of the oldest client of this name, its secret included; None without one."""
        ids = [
            client["ClientId"]
            for page in self._pages("list_user_pool_clients", UserPoolId=pool_id, MaxResults=_PAGE)
            for client in page["UserPoolClients"]
            if client["ClientName"] == name
        ]
        found = [self.describe_client(pool_id, client_id) for client_id in ids]
        return min(found, key=lambda client: (str(client.get("CreationDate", "")), client["ClientId"]), default=None)

    def describe_client(self, pool_id: str, client_id: str) -> dict[str, Any]:
        """Return the description of a client, its secret included: not for a log."""
        answer = self._call("describe_user_pool_client", UserPoolId=pool_id, ClientId=client_id)
        client: dict[str, Any] = answer["UserPoolClient"]
        return client

    def create_client(self, pool_id: str, name: str, **settings: Any) -> None:
        """Create a client with a secret; ``settings`` are further members of CreateUserPoolClient."""
        self._call("create_user_pool_client", UserPoolId=pool_id, ClientName=name, GenerateSecret=True, **settings)

    def change_client(self, client: Mapping[str, Any], **changes: Any) -> None:
        """Change settings of a client and keep its others, which Cognito resets where they are not said."""
        kept = {key: value for key, value in client.items() if key not in _READ_ONLY}
        self._call("update_user_pool_client", **{**kept, **changes})

    def allow_callback(self, pool_id: str, client_id: str, url: str) -> bool:
        """
        Add an address to those to which a client may send users back, in place of :data:`NOWHERE`.

        :returns: False where it was among them.
        """
        client = self.describe_client(pool_id, client_id)
        before = client.get("CallbackURLs", [])
        wanted = [each for each in before if each not in {url, NOWHERE}]
        if url in before and NOWHERE not in before:
            return False
        self.change_client(client, CallbackURLs=[*wanted, url])
        return True

    def create_group(self, pool_id: str, name: str) -> bool:
        """Create a group, and return False if it exists."""
        made = self._call_unless({"GroupExistsException"}, "create_group", UserPoolId=pool_id, GroupName=name)
        return made is not None

    def check_group(self, pool_id: str, name: str) -> None:
        """
        Check that a group exists.

        :raises RequestRefused: there is none.
        """
        self._call("get_group", UserPoolId=pool_id, GroupName=name)

    def find_user(self, pool_id: str, username: str) -> dict[str, Any] | None:
        """Return the description of a user; None where there is none of that name."""
        return self._call_unless({"UserNotFoundException"}, "admin_get_user", UserPoolId=pool_id, Username=username)

    def create_user(self, pool_id: str, username: str, attributes: Mapping[str, str], **settings: Any) -> bool:
        """
        Create a user; ``settings`` are further members of AdminCreateUser.

        :returns: False where there is one of that name.
        """
        made = self._call_unless(
            {"UsernameExistsException"},
            "admin_create_user",
            UserPoolId=pool_id,
            Username=username,
            UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items()],
            **settings,
        )
        return made is not None

    def add_to_group(self, pool_id: str, username: str, group: str) -> None:
        """Add a user to a group; a member stays one."""
        self._call("admin_add_user_to_group", UserPoolId=pool_id, Username=username, GroupName=group)
