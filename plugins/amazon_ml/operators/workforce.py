"""SageMaker workforces: the operator that says by which identity provider people sign in to the worker portal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from amazon_ml.exceptions import JobFailed, RequestRefused
from amazon_ml.hooks.cognito import CognitoHook
from amazon_ml.hooks.sagemaker import AlreadyExists
from amazon_ml.links.portal import WorkerPortalLink, portal_url
from amazon_ml.links.sagemaker import SageMakerConsoleLink
from amazon_ml.naming import RunKey
from amazon_ml.operators.base import SageMakerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

#: where the portal takes Cognito's answer.
_CALLBACK = "/oauth2/idpresponse"
#: which of user_pool_id, client_id, oidc_config and oidc_conn_id are given.
_COGNITO = [True, True, False, False]
_OIDC = [False, False, True, True]


class WorkforceOperator(SageMakerOperator):
    """
    Create the private workforce of a region, or find it, and wait until it is active.

    Its people are the users of a Cognito user pool (``user_pool_id`` and ``client_id``), or of an OpenID Connect
    provider (``oidc_config`` and ``oidc_conn_id``). AWS has one workforce a region. One that is there is checked: of
    another provider, client or name it is refused, with its name. It is never deleted, since others' work teams would
    go with it, and it costs nothing. The portal's address is added to the callback URLs of Cognito's client where it is
    not there, for without it nobody can sign in. At another provider you allow it yourself: the task's log has it.

    Returns ``{"name", "arn", "sub_domain"}``; SubDomain is the host of the portal.

    :param workforce_name: the workforce; SageMaker's console makes one that is called "default". Templated.
    :param user_pool_id: the Cognito user pool. Templated.
    :param client_id: its client, which has a secret. Templated.
    :param oidc_config: OidcConfig by AWS's names, such as Issuer and JwksUri, without ClientId and ClientSecret.
        Templated.
    :param oidc_conn_id: the Airflow connection with the client: its login is the ClientId, its password the
        ClientSecret. So the secret is neither in the rendered fields nor in XCom, and Airflow masks it in logs.
        Templated.
    :raises RequestRefused: the region has another workforce, this one is of another provider, or the connection has
        no client.
    :raises JobFailed: AWS could not make it, with AWS's reason.

    .. seealso:: CreateWorkforce in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "workforce_name",
        "user_pool_id",
        "client_id",
        "oidc_config",
        "oidc_conn_id",
    )
    template_fields_renderers = {**SageMakerOperator.template_fields_renderers, "oidc_config": "json"}
    operator_extra_links = (SageMakerConsoleLink(), WorkerPortalLink())

    def __init__(
        self,
        *,
        workforce_name: str,
        user_pool_id: str | XComArg | None = None,
        client_id: str | XComArg | None = None,
        oidc_config: Mapping[str, Any] | None = None,
        oidc_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        given = [value is not None for value in (user_pool_id, client_id, oidc_config, oidc_conn_id)]
        if given not in (_COGNITO, _OIDC):
            raise ValueError(
                "a workforce is of a user_pool_id with a client_id, or of an oidc_config with an oidc_conn_id, "
                "and not of both"
            )
        if secret := sorted({"ClientId", "ClientSecret"}.intersection(oidc_config or {})):
            raise ValueError(
                f"{' and '.join(secret)} in oidc_config would be shown to everybody who sees the task: they are login "
                f"and password of the connection oidc_conn_id"
            )
        self.workforce_name = workforce_name
        self.user_pool_id = user_pool_id
        self.client_id = client_id
        self.oidc_config = dict(oidc_config) if oidc_config is not None else None
        self.oidc_conn_id = oidc_conn_id
        self.portal_url = ""

    def execute(self, context: Context) -> Any:
        """Find the workforce, or create it."""
        found = self.hook.describe("Workforce", self.workforce_name)
        if found is None:
            self._check_region_is_free()
            self._create(context)
        elif found["Workforce"].get("Status", "Active") == "Active":
            return self._finish(found["Workforce"])
        self.check_alive()
        return self.wait(context, waiter="workforce_active", name=self.workforce_name, then="execute_complete")

    def execute_complete(self, context: Context, event: Mapping[str, str] | None = None) -> Any:
        """Return the result after the wait, or raise."""
        self.check_event(event, "Workforce")
        return self._finish(self.hook.require("Workforce", self.workforce_name)["Workforce"])

    def _finish(self, workforce: Mapping[str, Any]) -> dict[str, str]:
        status = workforce.get("Status", "Active")
        if status != "Active":
            reason = workforce.get("FailureReason", "AWS gives no reason")
            raise JobFailed(f"Workforce {self.workforce_name} is {status}: {reason}")
        self._check(workforce)
        sub_domain = workforce.get("SubDomain", "")
        self.portal_url = portal_url(sub_domain, self.hook.conn_client_meta.endpoint_url)
        if self.portal_url:
            self._allow_callback(f"{self.portal_url}{_CALLBACK}")
        self.log.info("Workforce %s is active, its portal is %s", self.workforce_name, self.portal_url or "not known")
        self.note_data([], [workforce["WorkforceArn"]])
        return {"name": self.workforce_name, "arn": workforce["WorkforceArn"], "sub_domain": sub_domain}

    def _allow_callback(self, callback: str) -> None:
        if self.oidc_config is not None:
            self.log.info("The identity provider must let its client send people to %s", callback)
            return
        cognito = self.hook.sibling(CognitoHook)
        if cognito.allow_callback(str(self.user_pool_id), str(self.client_id), callback):
            self.log.info("Client %s may send workers to %s", self.client_id, callback)

    def _check(self, workforce: Mapping[str, Any]) -> None:
        wanted = self._provider()
        # AWS does not tell the secret, so that it cannot be compared.
        wanted.get("OidcConfig", {}).pop("ClientSecret", None)
        if all(_has(workforce.get(kind), config) for kind, config in wanted.items()):
            return
        raise RequestRefused(
            f"Workforce {self.workforce_name} is there, for {_said(workforce)} and not for {_said(wanted)}"
            f"{_differences(workforce, wanted)}: use that one, or delete the workforce and its teams"
        )

    def _provider(self) -> dict[str, Any]:
        """
        Return the member of CreateWorkforce that says who the workforce is of.

        :raises RequestRefused: the connection has no login or no password.
        """
        if self.oidc_config is None:
            return {"CognitoConfig": {"UserPool": str(self.user_pool_id), "ClientId": str(self.client_id)}}
        connection = BaseHook.get_connection(str(self.oidc_conn_id))
        if not connection.login or not connection.password:
            raise RequestRefused(
                f"Connection {self.oidc_conn_id} must have the client of the identity provider: its ClientId as login "
                f"and its ClientSecret as password"
            )
        mask_secret(connection.password)
        return {"OidcConfig": {**self.oidc_config, "ClientId": connection.login, "ClientSecret": connection.password}}

    def _check_region_is_free(self) -> None:
        for other in self.hook.workforces():
            raise RequestRefused(
                f"Workforce {self.workforce_name} cannot be made: the region has {other['WorkforceName']}, and "
                f"AWS allows one. Use workforce_name={other['WorkforceName']!r}, or delete it and its teams"
            )

    def _create(self, context: Context) -> None:
        request = {
            "WorkforceName": self.workforce_name,
            **self._provider(),
            "Tags": self.resource_tags(RunKey.of(context)),
        }
        try:
            self.hook.create("Workforce", request)
            self.log.info("Creating workforce %s", self.workforce_name)
        except (AlreadyExists, RequestRefused):
            # AWS says "more than one" of this one too, which another process has made, or a call whose answer got lost.
            if self.hook.describe("Workforce", self.workforce_name) is None:
                raise
            self.log.info("Workforce %s was made by another process in the meantime", self.workforce_name)


def _has(found: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    """Return whether a configuration has all that is wanted; AWS may add defaults."""
    return found is not None and all(found.get(name) == value for name, value in wanted.items())


def _said(workforce: Mapping[str, Any]) -> str:
    """Say for people which provider and client a workforce is of."""
    if cognito := workforce.get("CognitoConfig"):
        return f"user pool {cognito['UserPool']} and client {cognito['ClientId']}"
    oidc = workforce.get("OidcConfig", {})
    return f"OIDC issuer {oidc.get('Issuer')} and client {oidc.get('ClientId')}"


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Name the members of OidcConfig that differ, where both are of such a provider."""
    one, other = found.get("OidcConfig"), wanted.get("OidcConfig")
    if one is None or other is None:
        return ""
    return f" (they differ in {', '.join(sorted(name for name in other if one.get(name) != other[name]))})"
