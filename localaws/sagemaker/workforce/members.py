"""Who works: users of a user pool, and the teams that their groups belong to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from localaws.core.context import Context
from localaws.moto_bridge import user_pools
from localaws.sagemaker.workforce import records


@dataclass(frozen=True)
class Worker:
    """
    A worker, as of now.

    :param teams: the ARNs of the work teams that this worker belongs to.
    """

    sub: str
    username: str
    email: str
    issuer: str
    pool_id: str
    teams: tuple[str, ...]

    @property
    def worker_id(self) -> str:
        """16 hexadecimal digits, always the same for the same person; A2I's output names workers by it."""
        return hashlib.sha256(f"{self.issuer}\n{self.sub}".encode()).hexdigest()[:16]


def worker(ctx: Context, *, pool_id: str, username: str) -> Worker | None:
    """
    Return a user as a worker.

    :returns: ``None`` where there is no such user, the user is disabled, or is in no group of a work team.
    """
    pool, user = user_pools.pool(pool_id), user_pools.user(pool_id, username)
    if pool is None or user is None or not user.enabled:
        return None
    teams = tuple(
        team["WorkteamArn"] for team in records.workteams(ctx) if _groups(team, pool_id).intersection(user.groups)
    )
    if not teams:
        return None
    return Worker(user.sub, user.username, user.attributes.get("email", ""), pool.issuer, pool_id, teams)


def _groups(team: records.Record, pool_id: str) -> set[str]:
    members = [each.get("CognitoMemberDefinition", {}) for each in team["MemberDefinitions"]]
    return {member["UserGroup"] for member in members if member.get("UserPool") == pool_id}
