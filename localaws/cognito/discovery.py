"""What a program needs to verify a user pool's tokens: its key set, and where its endpoints are."""

from __future__ import annotations

import json
from typing import Any

from localaws.core import portal_address
from localaws.core.context import Context
from localaws.gateway.protocol.http import HttpResponse
from localaws.moto_bridge import pool_keys, user_pools


def answer(ctx: Context, path: str) -> HttpResponse:
    """Answer ``/{pool}/.well-known/jwks.json`` and ``/{pool}/.well-known/openid-configuration``."""
    pool_id, _, document = path.strip("/").partition("/.well-known/")
    pool = user_pools.pool(pool_id)
    if pool is None:
        return _json(404, {"message": f"User pool {pool_id} does not exist."})
    if document == "jwks.json":
        return _json(200, pool_keys.of_home(ctx.home).public_set())
    return _json(200, configuration(ctx, pool))


def configuration(ctx: Context, pool: user_pools.Pool) -> dict[str, Any]:
    """Return the OpenID configuration; without endpoints where the pool has no domain."""
    found: dict[str, Any] = {
        "id_token_signing_alg_values_supported": [pool_keys.ALGORITHM],
        "issuer": pool.issuer,
        # The issuer is AWS's, and the addresses are where localaws answers.
        "jwks_uri": f"{ctx.endpoint_url}/{pool.id}/.well-known/jwks.json",
        "response_types_supported": ["code", "token"],
        "scopes_supported": ["openid", "email", "phone", "profile"],
        "subject_types_supported": ["public"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
    }
    if pool.domain is not None:
        base = base_url(ctx, pool.domain)
        found |= {
            "authorization_endpoint": f"{base}/oauth2/authorize",
            "token_endpoint": f"{base}/oauth2/token",
            "userinfo_endpoint": f"{base}/oauth2/userInfo",
            "revocation_endpoint": f"{base}/oauth2/revoke",
            "end_session_endpoint": f"{base}/logout",
        }
    return found


def base_url(ctx: Context, domain: str) -> str:
    """Return where a domain's hosted pages are; on AWS ``https://{domain}.auth.{region}.amazoncognito.com``."""
    return f"{portal_address.address(ctx)}/cognito/{domain}"


def _json(status: int, body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(status, [("Content-Type", "application/json")], json.dumps(body).encode())
