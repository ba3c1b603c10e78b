"""Who works: users of a user pool or of an OpenID Connect provider, and the teams that their groups belong to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from localaws.core.context import Context
from localaws.moto_bridge import user_pools
from localaws.sagemaker.workforce import records

#: ``identityProviderType`` in A2I's output.
COGNITO = "Cognito"
OIDC = "Oidc"


@dataclass(frozen=True)
class Worker:
    """
    A worker, as of now.

    :param pool_id: the user pool; "" for a worker of another provider.
    :param teams: the ARNs of the work teams that this worker belongs to.
    :param groups: the groups that this worker is in, also those of no team.
    :param provider: who knows the worker, :data:`COGNITO` or :data:`OIDC`.
    """

    sub: str
    username: str
    email: str
    issuer: str
    pool_id: str
    teams: tuple[str, ...]
    groups: tuple[str, ...] = ()
    provider: str = COGNITO

    @property
    def worker_id(self) -> str:
        """16 hexadecimal digits, always the same for the same person; A2I's output names workers by it."""
        return hashlib.sha256(f"{self.issuer}\n{self.sub}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Federated:
    """
    A person as the claims of an OpenID Connect provider have them.

    :param sub: the claim ``sagemaker:sub``.
    :param name: the claim ``sagemaker:name``.
    """

    issuer: str
    client_id: str
    sub: str
    name: str
    email: str
    groups: tuple[str, ...]


def worker(ctx: Context, *, pool_id: str, username: str) -> Worker | None:
    """
    Return a user of a user pool as a worker.

    :returns: ``None`` where there is no such user, the user is disabled, or is in no group of a work team.
    """
    pool, user = user_pools.pool(pool_id), user_pools.user(pool_id, username)
    if pool is None or user is None or not user.enabled:
        return None
    teams = _teams(ctx, user.groups, lambda team: _groups(team, pool_id))
    if not teams:
        return None
    email = user.attributes.get("email", "")
    return Worker(user.sub, user.username, email, pool.issuer, pool_id, teams, tuple(user.groups))


def federated_worker(ctx: Context, person: Federated) -> Worker | None:
    """
    Return a person whom the workforce's provider knows as a worker.

    :returns: ``None`` where the workforce has another provider or client by now, or no group is one of a work team.
    """
    workforce = records.workforce_of_region(ctx)
    if workforce is None or not knows(workforce, person):
        return None
    teams = _teams(ctx, person.groups, _oidc_groups)
    if not teams:
        return None
    return Worker(person.sub, person.name, person.email, person.issuer, "", teams, person.groups, OIDC)


def knows(workforce: records.Record, person: Federated) -> bool:
    """Return whether a workforce is of the provider and client that a person signed in by."""
    config = workforce.get("OidcConfig", {})
    return (config.get("Issuer"), config.get("ClientId")) == (person.issuer, person.client_id)


def _teams(ctx: Context, groups: Iterable[str], groups_of: Callable[[records.Record], set[str]]) -> tuple[str, ...]:
    return tuple(team["WorkteamArn"] for team in records.workteams(ctx) if groups_of(team).intersection(groups))


def _groups(team: records.Record, pool_id: str) -> set[str]:
    members = [each.get("CognitoMemberDefinition", {}) for each in team["MemberDefinitions"]]
    return {member["UserGroup"] for member in members if member.get("UserPool") == pool_id}


def _oidc_groups(team: records.Record) -> set[str]:
    members = [each.get("OidcMemberDefinition", {}) for each in team["MemberDefinitions"]]
    return {group for member in members for group in member.get("Groups", [])}
