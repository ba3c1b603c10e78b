"""Sign-in to the portal by the hosted pages of the workforce's user pool: the code flow with PKCE, state and nonce."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from localaws.cognito import discovery, endpoints
from localaws.cognito.grants import TokenError
from localaws.core import portal_address
from localaws.core.context import Context
from localaws.core.expiring import Expiring
from localaws.moto_bridge import user_pools
from localaws.moto_bridge.pool_keys import InvalidToken
from localaws.moto_bridge.user_pools import Client, Pool
from localaws.portal import failures, forms
from localaws.portal.session import SignedIn
from localaws.sagemaker.workforce import records

CALLBACK = "/oauth2/idpresponse"
_COOKIE = "localaws_sign_in"
_SECONDS = 600
_SCOPES = ("openid", "email", "profile")


class Entrance:
    """The sign-ins that are under way."""

    def __init__(self, ctx: Context) -> None:
        self._records = Expiring(ctx.store, "portal-sign-in", _SECONDS)

    def begin(self, response: Response, body: dict[str, Any]) -> str:
        """Return the state of a new sign-in; this browser alone can end it."""
        state = self._records.put(body)
        response.set_cookie(_COOKIE, state, max_age=_SECONDS, httponly=True, samesite="lax", path="/")
        return state

    def end(self, request: Request, state: str) -> dict[str, Any] | None:
        """Return what a sign-in began with, once; ``None`` where this browser began none with that state."""
        if not state or not hmac.compare_digest(request.cookies.get(_COOKIE, "").encode(), state.encode()):
            return None
        return self._records.take(state)


def routes(ctx: Context) -> list[BaseRoute]:
    """Return the routes by which people come in and go out."""
    return [
        Route(CALLBACK, _come_in),
        Route("/logout", forms.posted(_go_out), methods=["POST"]),
        Route("/signed-out", _out),
    ]


def turn_away(request: Request) -> Response:
    """
    Return the answer to somebody who is no worker.

    Who is not signed in is sent to the hosted pages. Who is, and belongs to no work team, is told so.
    """
    ctx: Context = request.app.state.ctx
    who = request.app.state.sessions.of(request)
    if who is not None:
        return _no_team(request, who)
    workforce = records.workforce_of_region(ctx)
    if workforce is None:
        return failures.page(
            request, 404, "No workforce", "There is no workforce yet: create one with CreateWorkforce, and a work team."
        )
    if "CognitoConfig" not in workforce:
        return failures.page(
            request, 501, "No sign-in", "localaws signs workers in by Cognito only, and this workforce has OidcConfig."
        )
    config = workforce["CognitoConfig"]
    pool, client = user_pools.pool(config["UserPool"]), user_pools.client(config["UserPool"], config["ClientId"])
    if pool is None or client is None or pool.domain is None:
        return failures.page(
            request, 409, "No sign-in", "The workforce's user pool, its app client or its domain was deleted."
        )
    return _sent_to_sign_in(request, ctx, pool, client)


def _no_team(request: Request, who: SignedIn) -> Response:
    page: Response = request.app.state.templates.page(request, "no_team.html", {"name": who.username}, status=403)
    return page


def _sent_to_sign_in(request: Request, ctx: Context, pool: Pool, client: Client) -> Response:
    here = urlsplit(portal_address.address(ctx))
    if request.url.netloc != here.netloc:
        # Cookies are of one host name, and the callback's is this.
        return RedirectResponse(f"{here.scheme}://{here.netloc}{_local(request.url.path)}", 302)
    verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    body = {"pool": pool.id, "client": client.id, "verifier": verifier, "nonce": nonce, "next": request.url.path}
    response = RedirectResponse("", 302)
    state = request.app.state.entrance.begin(response, body)
    allowed = client.settings.get("AllowedOAuthScopes") or []
    parameters = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": f"{portal_address.address(ctx)}{CALLBACK}",
        "scope": " ".join(scope for scope in _SCOPES if scope in allowed),
        "state": state,
        "nonce": nonce,
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    base = discovery.base_url(ctx, pool.domain or "")
    response.headers["location"] = f"{base}/oauth2/authorize?{urlencode(parameters)}"
    return response


def _come_in(request: Request) -> Response:
    query = request.query_params
    begun = request.app.state.entrance.end(request, query.get("state", ""))
    if begun is None:
        return failures.page(
            request, 400, "Sign in again", "This sign-in was not begun in this browser, took too long or is done."
        )
    if "error" in query:
        # The text may be anybody's: it is shown as text, and only for a sign-in that was begun here.
        reason = query.get("error_description") or query["error"]
        return failures.page(request, 400, "Sign-in is not possible", f"{reason[:300]}.")
    try:
        who = _signed_in(request, begun, query.get("code", ""))
    except (TokenError, InvalidToken) as error:
        return failures.page(request, 400, "Sign in again", str(error))
    response = RedirectResponse(_local(begun["next"]), 303)
    request.app.state.sessions.begin(response, who)
    response.delete_cookie(_COOKIE, httponly=True, samesite="lax", path="/")
    return response


def _signed_in(request: Request, begun: dict[str, Any], code: str) -> SignedIn:
    pool, client = user_pools.pool(begun["pool"]), user_pools.client(begun["pool"], begun["client"])
    if pool is None or client is None:
        raise TokenError("invalid_client", "The user pool or its app client was deleted.")
    grants = request.app.state.hosted.grants
    form = {
        "grant_type": "authorization_code",
        "client_id": client.id,
        "code": code,
        "redirect_uri": f"{portal_address.address(request.app.state.ctx)}{CALLBACK}",
        "code_verifier": begun["verifier"],
        **({"client_secret": client.secret} if client.secret else {}),
    }
    tokens = endpoints.exchange(grants, pool, form)
    if "id_token" not in tokens:
        raise TokenError("invalid_scope", "The app client must be allowed the scope openid: add it and sign in again.")
    said = grants.identity(pool, client, tokens["id_token"], begun["nonce"])
    return SignedIn(pool.id, said["cognito:username"], said["sub"], client.id)


def _go_out(request: Request, _: forms.Form) -> Response:
    response = RedirectResponse("/signed-out", 303)
    request.app.state.sessions.end(request, response)
    # Else the next click would sign in again without a question.
    request.app.state.hosted.end_session(request, response)
    return response


def _out(request: Request) -> Response:
    page: Response = request.app.state.templates.page(request, "signed_out.html")
    return page


def _local(path: str) -> str:
    """Return a path of the portal: never another site's portal_address."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
