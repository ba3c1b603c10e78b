"""What AWS refuses of user pools, app clients and domains, and moto takes."""

from __future__ import annotations

import re
import secrets
import string
import types
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import moto.cognitoidp.models
import moto.cognitoidp.utils
from moto.cognitoidp.exceptions import InvalidParameterException
from moto.cognitoidp.models import CognitoIdpBackend, CognitoIdpUserPoolClient
from moto.core.exceptions import JsonRESTError

Method = Callable[..., Any]

STANDARD_SCOPES = frozenset({"phone", "email", "openid", "profile", "aws.cognito.signin.user.admin"})
#: hosts that a callback may have with http, for tests.
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
#: what a client is given by AWS where a request does not say.
_DEFAULTS = {
    "AllowedOAuthFlowsUserPoolClient": False,
    "AuthSessionValidity": 3,
    "EnablePropagateAdditionalUserContextData": False,
    "EnableTokenRevocation": True,
    "RefreshTokenValidity": 30,
}


def install() -> None:
    """Replace the methods."""
    # moto draws ids, secrets and tokens from a generator that is meant for reproducible tests, and can be predicted.
    source = types.SimpleNamespace(uuid4=uuid.uuid4, randint=_randint, choice=secrets.choice)
    for module in (moto.cognitoidp.models, moto.cognitoidp.utils):
        vars(module)["random"] = source
    _wrap("create_user_pool_client", _created_client)
    _wrap("update_user_pool_client", _updated_client)
    _wrap("create_user_pool_domain", _created_domain)
    _wrap("delete_user_pool", _deleted_pool)


def _wrap(name: str, wrapper: Callable[[Method], Method]) -> None:
    method = vars(CognitoIdpBackend)[name]
    # Two servers in one process, as in tests: once is enough.
    if not hasattr(method, "__pool_rules__"):
        wrapped = wrapper(method)
        wrapped.__pool_rules__ = True  # type: ignore[attr-defined]
        setattr(CognitoIdpBackend, name, wrapped)


def _randint(low: int, high: int) -> int:
    return low + secrets.randbelow(high - low + 1)


def _created_client(method: Method) -> Method:
    @wraps(method)
    def checked(backend: Any, user_pool_id: str, generate_secret: bool, extended_config: dict[str, Any]) -> Any:
        _check_client(backend.describe_user_pool(user_pool_id), extended_config, has_secret=generate_secret)
        made: CognitoIdpUserPoolClient = method(backend, user_pool_id, generate_secret, extended_config)
        # As long and of the same characters as AWS's.
        made.secret = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(51))
        return made

    return checked


def _updated_client(method: Method) -> Method:
    """Give what an update leaves out its default, as AWS does."""

    @wraps(method)
    def checked(backend: Any, user_pool_id: str, client_id: str, extended_config: dict[str, Any]) -> Any:
        client = backend.describe_user_pool_client(user_pool_id, client_id)
        pool = backend.describe_user_pool(user_pool_id)
        _check_client(pool, extended_config, has_secret=client.generate_secret)
        name = client.extended_config.get("ClientName")
        client.extended_config = {**_DEFAULTS, "ClientName": name}
        return method(backend, user_pool_id, client_id, extended_config)

    return checked


def _check_client(pool: Any, config: dict[str, Any], *, has_secret: bool) -> None:
    flows, scopes = config.get("AllowedOAuthFlows") or [], config.get("AllowedOAuthScopes") or []
    if config.get("AllowedOAuthFlowsUserPoolClient") and not (flows and scopes):
        raise InvalidParameterException(
            "AllowedOAuthFlows and AllowedOAuthScopes are required if user pool client is allowed to use OAuth flows."
        )
    _check_flows(flows, scopes, has_secret=has_secret)
    known = STANDARD_SCOPES | custom_scopes(pool)
    for scope in scopes:
        if scope not in known:
            raise JsonRESTError("ScopeDoesNotExistException", f"Invalid scope requested: {scope}")
    for provider in config.get("SupportedIdentityProviders") or []:
        if provider != "COGNITO" and provider not in pool.identity_providers:
            raise InvalidParameterException(f"The provider {provider} does not exist for User Pool {pool.id}.")
    _check_addresses(config)


def custom_scopes(pool: Any) -> set[str]:
    """Return the scopes of a pool's resource servers, such as ``reviews/read``."""
    servers = list(pool.resource_servers.values())
    return {f"{server.identifier}/{scope['ScopeName']}" for server in servers for scope in server.scopes or []}


def _check_flows(flows: list[str], scopes: list[str], *, has_secret: bool) -> None:
    if "client_credentials" not in flows:
        return
    if len(flows) > 1:
        reason = "client_credentials flow can not be selected along with code flow or implicit flow."
    elif not has_secret:
        reason = "client_credentials flow can not be selected if client does not have a client secret."
    else:
        standard = [scope for scope in scopes if scope in STANDARD_SCOPES]
        if not standard:
            return
        reason = f"{standard[0]} is not supported with client_credentials flow"
    raise JsonRESTError("InvalidOAuthFlowException", reason)


def _check_addresses(config: dict[str, Any]) -> None:
    callbacks = config.get("CallbackURLs") or []
    for url in [*callbacks, *(config.get("LogoutURLs") or [])]:
        _check_address(url)
    default = config.get("DefaultRedirectURI")
    if default and default not in callbacks:
        raise InvalidParameterException(f"The DefaultRedirectURI {default} is not in the list of CallbackURLs.")


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise InvalidParameterException(f"{url} is not a valid URI.") from error
    if not parts.scheme:
        raise InvalidParameterException(f"{url} is not an absolute URI.")
    if "#" in url:
        raise InvalidParameterException(f"{url} must not have a fragment.")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise InvalidParameterException(f"{url} cannot use the HTTP protocol.")


def _created_domain(method: Method) -> Method:
    @wraps(method)
    def checked(backend: Any, user_pool_id: str, domain: str, custom_domain_config: Any = None) -> Any:
        pool = backend.describe_user_pool(user_pool_id)
        if custom_domain_config is None:
            _check_prefix(domain)
        if domain in backend.user_pool_domains:
            raise InvalidParameterException("Domain already associated with another user pool.")
        if pool.domain is not None:
            raise InvalidParameterException(f"User pool already has a domain configured: {pool.domain.domain}")
        return method(backend, user_pool_id, domain, custom_domain_config)

    return checked


def _check_prefix(domain: str) -> None:
    if not _PREFIX.fullmatch(domain):
        raise InvalidParameterException(
            f"1 validation error detected: Value '{domain}' at 'domain' failed to satisfy constraint: Member must"
            r" satisfy regular expression pattern: ^[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?$"
        )
    for word in ("aws", "amazon", "cognito"):
        if word in domain:
            raise InvalidParameterException(f"Domain cannot contain reserved word: {word}")


def _deleted_pool(method: Method) -> Method:
    @wraps(method)
    def checked(backend: Any, user_pool_id: str) -> Any:
        if backend.describe_user_pool(user_pool_id).domain is not None:
            raise InvalidParameterException(
                "User pool cannot be deleted. It has a domain configured that should be deleted first."
            )
        return method(backend, user_pool_id)

    return checked
