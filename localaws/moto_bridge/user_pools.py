"""Cognito's user pools, clients, groups and users as moto holds them: to read only. Changes go through the API."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.cognitoidp.models import CognitoIdpUser, CognitoIdpUserPool, cognitoidp_backends

from localaws.core.context import ACCOUNT_ID
from localaws.moto_bridge import pool_rules, pool_sign_in


@dataclass(frozen=True)
class Pool:
    """
    A user pool.

    :param domain: the prefix or name of its hosted pages; ``None`` where it has none.
    :param settings: members of CreateUserPool.
    """

    id: str
    region: str
    name: str
    domain: str | None
    settings: dict[str, Any]

    @property
    def issuer(self) -> str:
        """The ``iss`` of its tokens."""
        return f"https://cognito-idp.{self.region}.amazonaws.com/{self.id}"


@dataclass(frozen=True)
class Client:
    """An app client; ``settings`` are members of CreateUserPoolClient."""

    id: str
    pool_id: str
    name: str
    secret: str | None
    settings: dict[str, Any]


@dataclass(frozen=True)
class User:
    """
    A user.

    :param status: such as FORCE_CHANGE_PASSWORD.
    :param groups: in the order of their precedence.
    :param signed_out_at: tokens of an earlier sign-in are worth nothing.
    :param temporary_ended: whether the password is a temporary one that was not used in time.
    """

    pool_id: str
    username: str
    sub: str
    enabled: bool
    status: str
    attributes: dict[str, str]
    groups: tuple[str, ...]
    signed_out_at: float
    temporary_ended: bool


def pool(pool_id: str) -> Pool | None:
    """Return a user pool of any region; ``None`` where there is none."""
    found = _pool(pool_id)
    return None if found is None else _as_pool(found)


def pool_of_domain(domain: str) -> Pool | None:
    """Return the user pool that has a domain; ``None`` where none has."""
    for backend in _backends():
        held = backend.user_pool_domains.get(domain)
        if held is not None:
            return pool(held.user_pool_id)
    return None


def client(pool_id: str, client_id: str) -> Client | None:
    """Return an app client of a pool; ``None`` where there is none."""
    held = _pool(pool_id)
    found = held.clients.get(client_id) if held else None
    if found is None:
        return None
    secret = found.secret if found.generate_secret else None
    settings = dict(found.extended_config)
    return Client(found.id, pool_id, settings.get("ClientName") or "", secret, settings)


def has_group(pool_id: str, group: str) -> bool:
    """Return whether a pool has a group of that name."""
    held = _pool(pool_id)
    return held is not None and group in held.groups


def resource_scopes(pool_id: str) -> set[str]:
    """Return the custom scopes of a pool's resource servers, such as ``reviews/read``."""
    held = _pool(pool_id)
    return pool_rules.custom_scopes(held) if held else set()


def user(pool_id: str, username: str) -> User | None:
    """Return a user by name, or by e-mail address or phone number where the pool's users sign in with these."""
    found = _user(pool_id, username)
    if found is None:
        return None
    groups = sorted(list(found.groups), key=_precedence)
    return User(
        pool_id,
        found.username,
        found.id,
        bool(found.enabled),
        getattr(found.status, "value", str(found.status)),
        {name: str(value) for name, value in dict(found.attribute_lookup).items()},
        tuple(group.group_name for group in groups),
        float(getattr(found, "signed_out_at", 0)),
        pool_sign_in.temporary_has_ended(_pool(pool_id), found),
    )


def has_password(pool_id: str, username: str, password: str) -> bool:
    """Return whether that is the user's password; in the same time for every wrong one."""
    found = _user(pool_id, username)
    held = (found.password if found else None) or ""
    same = hmac.compare_digest(held.encode("utf-8", "surrogatepass"), password.encode("utf-8", "surrogatepass"))
    return same and bool(held)


def _precedence(group: Any) -> tuple[int, str]:
    # The lowest number comes first; a group without one comes last.
    return (2**31 if group.precedence is None else int(group.precedence), group.group_name)


def _backends() -> Iterator[Any]:
    for region, backend in list(cognitoidp_backends[ACCOUNT_ID].items()):
        if region != "global":
            yield backend


def _pool(pool_id: str) -> CognitoIdpUserPool | None:
    for backend in _backends():
        found: CognitoIdpUserPool | None = backend.user_pools.get(pool_id)
        if found is not None:
            return found
    return None


def _user(pool_id: str, username: str) -> CognitoIdpUser | None:
    held = _pool(pool_id)
    return None if held is None else held._get_user(username)


def _as_pool(found: CognitoIdpUserPool) -> Pool:
    domain = found.domain
    return Pool(found.id, found.region, found.name, domain.domain if domain else None, dict(found.extended_config))
