"""Sign-in by the workforce's own provider: the code flow with PKCE, state and nonce, then the claims."""

from __future__ import annotations

import logging
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from localaws.core.context import Context
from localaws.portal import entrance, failures
from localaws.portal.entrance import Proof
from localaws.portal.oidc import claims, tokens
from localaws.portal.oidc import provider as providers
from localaws.portal.oidc.provider import Provider
from localaws.portal.oidc.requests import TITLE, ask_for_object
from localaws.portal.refusals import Refusal
from localaws.sagemaker.workforce import members
from localaws.sagemaker.workforce.members import Federated

log = logging.getLogger("localaws.portal")

#: errors of OAuth 2.0 that are shown; another text might repeat what the portal has sent, its secret too.
_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)


def begin(request: Request, workforce: dict[str, Any]) -> Response:
    """Send somebody to the provider of a workforce."""
    ctx: Context = request.app.state.ctx
    provider = providers.of(ctx, workforce)
    if provider is None:
        return failures.page(
            request,
            409,
            "No sign-in",
            "The workforce was made by an older localaws, which kept no client secret: give it with UpdateWorkforce.",
        )
    proof = Proof.new()
    body = {"issuer": provider.issuer, "client": provider.client_id, **vars(proof), "next": request.url.path}
    response: Response = request.app.state.entrance.begin(*provider.authorization(ctx, proof), body)
    return response


def finish(request: Request, begun: dict[str, Any]) -> Federated:
    """
    Return who has signed in, a member of a work team.

    :param begun: what the sign-in began with.
    :raises Refusal: nobody has, or nobody who works here.
    """
    try:
        return _finished(request, begun)
    except Refusal as error:
        log.warning("sign-in by %s failed: %r", begun["issuer"], error.sentence)
        raise


def logout(ctx: Context) -> str:
    """Return the address at which people sign out of the workforce's provider; "" where it has none now."""
    provider = providers.current(ctx)
    return provider.logout(ctx) if provider is not None else ""


def _finished(request: Request, begun: dict[str, Any]) -> Federated:
    ctx: Context = request.app.state.ctx
    provider = providers.current(ctx)
    if provider is None or (provider.issuer, provider.client_id) != (begun["issuer"], begun["client"]):
        raise Refusal(409, "Sign in again", "The workforce has changed since this sign-in began.")
    code = _code(request, provider)
    sets: tokens.KeySets = request.app.state.key_sets
    given = _exchange(ctx, provider, code, begun["verifier"])
    said = tokens.identity(sets, provider, given.get("id_token"), begun["nonce"])
    person = claims.person(provider, _sources(sets, provider, given, said))
    if members.federated_worker(ctx, person) is None:
        raise Refusal(
            403,
            "No work team",
            f"You are {person.name}, and none of your groups is one of a work team: {', '.join(person.groups)}.",
            is_known=True,
        )
    return person


def _code(request: Request, provider: Provider) -> str:
    query = request.query_params
    # RFC 9207: a provider that tells its name with the code must be the one that was asked.
    if query.get("iss", provider.issuer) != provider.issuer:
        raise Refusal(400, "Sign in again", "The answer is of another identity provider than the workforce's.")
    if query.get("error") == "access_denied":
        raise Refusal(403, "Sign-in was refused", "The identity provider says that you may not sign in.")
    if "error" in query:
        reason = query.get("error_description") or query["error"]
        raise Refusal(502, "Sign-in is not possible", f"The identity provider says: {reason[:300]}")
    code = query.get("code", "")
    if not code:
        raise Refusal(400, "Sign in again", "The identity provider sent no code.")
    return code


def _exchange(ctx: Context, provider: Provider, code: str, verifier: str) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "client_id": provider.client_id,
        "client_secret": provider.secret,
        "code": code,
        "redirect_uri": entrance.callback(ctx),
        "code_verifier": verifier,
    }
    return ask_for_object(provider.token_endpoint, "TokenEndpoint", shown=_ERRORS, form=form)


def _sources(sets: tokens.KeySets, provider: Provider, given: dict[str, Any], said: dict[str, Any]) -> claims.Sources:
    """Return where the claims may be: the user info, the ID token and, where these do not do, the access token."""
    token = given.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise Refusal(502, TITLE, "Its TokenEndpoint gave no access token.")
    told = ask_for_object(provider.user_info_endpoint, "UserInfoEndpoint", headers={"Authorization": f"Bearer {token}"})
    if told.get("sub") != said["sub"]:
        # OpenID Connect Core, 5.3.2: the answer may be about somebody else.
        raise Refusal(502, TITLE, "Its UserInfoEndpoint answered for another person than the ID token is of.")
    sources = [told, said]
    if claims.missing(sources) and tokens.is_jwt(token):
        sources.append(tokens.access(sets, provider, token))
    return sources
