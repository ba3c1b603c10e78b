"""Who is signed in to the hosted pages of a user pool, and who has yet to choose a password."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from localaws.cognito.grants import Grants
from localaws.core.context import Context
from localaws.core.expiring import Expiring
from localaws.moto_bridge import user_pools
from localaws.moto_bridge.pool_attempts import Attempts
from localaws.moto_bridge.user_pools import Client, Pool, User

#: as on AWS, for an hour nobody is asked for the password again.
SESSION_SECONDS = 3600
_SESSION = "localaws_cognito"
_CHALLENGE = "localaws_cognito_challenge"


@dataclass(frozen=True)
class Session:
    """A user who gave the password at ``auth_time``, in seconds since 1970."""

    user: User
    auth_time: int


class Hosted:
    """What the hosted pages of a home share."""

    def __init__(self, ctx: Context) -> None:
        self.grants = Grants(ctx)
        self.attempts = Attempts(ctx.store)
        self._sessions = Expiring(ctx.store, "cognito-session", SESSION_SECONDS)
        self._challenges = Expiring(ctx.store, "cognito-challenge", 180)

    def begin_session(self, response: Response, pool: Pool, user: User) -> int:
        """Sign a user in; the time of it."""
        now = int(time.time())
        secret = self._sessions.put({**_named(pool, user), "auth_time": now})
        response.set_cookie(_SESSION, secret, max_age=SESSION_SECONDS, httponly=True, samesite="lax", path="/")
        return now

    def session(self, request: Request, pool: Pool) -> Session | None:
        """Return who is signed in to a pool; ``None`` where nobody is, or not any more."""
        body = self._sessions.get(request.cookies.get(_SESSION, ""))
        user = _user(body, pool)
        if body is None or user is None or body["auth_time"] < int(user.signed_out_at):
            return None
        return Session(user, body["auth_time"])

    def end_session(self, request: Request, response: Response) -> None:
        """Sign out of the hosted pages."""
        self._sessions.drop(request.cookies.get(_SESSION, ""))
        response.delete_cookie(_SESSION, httponly=True, samesite="lax", path="/")

    def begin_challenge(self, response: Response, pool: Pool, client: Client, user: User) -> None:
        """Let a user who gave a temporary password choose one, in the minutes of AuthSessionValidity."""
        seconds = 60 * int(client.settings.get("AuthSessionValidity") or 3)
        secret = self._challenges.put(_named(pool, user), seconds=seconds)
        response.set_cookie(_CHALLENGE, secret, max_age=seconds, httponly=True, samesite="lax", path="/cognito")

    def challenged(self, request: Request, pool: Pool) -> User | None:
        """Return the user who is to choose a password; ``None`` where nobody is."""
        user = _user(self._challenges.get(request.cookies.get(_CHALLENGE, "")), pool)
        return user if user is not None and user.status == "FORCE_CHANGE_PASSWORD" else None

    def end_challenge(self, request: Request, response: Response) -> None:
        """End the challenge: the password is chosen."""
        self._challenges.drop(request.cookies.get(_CHALLENGE, ""))
        response.delete_cookie(_CHALLENGE, httponly=True, samesite="lax", path="/cognito")


def _named(pool: Pool, user: User) -> dict[str, Any]:
    return {"pool": pool.id, "username": user.username, "sub": user.sub}


def _user(body: dict[str, Any] | None, pool: Pool) -> User | None:
    if body is None or body["pool"] != pool.id:
        return None
    user = user_pools.user(pool.id, body["username"])
    return user if user is not None and user.enabled and user.sub == body["sub"] else None
