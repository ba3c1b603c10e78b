"""Cognito user pools: the operator that makes the directory of people who may sign in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.cognito import NOWHERE, CognitoHook
from amazon_ml.naming import RunKey
from amazon_ml.operators.base import SageMakerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

_SCOPES = ("email", "openid", "profile")


class UserPoolOperator(SageMakerOperator):
    """
    Create a Cognito user pool with a domain, a client with a secret, and groups, or find them.

    What is there is found by its name and checked, and never deleted. A client without a secret, or without the code
    flow, is refused; callback URLs that it lacks are added. The secret stays in Cognito: it is neither in XCom nor in
    the log. The domain belongs to one pool of a region: where it is another pool's it is refused.

    Returns ``{"user_pool_id", "client_id", "domain"}``.

    :param pool_name: the pool. Of several with this name the oldest is taken. Templated.
    :param domain: prefix of the address at which people sign in. Templated.
    :param client_name: the client. Templated.
    :param groups: to which users are added, such as that of a work team. Templated.
    :param callback_urls: to which the client may send users back. :class:`WorkforceOperator` adds the portal's.
        Templated.
    :param logout_urls: to which it may send them when they have signed out. Templated.
    :param flows: OAuth flows of the client, "code" and "implicit".
    :raises RequestRefused: the domain is another pool's, the client is of another kind, or AWS refuses.

    .. seealso:: CreateUserPool and CreateUserPoolClient in the Cognito API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "pool_name",
        "domain",
        "client_name",
        "groups",
        "callback_urls",
        "logout_urls",
    )

    def __init__(
        self,
        *,
        pool_name: str,
        domain: str,
        client_name: str,
        groups: Sequence[str] = (),
        callback_urls: Sequence[str] = (NOWHERE,),
        logout_urls: Sequence[str] = (),
        flows: Sequence[str] = ("code",),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pool_name = pool_name
        self.domain = domain
        self.client_name = client_name
        self.groups = list(groups)
        self.callback_urls = list(callback_urls)
        self.logout_urls = list(logout_urls)
        self.flows = list(flows)

    def execute(self, context: Context) -> dict[str, str]:
        """Find each of them, and create what is missing."""
        cognito = self.hook.sibling(CognitoHook)
        pool_id = self._pool(cognito, context)
        self._domain(cognito, pool_id)
        client_id = self._client(cognito, pool_id)
        for group in self.groups:
            if cognito.create_group(pool_id, group):
                self.log.info("Made group %s", group)
        return {"user_pool_id": pool_id, "client_id": client_id, "domain": self.domain}

    def _pool(self, cognito: CognitoHook, context: Context) -> str:
        found = cognito.find_pool(self.pool_name, self.domain)
        if found is None:
            self.check_alive()
            labels = {tag["Key"]: tag["Value"] for tag in self.resource_tags(RunKey.of(context))}
            # Nobody signs up by himself, and e-mail is how the others reach people.
            cognito.create_pool(
                self.pool_name,
                labels,
                AutoVerifiedAttributes=["email"],
                AdminCreateUserConfig={"AllowAdminCreateUserOnly": True},
            )
            # Looked for again: of two that were made at once, all tries take the same.
            found = cognito.find_pool(self.pool_name, self.domain) or {}
            self.log.info("Made user pool %s, %s", self.pool_name, found.get("Id"))
        if found.get("Name") != self.pool_name:
            raise RequestRefused(
                f"Domain {self.domain} is that of user pool {found.get('Name')} ({found.get('Id')}), not of "
                f"{self.pool_name}: give another domain, or pool_name={found.get('Name')!r}"
            )
        return str(found["Id"])

    def _domain(self, cognito: CognitoHook, pool_id: str) -> None:
        if cognito.domain_owner(self.domain) == pool_id:
            return
        if other := cognito.describe_pool(pool_id).get("Domain"):
            raise RequestRefused(
                f"User pool {self.pool_name} ({pool_id}) has domain {other}, not {self.domain}: give domain={other!r}"
            )
        cognito.create_domain(pool_id, self.domain)
        self.log.info("Made domain %s of user pool %s", self.domain, pool_id)

    def _client(self, cognito: CognitoHook, pool_id: str) -> str:
        found = cognito.find_client(pool_id, self.client_name)
        if found is None:
            self.check_alive()
            cognito.create_client(
                pool_id,
                self.client_name,
                SupportedIdentityProviders=["COGNITO"],
                AllowedOAuthFlowsUserPoolClient=True,
                AllowedOAuthFlows=self.flows,
                AllowedOAuthScopes=list(_SCOPES),
                CallbackURLs=self.callback_urls,
                LogoutURLs=self.logout_urls,
                PreventUserExistenceErrors="ENABLED",
            )
            found = cognito.find_client(pool_id, self.client_name) or {}
            self.log.info("Made client %s, %s", self.client_name, found.get("ClientId"))
        self._check_client(found)
        missing = [url for url in self.callback_urls if url not in found.get("CallbackURLs", []) and url != NOWHERE]
        if missing:
            cognito.change_client(found, CallbackURLs=[*found.get("CallbackURLs", []), *missing])
            self.log.info("Client %s may send users to %s too", self.client_name, missing)
        return str(found["ClientId"])

    def _check_client(self, client: Mapping[str, Any]) -> None:
        lacks = [
            *([] if client.get("ClientSecret") else ["a secret"]),
            *(f"the {flow} flow" for flow in self.flows if flow not in client.get("AllowedOAuthFlows", [])),
            *(f"the scope {scope}" for scope in _SCOPES if scope not in client.get("AllowedOAuthScopes", [])),
        ]
        if lacks:
            raise RequestRefused(
                f"Client {self.client_name} ({client.get('ClientId')}) is there, without {', '.join(lacks)}: change it "
                f"in Cognito, or give another client_name"
            )
