"""
Codes, refresh tokens, and the tokens that are given for them.

Codes and refresh tokens are stored as hashes, and outlive a restart. All that comes of one sign-in is a family, named
by its tokens' ``origin_jti``, and is revoked as one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import uuid
from dataclasses import dataclass
from typing import Any

from localaws.cognito import claims
from localaws.cognito.authorize import Authorization
from localaws.cognito.claims import SignIn
from localaws.core.context import Context
from localaws.core.expiring import Expiring, drop_family
from localaws.moto_bridge import pool_keys, user_pools
from localaws.moto_bridge.user_pools import Client, Pool, User

#: as on AWS.
_CODE_SECONDS = 300
#: the longest that an access token may hold; for so long a used code and a revocation are remembered.
_DAY = 24 * 3600


class TokenError(Exception):
    """A refusal of the token endpoint; ``error`` is OAuth 2.0's name of it."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True)
class CodeRequest:
    """What a client hands in for tokens."""

    code: str
    redirect_uri: str
    verifier: str


class Grants:
    """The codes and tokens of a home."""

    def __init__(self, ctx: Context) -> None:
        self._store = ctx.store
        self._key = pool_keys.of_home(ctx.home)
        self._codes = Expiring(ctx.store, "cognito-code", _CODE_SECONDS)
        self._refresh = Expiring(ctx.store, "cognito-refresh", 30 * _DAY)
        self._revoked = Expiring(ctx.store, "cognito-revoked", _DAY)

    def code(self, asked: Authorization, user: User, auth_time: int) -> str:
        """Return a new authorization code, good once and for five minutes."""
        origin = str(uuid.uuid4())
        body = {
            "pool": asked.pool.id,
            "client": asked.client.id,
            "username": user.username,
            "sub": user.sub,
            "redirect_uri": asked.redirect_uri,
            "scopes": list(asked.scopes),
            "nonce": asked.nonce,
            "challenge": asked.challenge,
            "auth_time": auth_time,
            "origin": origin,
        }
        return self._codes.put(body)

    def implicit(self, asked: Authorization, user: User, auth_time: int) -> dict[str, Any]:
        """Return the tokens of the implicit flow: none to refresh them by."""
        origin = str(uuid.uuid4())
        return self._tokens(SignIn(asked.pool, asked.client, user, asked.scopes, auth_time, origin, asked.nonce))

    def redeem(self, client: Client, request: CodeRequest) -> dict[str, Any]:
        """
        Return the tokens for a code.

        :raises TokenError: it is unknown, over, another client's, or was used: then its tokens are revoked.
        """
        reused = False
        with self._codes.transaction():
            body = self._codes.get(request.code)
            if body is None:
                raise TokenError("invalid_grant", "The code is unknown or has expired.")
            reused = body.get("used", False)
            if reused:
                self._revoke(body["origin"])
            else:
                # Before all else: a thief must not have a second try, with another verifier.
                self._codes.put({**body, "used": True}, secret=request.code, seconds=_DAY)
        if reused:
            raise TokenError("invalid_grant", "The code was used already. The tokens given for it are revoked.")
        _check_code(client, request, body)
        sign_in = self._sign_in(client, body)
        with self._codes.transaction():
            if self._revoked.get(sign_in.origin) is not None:
                raise TokenError("invalid_grant", "The code was used already. The tokens given for it are revoked.")
            refresh = self._new_refresh(sign_in)
        return {**self._tokens(sign_in), "refresh_token": refresh}

    def refresh(self, client: Client, token: str) -> dict[str, Any]:
        """
        Return new tokens; with a new refresh token where the client rotates them.

        :raises TokenError: the token is unknown, over, revoked or another client's, or its user is.
        """
        with self._refresh.transaction():
            body = self._refresh.get(token)
            if body is None or body["client"] != client.id:
                raise TokenError("invalid_grant", "The refresh token is unknown, has expired or was revoked.")
            sign_in = self._sign_in(client, body)
            more = {}
            if client.settings.get("RefreshTokenRotation", {}).get("Feature") == "ENABLED":
                self._refresh.drop(token)
                more = {"refresh_token": self._new_refresh(sign_in)}
        return {**self._tokens(sign_in), **more}

    def machine(self, pool: Pool, client: Client, asked: tuple[str, ...]) -> dict[str, Any]:
        """
        Return the token of a client that acts for itself.

        :raises TokenError: a scope is not the client's.
        """
        allowed = set(client.settings.get("AllowedOAuthScopes") or []) & user_pools.resource_scopes(pool.id)
        if not allowed.issuperset(asked):
            raise TokenError("invalid_scope", "A scope is not one of the app client's resource servers.")
        scopes = asked or tuple(sorted(allowed))
        said = claims.machine(pool, client, scopes, int(time.time()))
        return {
            "access_token": self._key.sign(said),
            "expires_in": claims.validity(client, "AccessTokenValidity"),
            "token_type": "Bearer",
        }

    def revoke(self, client: Client, token: str) -> None:
        """Revoke a refresh token and all that came of its sign-in; an unknown one is fine, as RFC 7009 has it."""
        with self._refresh.transaction():
            body = self._refresh.get(token)
            if body is None:
                return
            if body["client"] != client.id:
                raise TokenError("unauthorized_client", "The token is another client's.")
            self._revoke(body["origin"])

    def access(self, pool: Pool, token: str) -> tuple[dict[str, Any], User]:
        """
        Return an access token's claims, and its user as of now.

        :raises InvalidToken: it is not valid or was revoked, or the user is gone or disabled.
        """
        said = self._key.verify(token, issuer=pool.issuer, use="access", now=time.time())
        user = user_pools.user(pool.id, str(said.get("username", "")))
        if self._revoked.get(str(said.get("origin_jti", ""))) is not None:
            raise pool_keys.InvalidToken("The token was revoked.")
        if user is None or not _is_same(user, said.get("sub"), said.get("auth_time", 0)):
            raise pool_keys.InvalidToken("The token's user has signed out, is disabled or is gone.")
        return said, user

    def identity(self, pool: Pool, client: Client, token: str, nonce: str) -> dict[str, Any]:
        """
        Return the claims of an ID token, checked as a client should.

        :raises InvalidToken: it is not valid, not for this client, or not of this sign-in.
        """
        said = self._key.verify(token, issuer=pool.issuer, use="id", now=time.time())
        if said.get("aud") != client.id or said.get("nonce") != nonce:
            raise pool_keys.InvalidToken("The token is not for this client or not of this sign-in.")
        return said

    def _sign_in(self, client: Client, body: dict[str, Any]) -> SignIn:
        pool, user = user_pools.pool(body["pool"]), user_pools.user(body["pool"], body["username"])
        if pool is None or user is None or not _is_same(user, body["sub"], body["auth_time"]):
            raise TokenError("invalid_grant", "The user has signed out, is disabled or is gone.")
        return SignIn(pool, client, user, tuple(body["scopes"]), body["auth_time"], body["origin"], body["nonce"])

    def _new_refresh(self, sign_in: SignIn) -> str:
        body = {
            "pool": sign_in.pool.id,
            "client": sign_in.client.id,
            "username": sign_in.user.username,
            "sub": sign_in.user.sub,
            "scopes": list(sign_in.scopes),
            "auth_time": sign_in.auth_time,
            "origin": sign_in.origin,
            "nonce": "",
        }
        seconds = claims.validity(sign_in.client, "RefreshTokenValidity")
        return self._refresh.put(body, family=sign_in.origin, seconds=seconds)

    def _tokens(self, sign_in: SignIn) -> dict[str, Any]:
        now = int(time.time())
        access = self._key.sign(claims.access(sign_in, now))
        tokens: dict[str, Any] = {"access_token": access}
        if "openid" in sign_in.scopes:
            tokens["id_token"] = self._key.sign(claims.identity(sign_in, access, now))
        expires = claims.validity(sign_in.client, "AccessTokenValidity")
        return {**tokens, "expires_in": expires, "token_type": "Bearer"}

    def _revoke(self, origin: str) -> None:
        drop_family(self._store, origin)
        self._revoked.put({}, secret=origin)


def _check_code(client: Client, request: CodeRequest, body: dict[str, Any]) -> None:
    if body["client"] != client.id:
        raise TokenError("invalid_grant", "The code is another client's.")
    if body["redirect_uri"] != request.redirect_uri:
        raise TokenError("invalid_grant", "The redirect_uri does not match the one that the code was issued for.")
    if bool(body["challenge"]) != bool(request.verifier):
        raise TokenError("invalid_grant", "A code_verifier is needed where a code_challenge was sent, and only there.")
    if body["challenge"] and not hmac.compare_digest(_challenge(request.verifier), body["challenge"]):
        raise TokenError("invalid_grant", "The code_verifier does not fit the code_challenge.")


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _is_same(user: User, sub: Any, auth_time: float) -> bool:
    """Return whether a user is still the one who signed in then: a new one may have the name."""
    return user.enabled and user.sub == sub and auth_time >= int(user.signed_out_at)
