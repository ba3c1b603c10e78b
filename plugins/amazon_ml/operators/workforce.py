"""SageMaker workforces: the operator that lets the users of a Cognito pool sign in to the worker portal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from amazon_ml.exceptions import JobFailed, RequestRefused
from amazon_ml.hooks.cognito import allow_callback
from amazon_ml.links.portal import WorkerPortalLink, portal_url
from amazon_ml.links.sagemaker import SageMakerConsoleLink
from amazon_ml.naming import RunKey, tags
from amazon_ml.operators.base import SageMakerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

#: where the portal takes Cognito's answer.
_CALLBACK = "/oauth2/idpresponse"


class WorkforceOperator(SageMakerOperator):
    """
    Make the private workforce of a region from a Cognito user pool, or find it, and wait until it is active.

    AWS has one workforce a region. One that is there is checked: of another pool, client or name it is refused, with
    its name. It is never deleted, since others' work teams would go with it, and it costs nothing. The portal's address
    is added to the client's callback URLs where it is not there, for without it nobody can sign in.

    Returns ``{"name", "arn", "sub_domain"}``; SubDomain is the host of the portal.

    :param workforce_name: the workforce; SageMaker's console makes one that is called "default". Templated.
    :param user_pool_id: the Cognito user pool. Templated.
    :param client_id: its client, which has a secret. Templated.
    :raises RequestRefused: the region has another workforce, or this one is of another pool.
    :raises JobFailed: AWS could not make it, with AWS's reason.

    .. seealso:: CreateWorkforce in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "workforce_name",
        "user_pool_id",
        "client_id",
    )
    operator_extra_links = (SageMakerConsoleLink(), WorkerPortalLink())

    def __init__(
        self,
        *,
        workforce_name: str,
        user_pool_id: str | XComArg,
        client_id: str | XComArg,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workforce_name = workforce_name
        self.user_pool_id = user_pool_id
        self.client_id = client_id
        self.portal_url = ""

    def execute(self, context: Context) -> Any:
        """Look, and create it if there is none."""
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
        return self._finish(self.hook.call("describe_workforce", WorkforceName=self.workforce_name)["Workforce"])

    def _finish(self, workforce: Mapping[str, Any]) -> dict[str, str]:
        status = workforce.get("Status", "Active")
        if status != "Active":
            reason = workforce.get("FailureReason", "AWS gives no reason")
            raise JobFailed(f"Workforce {self.workforce_name} is {status}: {reason}")
        self._check(workforce)
        sub_domain = workforce.get("SubDomain", "")
        self.portal_url = portal_url(sub_domain, self.hook.conn_client_meta.endpoint_url)
        if self.portal_url:
            cognito, callback = self.hook.of("cognito-idp"), f"{self.portal_url}{_CALLBACK}"
            if allow_callback(cognito, str(self.user_pool_id), str(self.client_id), callback):
                self.log.info("Client %s may send workers to %s", self.client_id, callback)
        self.log.info("Workforce %s is active, its portal is %s", self.workforce_name, self.portal_url or "not known")
        self.note_data([], [workforce["WorkforceArn"]])
        return {"name": self.workforce_name, "arn": workforce["WorkforceArn"], "sub_domain": sub_domain}

    def _check(self, workforce: Mapping[str, Any]) -> None:
        wanted = {"UserPool": str(self.user_pool_id), "ClientId": str(self.client_id)}
        found = workforce.get("CognitoConfig")
        if found != wanted:
            of = f"user pool {found['UserPool']} and client {found['ClientId']}" if found else "an OIDC provider"
            raise RequestRefused(
                f"Workforce {self.workforce_name} is there, for {of} and not for user pool {wanted['UserPool']} and "
                f"client {wanted['ClientId']}: use that pool, or delete the workforce and its teams"
            )

    def _check_region_is_free(self) -> None:
        for page in self.hook.pages("list_workforces"):
            for other in page["Workforces"]:
                raise RequestRefused(
                    f"Workforce {self.workforce_name} cannot be made: the region has {other['WorkforceName']}, and "
                    f"AWS allows one. Use workforce_name={other['WorkforceName']!r}, or delete it and its teams"
                )

    def _create(self, context: Context) -> None:
        request = {
            "WorkforceName": self.workforce_name,
            "CognitoConfig": {"UserPool": str(self.user_pool_id), "ClientId": str(self.client_id)},
            "Tags": tags(RunKey.of(context), self.tags),
        }
        try:
            self.hook.call("create_workforce", **request)
            self.log.info("Creating workforce %s", self.workforce_name)
        except RequestRefused:
            # AWS says "more than one" of this one too, which another process has made, or a call whose answer got lost.
            if self.hook.describe("Workforce", self.workforce_name) is None:
                raise
            self.log.info("Workforce %s was made by another process in the meantime", self.workforce_name)
