"""What tokens say, member by member as Cognito's do."""

from __future__ import annotations

import base64
import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

from localaws.moto_bridge.user_pools import Client, Pool, User

_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
#: member of a client -> its unit where none is set, and seconds where the client sets nothing.
_VALIDITY = {
    "AccessTokenValidity": ("AccessToken", "hours", 3600),
    "IdTokenValidity": ("IdToken", "hours", 3600),
    "RefreshTokenValidity": ("RefreshToken", "days", 30 * 86400),
}
_EMAIL = frozenset({"email", "email_verified"})
_PHONE = frozenset({"phone_number", "phone_number_verified"})


@dataclass(frozen=True)
class SignIn:
    """
    One sign-in of a user by a client.

    :param scopes: what the client was granted.
    :param auth_time: when the user gave the password, in seconds since 1970.
    :param origin: names the sign-in; its tokens are revoked by it.
    """

    pool: Pool
    client: Client
    user: User
    scopes: tuple[str, ...]
    auth_time: int
    origin: str
    nonce: str = ""


def validity(client: Client, member: str) -> int:
    """Return for how many seconds a client's tokens hold; ``member`` such as AccessTokenValidity."""
    name, unit, default = _VALIDITY[member]
    value = client.settings.get(member)
    if not value:
        return default
    unit = client.settings.get("TokenValidityUnits", {}).get(name, unit)
    return int(value) * _SECONDS[unit]


def access(sign_in: SignIn, now: int) -> dict[str, Any]:
    """Return the claims of an access token."""
    return {
        **_common(sign_in, now, "access", "AccessTokenValidity"),
        "client_id": sign_in.client.id,
        "version": 2,
        "scope": " ".join(sign_in.scopes),
        "username": sign_in.user.username,
    }


def identity(sign_in: SignIn, access_token: str, now: int) -> dict[str, Any]:
    """Return the claims of an ID token."""
    return {
        **_common(sign_in, now, "id", "IdTokenValidity"),
        **attributes(sign_in.user, sign_in.client, sign_in.scopes),
        "aud": sign_in.client.id,
        "at_hash": _half_hash(access_token),
        "cognito:username": sign_in.user.username,
        **({"nonce": sign_in.nonce} if sign_in.nonce else {}),
    }


def machine(pool: Pool, client: Client, scopes: tuple[str, ...], now: int) -> dict[str, Any]:
    """Return the claims of the access token of a client that acts for itself."""
    return {
        "sub": client.id,
        "iss": pool.issuer,
        "token_use": "access",
        "version": 2,
        "client_id": client.id,
        "scope": " ".join(scopes),
        "auth_time": now,
        "iat": now,
        "exp": now + validity(client, "AccessTokenValidity"),
        "jti": str(uuid.uuid4()),
    }


def attributes(user: User, client: Client, scopes: tuple[str, ...]) -> dict[str, Any]:
    """Return a user's attributes that the scopes show and the client may read."""
    readable = client.settings.get("ReadAttributes")
    return {
        name: value == "true" if name.endswith("_verified") else value
        for name, value in user.attributes.items()
        if name != "sub" and _scope_of(name) in scopes and (not readable or name in readable)
    }


def _scope_of(attribute: str) -> str:
    if attribute in _EMAIL:
        return "email"
    return "phone" if attribute in _PHONE else "profile"


def _common(sign_in: SignIn, now: int, use: str, member: str) -> dict[str, Any]:
    groups = {"cognito:groups": list(sign_in.user.groups)} if sign_in.user.groups else {}
    return {
        "sub": sign_in.user.sub,
        **groups,
        "iss": sign_in.pool.issuer,
        "origin_jti": sign_in.origin,
        "token_use": use,
        "auth_time": sign_in.auth_time,
        "iat": now,
        "exp": now + validity(sign_in.client, member),
        "jti": str(uuid.uuid4()),
    }


def _half_hash(token: str) -> str:
    # OpenID Connect Core, 3.1.3.6.
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()[:16]).rstrip(b"=").decode()
