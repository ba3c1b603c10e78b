"""Check requests to ``/oauth2/authorize`` and refuse what a client may not have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode, urlsplit, urlunsplit

from localaws.moto_bridge import user_pools
from localaws.moto_bridge.user_pools import Client, Pool

#: response_type -> the flow that a client must be allowed.
_FLOWS = {"code": "code", "token": "implicit"}
#: BASE64URL of a SHA-256 hash, without padding (RFC 7636).
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST = 4096


class NotForUs(Exception):
    """
    Nobody is redirected: the address could be an attacker's. The texts are for a page.

    :param error: Cognito's name of it, such as ``redirect_mismatch``.
    """

    def __init__(self, error: str, sentence: str) -> None:
        super().__init__(sentence)
        self.error = error
        self.sentence = sentence


class Refused(Exception):
    """The client is told by a redirect: ``location``."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


@dataclass(frozen=True)
class Authorization:
    """A checked request."""

    pool: Pool
    client: Client
    redirect_uri: str
    response_type: str
    scopes: tuple[str, ...]
    state: str
    nonce: str
    challenge: str
    prompt: str

    def redirect(self, **parameters: str) -> str:
        """Return the callback's address with parameters: in the query for a code, in the fragment for tokens."""
        if self.state:
            parameters["state"] = self.state
        return _with(self.redirect_uri, parameters, in_fragment=self.response_type == "token")

    def refused(self, error: str, description: str) -> Refused:
        """Return the refusal that tells the client so."""
        return Refused(self.redirect(error=error, error_description=description))


def parse(domain: str, query: Mapping[str, str]) -> Authorization:
    """
    Check a request.

    :raises NotForUs: the client is unknown or the callback's address is not one of its own.
    :raises Refused: it asks for what it may not have.
    """
    pool, client = client_of(domain, query.get("client_id", ""))
    wanted = _redirect_uri(client, query.get("redirect_uri", ""))
    if any(len(value) > _LONGEST for value in query.values()):
        raise NotForUs("invalid_request", "A parameter of the request is too long.")
    asked = Authorization(
        pool,
        client,
        wanted,
        query.get("response_type", ""),
        tuple(query.get("scope", "").split()),
        query.get("state", ""),
        query.get("nonce", ""),
        query.get("code_challenge", ""),
        query.get("prompt", ""),
    )
    _check_response_type(asked)
    _check_challenge(asked, query.get("code_challenge_method", ""))
    provider = query.get("identity_provider", "COGNITO")
    if provider != "COGNITO":
        raise asked.refused("invalid_request", f"localaws has no identity provider {provider}, only COGNITO.")
    return _with_scopes(asked)


def client_of(domain: str, client_id: str) -> tuple[Pool, Client]:
    """
    Return the user pool of a domain, and its client.

    :raises NotForUs: there is no such domain or client, or the client has no hosted pages.
    """
    pool = user_pools.pool_of_domain(domain)
    if pool is None:
        raise NotForUs("not_found", f"No user pool has the domain {domain}: create it with CreateUserPoolDomain.")
    client = user_pools.client(pool.id, client_id)
    if client is None:
        raise NotForUs("invalid_request", "The client_id is missing, or is not one of this user pool.")
    if "COGNITO" not in (client.settings.get("SupportedIdentityProviders") or []):
        raise NotForUs(
            "invalid_request",
            "Login pages unavailable: SupportedIdentityProviders of the app client does not have COGNITO.",
        )
    if not client.settings.get("AllowedOAuthFlowsUserPoolClient"):
        raise NotForUs(
            "unauthorized_client", "AllowedOAuthFlowsUserPoolClient of the app client is false: it has no OAuth flows."
        )
    return pool, client


def _redirect_uri(client: Client, given: str) -> str:
    given = given or client.settings.get("DefaultRedirectURI") or ""
    # Compared as it is, character by character: no port, slash or case may differ.
    if given and given in (client.settings.get("CallbackURLs") or []):
        return given
    raise NotForUs(
        "redirect_mismatch",
        "The redirect_uri is not one of the app client's CallbackURLs, which it must match in every character."
        " Add it with UpdateUserPoolClient, or have the application send one of them.",
    )


def _check_response_type(asked: Authorization) -> None:
    flow = _FLOWS.get(asked.response_type)
    if flow is None:
        # The error for an unknown type goes where that of a code would.
        raise replace(asked, response_type="code").refused(
            "unsupported_response_type" if asked.response_type else "invalid_request",
            "response_type must be code or token",
        )
    if flow not in (asked.client.settings.get("AllowedOAuthFlows") or []):
        raise asked.refused("unauthorized_client", f"The app client is not allowed the {flow} flow")


def _check_challenge(asked: Authorization, method: str) -> None:
    if not asked.challenge and not method:
        return
    if method != "S256":
        raise asked.refused("invalid_request", "code_challenge_method must be S256")
    if not _CHALLENGE.fullmatch(asked.challenge):
        raise asked.refused("invalid_request", "code_challenge must be the unpadded base64url of a SHA-256 hash")


def _with_scopes(asked: Authorization) -> Authorization:
    allowed = asked.client.settings.get("AllowedOAuthScopes") or []
    if not asked.scopes:
        return replace(asked, scopes=tuple(allowed))
    for scope in asked.scopes:
        if scope not in allowed:
            raise asked.refused("invalid_scope", f"The app client is not allowed the scope {scope}")
    return replace(asked, scopes=tuple(dict.fromkeys(asked.scopes)))


def _with(address: str, parameters: dict[str, str], *, in_fragment: bool) -> str:
    parts = urlsplit(address)
    text = urlencode(parameters)
    if in_fragment:
        return urlunsplit(parts._replace(fragment=text))
    return urlunsplit(parts._replace(query=f"{parts.query}&{text}" if parts.query else text))
