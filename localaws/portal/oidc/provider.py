"""The OpenID Connect provider of a workforce, as its OidcConfig says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from localaws.core import portal_address
from localaws.core.context import Context
from localaws.portal import entrance
from localaws.portal.entrance import Proof
from localaws.sagemaker.workforce import client_secret, records

#: what is asked for where the workforce has no Scope, as AWS's guide has it.
_SCOPE = "openid"


@dataclass(frozen=True)
class Provider:
    """A provider, and the client that the portal is to it."""

    issuer: str
    client_id: str
    token_endpoint: str
    user_info_endpoint: str
    jwks_uri: str
    config: dict[str, Any]
    secret: str = field(repr=False)

    def authorization(self, ctx: Context, proof: Proof) -> tuple[str, dict[str, str]]:
        """Return the authorization endpoint and the parameters of a request; its state comes on top."""
        parameters = {
            # First: a setting must not stand in for what protects the sign-in.
            **self.config.get("AuthenticationRequestExtraParams", {}),
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": entrance.callback(ctx),
            "scope": self.config.get("Scope") or _SCOPE,
            **proof.parameters,
        }
        return self.config["AuthorizationEndpoint"], parameters

    def logout(self, ctx: Context) -> str:
        """Return the address at which a person signs out of the provider, and comes back from."""
        back = f"{portal_address.address(ctx)}/signed-out"
        parameters = {"client_id": self.client_id, "post_logout_redirect_uri": back}
        return entrance.with_query(self.config["LogoutEndpoint"], parameters)


def current(ctx: Context) -> Provider | None:
    """Return the provider of the region's workforce; ``None`` where it has none, or no client secret was kept."""
    workforce = records.workforce_of_region(ctx)
    return of(ctx, workforce) if workforce is not None and "OidcConfig" in workforce else None


def of(ctx: Context, workforce: dict[str, Any]) -> Provider | None:
    """Return the provider of a workforce with OidcConfig; ``None`` where its client secret was not kept."""
    secret = client_secret.of(ctx, workforce["WorkforceName"])
    if secret is None:
        return None
    config = workforce["OidcConfig"]
    return Provider(
        config["Issuer"],
        config["ClientId"],
        config["TokenEndpoint"],
        config["UserInfoEndpoint"],
        config["JwksUri"],
        config,
        secret,
    )
