"""Sign-in by the hosted pages of the workforce's user pool: the code flow with PKCE, state and nonce."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from localaws.cognito import discovery, endpoints
from localaws.cognito.grants import TokenError
from localaws.moto_bridge import user_pools
from localaws.moto_bridge.pool_keys import InvalidToken
from localaws.portal import entrance, failures
from localaws.portal.entrance import Proof
from localaws.portal.refusals import Refusal
from localaws.portal.session import SignedIn

_SCOPES = ("openid", "email", "profile")


def begin(request: Request, config: dict[str, str]) -> Response:
    """
    Send somebody to the hosted pages.

    :param config: the workforce's CognitoConfig.
    """
    ctx = request.app.state.ctx
    pool, client = user_pools.pool(config["UserPool"]), user_pools.client(config["UserPool"], config["ClientId"])
    if pool is None or client is None or pool.domain is None:
        return failures.page(
            request, 409, "No sign-in", "The workforce's user pool, its app client or its domain was deleted."
        )
    proof = Proof.new()
    allowed = client.settings.get("AllowedOAuthScopes") or []
    parameters = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": entrance.callback(ctx),
        "scope": " ".join(scope for scope in _SCOPES if scope in allowed),
        **proof.parameters,
    }
    body = {"pool": pool.id, "client": client.id, **vars(proof), "next": request.url.path}
    place = f"{discovery.base_url(ctx, pool.domain)}/oauth2/authorize"
    response: Response = request.app.state.entrance.begin(place, parameters, body)
    return response


def finish(request: Request, begun: dict[str, Any]) -> SignedIn:
    """
    Return who has signed in.

    :param begun: what the sign-in began with.
    :raises Refusal: nobody has, or not for the portal.
    """
    query = request.query_params
    if "error" in query:
        # The text may be anybody's: it is shown as text, and only for a sign-in that was begun here.
        reason = query.get("error_description") or query["error"]
        raise Refusal(400, "Sign-in is not possible", f"{reason[:300]}.")
    try:
        return _signed_in(request, begun, query.get("code", ""))
    except (TokenError, InvalidToken) as error:
        raise Refusal(400, "Sign in again", str(error)) from error


def _signed_in(request: Request, begun: dict[str, Any], code: str) -> SignedIn:
    pool, client = user_pools.pool(begun["pool"]), user_pools.client(begun["pool"], begun["client"])
    if pool is None or client is None:
        raise TokenError("invalid_client", "The user pool or its app client was deleted.")
    grants = request.app.state.hosted.grants
    form = {
        "grant_type": "authorization_code",
        "client_id": client.id,
        "code": code,
        "redirect_uri": entrance.callback(request.app.state.ctx),
        "code_verifier": begun["verifier"],
        **({"client_secret": client.secret} if client.secret else {}),
    }
    tokens = endpoints.exchange(grants, pool, form)
    if "id_token" not in tokens:
        raise TokenError("invalid_scope", "The app client must be allowed the scope openid: add it and sign in again.")
    said = grants.identity(pool, client, tokens["id_token"], begun["nonce"])
    return SignedIn(pool.id, said["cognito:username"], said["sub"], client.id)
