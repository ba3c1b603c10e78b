"""SageMaker work teams: the operator that says which groups of people do the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.sagemaker import AlreadyExists
from amazon_ml.links.portal import WorkerPortalLink, portal_url
from amazon_ml.links.sagemaker import SageMakerConsoleLink
from amazon_ml.naming import RunKey
from amazon_ml.operators.base import SageMakerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg


#: which of user_pool_id, client_id, groups and oidc_groups are given.
_COGNITO = [True, True, True, False]
_OIDC = [False, False, False, True]
_NO_POOL = {("", "")}


class WorkteamOperator(SageMakerOperator):
    """
    Create a work team of the members of groups, or find it.

    The groups are a Cognito user pool's (``user_pool_id``, ``client_id`` and ``groups``), or those that the workforce's
    OpenID Connect provider tells in the claim ``sagemaker:groups`` (``oidc_groups``).

    A team that is there is checked: of another user pool, client or kind it is refused. Its groups and description are
    updated where they differ. It is never deleted: a team costs nothing, and open loops need it.

    Returns ``{"name", "arn", "sub_domain"}``; SubDomain is the host of the portal.

    :param workteam_name: the team. Templated.
    :param workforce_name: the workforce that it belongs to. Templated.
    :param description: for people, at most 200 characters. Templated.
    :param user_pool_id: the Cognito user pool of the workforce. Templated.
    :param client_id: its client. Templated.
    :param groups: of the pool, up to ten: their users are the members. Templated.
    :param oidc_groups: of the OpenID Connect provider, up to ten: whoever is in one of them is a member. Templated.
    :raises RequestRefused: there is a team of that name for another pool or kind, or AWS refuses.

    .. seealso:: CreateWorkteam and UpdateWorkteam in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "workteam_name",
        "workforce_name",
        "description",
        "user_pool_id",
        "client_id",
        "groups",
        "oidc_groups",
    )
    operator_extra_links = (SageMakerConsoleLink(), WorkerPortalLink())

    def __init__(
        self,
        *,
        workteam_name: str,
        workforce_name: str | XComArg,
        description: str,
        user_pool_id: str | XComArg | None = None,
        client_id: str | XComArg | None = None,
        groups: Sequence[str] | None = None,
        oidc_groups: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        given = [value is not None for value in (user_pool_id, client_id, groups, oidc_groups)]
        if given not in (_COGNITO, _OIDC):
            raise ValueError(
                "a work team is of groups with a user_pool_id and a client_id, or of oidc_groups, and not of both"
            )
        self.workteam_name = workteam_name
        self.workforce_name = workforce_name
        self.description = description
        self.user_pool_id = user_pool_id
        self.client_id = client_id
        self.groups = list(groups) if groups is not None else None
        self.oidc_groups = list(oidc_groups) if oidc_groups is not None else None
        self.portal_url = ""

    def execute(self, context: Context) -> dict[str, str]:
        """Create or update the work team if needed."""
        found = self.hook.describe("Workteam", self.workteam_name)
        if found is None:
            self._create(context)
            found = self.hook.require("Workteam", self.workteam_name)
        team = self._checked(found["Workteam"])
        sub_domain = team.get("SubDomain", "")
        self.portal_url = portal_url(sub_domain, self.hook.conn_client_meta.endpoint_url)
        self.note_data([], [team["WorkteamArn"]])
        return {"name": self.workteam_name, "arn": team["WorkteamArn"], "sub_domain": sub_domain}

    def _create(self, context: Context) -> None:
        request = {
            "WorkteamName": self.workteam_name,
            "WorkforceName": str(self.workforce_name),
            "MemberDefinitions": self._members(),
            "Description": self.description,
            "Tags": self.resource_tags(RunKey.of(context)),
        }
        try:
            self.hook.create("Workteam", request)
            self.log.info("Made work team %s", self.workteam_name)
        except AlreadyExists:
            self.log.info("Work team %s was made by another process in the meantime", self.workteam_name)

    def _checked(self, team: Mapping[str, Any]) -> Mapping[str, Any]:
        """
        Return the team if it is as this task defines it, with our groups and description.

        :raises RequestRefused: it is of another pool, client or kind.
        """
        wanted, found = _source(self._members()), _source(team["MemberDefinitions"])
        if wanted != found:
            raise RequestRefused(
                f"Work team {self.workteam_name} is there, for {_said(found)} and not {_said(wanted)}: give another "
                f"workteam_name, or delete that team"
            )
        wanted_groups, groups = _groups(self._members()), _groups(team["MemberDefinitions"])
        if groups == wanted_groups and team["Description"] == self.description:
            self.log.info("Work team %s is as it should be", self.workteam_name)
            return team
        self.log.info("Updating work team %s: groups %s are to be %s", self.workteam_name, groups, wanted_groups)
        changed = {"MemberDefinitions": self._members(), "Description": self.description}
        answer = self.hook.update("Workteam", {"WorkteamName": self.workteam_name, **changed})
        updated: Mapping[str, Any] = answer["Workteam"]
        return updated

    def _members(self) -> list[dict[str, Any]]:
        if self.oidc_groups is not None:
            return [{"OidcMemberDefinition": {"Groups": self.oidc_groups}}]
        shared = {"UserPool": str(self.user_pool_id), "ClientId": str(self.client_id)}
        return [{"CognitoMemberDefinition": {**shared, "UserGroup": group}} for group in self.groups or ()]


def _source(members: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Return the user pools and clients of members; those of an OpenID Connect provider have none."""
    cognito = [member.get("CognitoMemberDefinition", {}) for member in members]
    return {(member.get("UserPool", ""), member.get("ClientId", "")) for member in cognito}


def _groups(members: Sequence[Mapping[str, Any]]) -> set[str]:
    named = [member.get("OidcMemberDefinition", {}).get("Groups", []) for member in members]
    cognito = [
        member["CognitoMemberDefinition"]["UserGroup"] for member in members if "CognitoMemberDefinition" in member
    ]
    return {group for groups in (*named, cognito) for group in groups}


def _said(pairs: set[tuple[str, str]]) -> str:
    """Say for people whose groups a team is of."""
    if pairs == _NO_POOL:
        return "groups of an OpenID Connect provider"
    return f"user pool and client {', '.join(f'{pool} {client}' for pool, client in sorted(pairs))}"
