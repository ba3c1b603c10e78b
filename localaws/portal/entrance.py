"""The sign-ins to the portal that are under way: each ends once, in the browser that began it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from localaws.core import portal_address
from localaws.core.context import Context
from localaws.core.expiring import Expiring

CALLBACK = "/oauth2/idpresponse"
_COOKIE = "localaws_sign_in"
_SECONDS = 600


@dataclass(frozen=True)
class Proof:
    """What only who began a sign-in knows: the verifier of PKCE, and the nonce that the ID token must have."""

    verifier: str
    nonce: str

    @classmethod
    def new(cls) -> Proof:
        """Make one at random."""
        return cls(secrets.token_urlsafe(48), secrets.token_urlsafe(16))

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of an authorization request."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return {
            "nonce": self.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }


class Entrance:
    """The sign-ins that are under way."""

    def __init__(self, ctx: Context) -> None:
        self._records = Expiring(ctx.store, "portal-sign-in", _SECONDS)

    def begin(self, place: str, parameters: dict[str, str], body: dict[str, Any]) -> Response:
        """
        Return the redirect to an authorization endpoint; this browser alone can end the sign-in.

        :param place: the endpoint, which may have a query.
        :param body: what :meth:`end` gives back.
        """
        response = RedirectResponse("", 302)
        state = self._records.put(body)
        response.set_cookie(_COOKIE, state, max_age=_SECONDS, httponly=True, samesite="lax", path="/")
        response.headers["location"] = with_query(place, {**parameters, "state": state})
        return response

    def end(self, request: Request, state: str) -> dict[str, Any] | None:
        """Return what a sign-in began with, once; ``None`` where this browser began none with that state."""
        if not state or not hmac.compare_digest(request.cookies.get(_COOKIE, "").encode(), state.encode()):
            return None
        return self._records.take(state)


def forget(response: Response) -> None:
    """Remove the cookie of a sign-in that is done."""
    response.delete_cookie(_COOKIE, httponly=True, samesite="lax", path="/")


def callback(ctx: Context) -> str:
    """Return the address to which a provider sends people back."""
    return f"{portal_address.address(ctx)}{CALLBACK}"


def with_query(place: str, parameters: dict[str, str]) -> str:
    """Return an address with parameters after those that it has."""
    place = quote(place.partition("#")[0], safe=":/%?=@[]!$&'()*+,;~")
    return f"{place}{'&' if '?' in place else '?'}{urlencode(parameters)}"
