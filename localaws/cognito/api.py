"""Cognito: which requests need no AWS signature, and the public keys of user pools."""

from __future__ import annotations

from localaws.cognito import discovery
from localaws.core.context import Context
from localaws.core.operations import Service
from localaws.gateway.protocol.http import HttpResponse
from localaws.moto_bridge import pool_sign_in
from localaws.moto_bridge.pool_attempts import Attempts

user_pool = Service("cognito-idp", resource="user pool")

# Those for an application's own users.
user_pool.unsigned(
    "ChangePassword",
    "ConfirmForgotPassword",
    "ConfirmSignUp",
    "ForgotPassword",
    "GetUser",
    "GlobalSignOut",
    "InitiateAuth",
    "ResendConfirmationCode",
    "RespondToAuthChallenge",
    "RevokeToken",
    "SignUp",
    "UpdateUserAttributes",
)


@user_pool.page(r"/[\w-]+_\w+/\.well-known/(?:jwks\.json|openid-configuration)")
def well_known(path: str, ctx: Context) -> HttpResponse:
    """Answer with a pool's public keys, or its OpenID configuration."""
    return discovery.answer(ctx, path)


@user_pool.on_start
def limit_sign_in(ctx: Context) -> None:
    """Limit sign-in by the API as that by the hosted pages is."""
    pool_sign_in.limit_by(Attempts(ctx.store))
