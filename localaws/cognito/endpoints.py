"""The endpoints that programs call: ``/oauth2/token``, ``/oauth2/userInfo`` and ``/oauth2/revoke``."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Any
from urllib.parse import unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from localaws.cognito import claims
from localaws.cognito.grants import CodeRequest, Grants, TokenError
from localaws.moto_bridge import user_pools
from localaws.moto_bridge.pool_keys import InvalidToken
from localaws.moto_bridge.user_pools import Client, Pool
from localaws.portal import forms

Form = dict[str, str]

#: grant type -> the flow that a client must be allowed; a refresh token is of any that gave it.
_FLOWS = {"authorization_code": "code", "client_credentials": "client_credentials"}


def routes() -> list[BaseRoute]:
    """Return the routes, below ``/cognito/{domain}``."""
    return [
        Route("/oauth2/token", forms.posted(_token, csrf=False), methods=["POST"]),
        Route("/oauth2/revoke", forms.posted(_revoke, csrf=False), methods=["POST"]),
        Route("/oauth2/userInfo", _user_info, methods=["GET", "POST"]),
    ]


def exchange(grants: Grants, pool: Pool, form: Form, authorization: str = "") -> dict[str, Any]:
    """
    Return what the token endpoint answers to a form.

    :param authorization: the header, with which a client may tell its id and secret.
    :raises TokenError: the client or what it hands in is not good.
    """
    client = _client(pool, form, authorization)
    kind = form.get("grant_type", "")
    if kind not in (*_FLOWS, "refresh_token"):
        raise TokenError("unsupported_grant_type" if kind else "invalid_request", "The grant_type is not supported.")
    flow = _FLOWS.get(kind)
    allowed = client.settings.get("AllowedOAuthFlows") or []
    if not client.settings.get("AllowedOAuthFlowsUserPoolClient") or (flow and flow not in allowed):
        raise TokenError("unauthorized_client", f"The app client is not allowed {kind}.")
    if kind == "client_credentials":
        if client.secret is None:
            raise TokenError("unauthorized_client", "client_credentials needs an app client with a secret.")
        return grants.machine(pool, client, tuple(form.get("scope", "").split()))
    if kind == "refresh_token":
        return grants.refresh(client, _needed(form, "refresh_token"))
    request = CodeRequest(_needed(form, "code"), _needed(form, "redirect_uri"), form.get("code_verifier", ""))
    return grants.redeem(client, request)


def _token(request: Request, form: Form) -> Response:
    def answer(pool: Pool) -> Response:
        grants = request.app.state.hosted.grants
        return JSONResponse(exchange(grants, pool, form, request.headers.get("authorization", "")))

    return _answered(request, answer)


def _revoke(request: Request, form: Form) -> Response:
    def answer(pool: Pool) -> Response:
        client = _client(pool, form, request.headers.get("authorization", ""))
        request.app.state.hosted.grants.revoke(client, _needed(form, "token"))
        return Response(status_code=200)

    return _answered(request, answer)


def _user_info(request: Request) -> Response:
    def answer(pool: Pool) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenError("invalid_request", "An access token is needed: Authorization: Bearer <token>.", 401)
        try:
            said, user = request.app.state.hosted.grants.access(pool, token.strip())
        except InvalidToken as error:
            raise TokenError("invalid_token", str(error), 401) from error
        scopes = tuple(said["scope"].split())
        client = user_pools.client(pool.id, said["client_id"])
        if "openid" not in scopes or client is None:
            raise TokenError("insufficient_scope", "The access token does not have the scope openid.", 403)
        shown = claims.attributes(user, client, scopes)
        # Unlike the ID token's, these are text.
        text = {name: str(value).lower() if isinstance(value, bool) else value for name, value in shown.items()}
        return JSONResponse({"sub": user.sub, **text, "username": user.username})

    return _answered(request, answer)


def _answered(request: Request, answer: Any) -> Response:
    pool = user_pools.pool_of_domain(request.path_params["domain"])
    try:
        if pool is None:
            raise TokenError("invalid_request", "No user pool has this domain.", 404)
        found: Response = answer(pool)
    except TokenError as error:
        headers = {}
        if error.status in (401, 403):
            headers["WWW-Authenticate"] = f'Bearer error="{error.error}", error_description="{error.description}"'
        body = {"error": error.error, "error_description": error.description}
        return JSONResponse(body, error.status, headers)
    return found


def _client(pool: Pool, form: Form, authorization: str) -> Client:
    """
    Return the client, which has proven who it is if it has a secret.

    :raises TokenError: it has not.
    """
    client_id, secret = _credentials(form, authorization)
    client = user_pools.client(pool.id, client_id)
    if client is None:
        raise TokenError("invalid_client", "The client_id is missing, or is not one of this user pool.")
    if client.secret is not None and not hmac.compare_digest(
        client.secret.encode(), secret.encode("utf-8", "surrogatepass")
    ):
        raise TokenError("invalid_client", "The client secret is missing or wrong.")
    return client


def _credentials(form: Form, authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if not authorization:
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        if scheme.lower() != "basic" or "client_secret" in form:
            raise ValueError(scheme)
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        # RFC 6749, 2.3.1: both are encoded as a form's values.
        client_id = unquote_plus(name)
        if not colon or form.get("client_id", client_id) != client_id:
            raise ValueError(name)
    except (ValueError, binascii.Error) as error:
        raise TokenError("invalid_client", "The client must prove itself once: by Basic, or by the form.") from error
    return client_id, unquote_plus(secret)


def _needed(form: Form, name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise TokenError("invalid_request", f"{name} is missing.")
    return value
