"""
Who is signed in to the portal, and what team's worker that is.

A session is a row of the store, which a sign-out removes; the browser has its signed name in a cookie. The groups of a
user of Cognito are looked up each time. Those of a person of another provider are what its claims said at sign-in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

from localaws.core import own_key
from localaws.core.context import Context
from localaws.core.expiring import Expiring
from localaws.sagemaker.workforce import members
from localaws.sagemaker.workforce.members import Federated, Worker

COOKIE = "localaws_portal"
#: as AWS's portal has it, a sign-in holds for a working day.
SECONDS = 8 * 3600


@dataclass(frozen=True)
class SignedIn:
    """A session: who signed in, by which user pool and client."""

    pool_id: str
    username: str
    sub: str
    client_id: str

    @property
    def name(self) -> str:
        """The name that pages show."""
        return self.username


def is_of(who: SignedIn | Federated, workforce: dict[str, Any] | None) -> bool:
    """Return whether a session is of the identity provider that the workforce has now."""
    if workforce is None:
        return isinstance(who, SignedIn)
    if isinstance(who, Federated):
        return members.knows(workforce, who)
    return "CognitoConfig" in workforce


def cookie_key(ctx: Context) -> bytes:
    """Return the key that this home signs its cookies and forms with."""
    return _cookie_key(ctx.home)


@cache
def _cookie_key(home: Path) -> bytes:
    # Each page has a form, and the key never changes: it is read once.
    return own_key.read_or_create(home / "portal" / "cookie.key")


def current_worker(request: HTTPConnection) -> Worker | None:
    """
    Return the worker whose request it is, as of now.

    :returns: ``None`` where nobody is signed in, or where that user is no worker, or not any more.
    """
    who: SignedIn | Federated | None = request.app.state.sessions.of(request)
    if who is None:
        return None
    if isinstance(who, Federated):
        return members.federated_worker(request.app.state.ctx, who)
    worker = members.worker(request.app.state.ctx, pool_id=who.pool_id, username=who.username)
    # Another user may have the name by now.
    return worker if worker is not None and worker.sub == who.sub else None


class Sessions:
    """The sessions of a home."""

    def __init__(self, ctx: Context) -> None:
        self._records = Expiring(ctx.store, "portal-session", SECONDS)
        self._signer = URLSafeSerializer(cookie_key(ctx), salt="portal-session")

    def begin(self, response: Response, who: SignedIn | Federated) -> None:
        """Start a session and give the browser its cookie."""
        body = {**vars(who)}
        secret = self._records.put({"federated": body} if isinstance(who, Federated) else body)
        response.set_cookie(
            COOKIE, str(self._signer.dumps(secret)), max_age=SECONDS, httponly=True, samesite="lax", path="/"
        )

    def of(self, request: HTTPConnection) -> SignedIn | Federated | None:
        """Return the session of a request; ``None`` where there is none, or where it has ended."""
        secret = self._secret(request)
        body: dict[str, Any] | None = self._records.get(secret) if secret else None
        if not body:
            return None
        if "federated" not in body:
            return SignedIn(**body)
        person = body["federated"]
        return Federated(**{**person, "groups": tuple(person["groups"])})

    def end(self, request: HTTPConnection, response: Response) -> None:
        """End the session of a request: its cookie is worth nothing from now on, wherever it was copied to."""
        secret = self._secret(request)
        if secret:
            self._records.drop(secret)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax", path="/")

    def _secret(self, request: HTTPConnection) -> str | None:
        try:
            secret = self._signer.loads(request.cookies.get(COOKIE, ""))
        except BadSignature:
            return None
        return secret if isinstance(secret, str) else None
