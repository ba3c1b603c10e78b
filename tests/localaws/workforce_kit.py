"""A user pool that workers sign in by, a workforce and a team."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from localaws_kit import LocalAws
from portal_kit import address

PASSWORD = "Correct-horse-1"
TEMPORARY = "Temporary-horse-1"


@dataclass(frozen=True)
class People:
    """A user pool with a domain, an app client with a secret, and a group."""

    pool_id: str
    client_id: str
    secret: str
    domain: str
    group: str
    callback: str

    @property
    def cognito_config(self) -> dict[str, str]:
        return {"UserPool": self.pool_id, "ClientId": self.client_id}

    @property
    def member(self) -> dict[str, Any]:
        return {"CognitoMemberDefinition": {**self.cognito_config, "UserGroup": self.group}}


def make_people(server: LocalAws, name: str, **client: Any) -> People:
    """Make the pool, its client for the portal, its domain and its group."""
    idp = server.client("cognito-idp")
    pool = idp.create_user_pool(PoolName=name, AutoVerifiedAttributes=["email"])["UserPool"]["Id"]
    callback = f"{address(server)}/oauth2/idpresponse"
    settings: dict[str, Any] = {
        "GenerateSecret": True,
        "CallbackURLs": [callback],
        "LogoutURLs": [f"{address(server)}/signed-out"],
        "AllowedOAuthFlows": ["code", "implicit"],
        "AllowedOAuthFlowsUserPoolClient": True,
        "AllowedOAuthScopes": ["email", "openid", "profile"],
        "SupportedIdentityProviders": ["COGNITO"],
        "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        **client,
    }
    made = idp.create_user_pool_client(UserPoolId=pool, ClientName=name, **settings)["UserPoolClient"]
    domain = f"{name}-domain"
    idp.create_user_pool_domain(UserPoolId=pool, Domain=domain)
    idp.create_group(UserPoolId=pool, GroupName="labelers")
    return People(pool, made["ClientId"], made.get("ClientSecret", ""), domain, "labelers", callback)


def add_worker(
    server: LocalAws, people: People, username: str, *, group: str | None = "", permanent: bool = True
) -> None:
    """Add a user: with a password of the user's own, or with a temporary one; in the group, another, or none."""
    idp = server.client("cognito-idp")
    pool = {"UserPoolId": people.pool_id, "Username": username}
    email = [{"Name": "email", "Value": f"{username}@example.com"}]
    idp.admin_create_user(**pool, UserAttributes=email, TemporaryPassword=TEMPORARY, MessageAction="SUPPRESS")
    if permanent:
        idp.admin_set_user_password(**pool, Password=PASSWORD, Permanent=True)
    if group is not None:
        idp.admin_add_user_to_group(**pool, GroupName=group or people.group)


def make_team(server: LocalAws, people: People, name: str = "team") -> str:
    """Make a workforce, if the region has none, and a work team of the group; the team's ARN."""
    sagemaker = server.client("sagemaker")
    if not sagemaker.list_workforces()["Workforces"]:
        sagemaker.create_workforce(WorkforceName="people", CognitoConfig=people.cognito_config)
    made = sagemaker.create_workteam(WorkteamName=name, MemberDefinitions=[people.member], Description="Labels reviews")
    return str(made["WorkteamArn"])


def move_attempts(server: LocalAws, seconds: float) -> None:
    """Have all failed sign-ins of users be later by so much, or earlier: the machine's pace must not matter."""
    store = sqlite3.connect(server.home / "localaws" / "state.db", timeout=30)
    with store:
        store.execute("UPDATE attempt SET at = at + ? WHERE who NOT LIKE 'address%'", (seconds,))
    store.close()
