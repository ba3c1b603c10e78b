"""Sign-in to user pools by the API, where moto lets in whom AWS refuses; and our own key for its tokens."""

from __future__ import annotations

import secrets
import time
import types
from collections.abc import Callable
from functools import wraps
from typing import Any

import moto.cognitoidp.models
from moto.cognitoidp.exceptions import InvalidParameterException, NotAuthorizedError, UserNotFoundError
from moto.cognitoidp.models import CognitoIdpBackend, CognitoIdpUserPool, UserStatus
from moto.cognitoidp.utils import check_secret_hash
from moto.core.exceptions import JsonRESTError

from localaws.moto_bridge.pool_attempts import Attempts
from localaws.moto_bridge.pool_keys import SigningKey

Method = Callable[..., Any]

_WRONG = "Incorrect username or password."
#: what a client may do that was created without ExplicitAuthFlows.
_DEFAULT_FLOWS = ("ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH")
_REFRESH = ("REFRESH_TOKEN", "REFRESH_TOKEN_AUTH")
_SYMBOLS = frozenset("^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+- ")
_LONGEST_PASSWORD = 256
_DAY = 24 * 3600
#: what counts failed sign-ins: one, once the server has started.
_limits: list[Attempts] = []


def install(key: SigningKey) -> None:
    """
    Replace the methods.

    :param key: what signs the tokens from now on.
    """
    # moto's own calls pass its bundled key, which is not used.
    vars(moto.cognitoidp.models)["jwt"] = types.SimpleNamespace(
        encode=lambda _headers, claims, _bundled: key.sign(claims)
    )
    for owner, name, wrapper in (
        (CognitoIdpBackend, "initiate_auth", _initiated),
        (CognitoIdpBackend, "admin_initiate_auth", _admin_initiated),
        (CognitoIdpBackend, "respond_to_auth_challenge", _answered),
        (CognitoIdpBackend, "admin_create_user", _created_user),
        (CognitoIdpBackend, "admin_set_user_password", _set_password),
        (CognitoIdpUserPool, "sign_out", _signed_out),
    ):
        method = vars(owner)[name]
        if not hasattr(method, "__wrapped__"):
            setattr(owner, name, wrapper(method))
    CognitoIdpBackend._validate_password = _validate_password  # type: ignore[method-assign,assignment]


def limit_by(attempts: Attempts) -> None:
    """Count failed sign-ins by the API with those of the hosted pages."""
    _limits[:] = [attempts]


def temporary_has_ended(pool: Any, user: Any) -> bool:
    """Return whether a user has a temporary password that was not used in time."""
    if user.status != UserStatus.FORCE_CHANGE_PASSWORD:
        return False
    since = getattr(user, "temporary_since", user.create_date.timestamp())
    policy = pool.extended_config.get("Policies", {}).get("PasswordPolicy", {})
    return bool(time.time() > since + float(policy.get("TemporaryPasswordValidityDays") or 7) * _DAY)


def _initiated(method: Method) -> Method:
    @wraps(method)
    def checked(backend: Any, client_id: str, auth_flow: str, auth_parameters: dict[str, str]) -> Any:
        pool = next((each for each in backend.user_pools.values() if client_id in each.clients), None)
        if pool is None:
            raise JsonRESTError("ResourceNotFoundException", f"User pool client {client_id} does not exist.")
        with_reason = f"{auth_flow} flow not enabled for this client"
        _check(pool, pool.clients[client_id], auth_flow, auth_parameters, with_reason)
        return _without_leftovers(backend, lambda: method(backend, client_id, auth_flow, auth_parameters))

    return checked


def _admin_initiated(method: Method) -> Method:
    @wraps(method)
    def checked(
        backend: Any, user_pool_id: str, client_id: str, auth_flow: str, auth_parameters: dict[str, str]
    ) -> Any:
        pool = backend.describe_user_pool(user_pool_id)
        client = backend.describe_user_pool_client(user_pool_id, client_id)
        _check(pool, client, auth_flow, auth_parameters, "Auth flow not enabled for this client")
        return _without_leftovers(backend, lambda: method(backend, user_pool_id, client_id, auth_flow, auth_parameters))

    return checked


def _check(pool: Any, client: Any, flow: str, parameters: dict[str, str], disabled: str) -> None:
    allowed = client.extended_config.get("ExplicitAuthFlows") or _DEFAULT_FLOWS
    wanted = "REFRESH_TOKEN_AUTH" if flow in _REFRESH else flow
    if f"ALLOW_{wanted}" not in allowed and flow not in allowed and not (flow in _REFRESH and not _modern(allowed)):
        raise InvalidParameterException(disabled)
    if flow in _REFRESH:
        _check_refresh(pool, client, parameters)
    else:
        _check_password(pool, client, parameters)


def _modern(flows: Any) -> bool:
    return any(flow.startswith("ALLOW_") for flow in flows)


def _check_refresh(pool: Any, client: Any, parameters: dict[str, str]) -> None:
    held = pool.refresh_tokens.get(parameters["REFRESH_TOKEN"])
    if held is None or held[0] != client.id:
        raise NotAuthorizedError("Invalid Refresh Token")
    user = pool._get_user(held[1])
    if user is None or not user.enabled:
        raise NotAuthorizedError("Invalid Refresh Token" if user is None else "User is disabled.")
    _check_secret_hash(client, (user.username, user.id, held[1]), parameters.get("SECRET_HASH"))


def _check_password(pool: Any, client: Any, parameters: dict[str, str]) -> None:
    username = parameters["USERNAME"]
    _check_secret_hash(client, (username,), parameters.get("SECRET_HASH"))
    for attempts in _limits:
        if attempts.begin(pool.id, username) > 0:
            raise NotAuthorizedError("Password attempts exceeded")
    user = pool._get_user(username)
    if user is None:
        if client.extended_config.get("PreventUserExistenceErrors") == "ENABLED":
            raise NotAuthorizedError(_WRONG)
        raise UserNotFoundError("User does not exist.")
    if user.password is None or not secrets.compare_digest(user.password.encode(), parameters["PASSWORD"].encode()):
        raise NotAuthorizedError(_WRONG)
    for attempts in _limits:
        attempts.succeeded(pool.id, username)
    if temporary_has_ended(pool, user):
        raise NotAuthorizedError("Temporary password has expired and must be reset by an administrator.")
    if user.status == UserStatus.RESET_REQUIRED:
        raise JsonRESTError("PasswordResetRequiredException", "Password reset required for the user")


def _check_secret_hash(client: Any, usernames: tuple[str, ...], given: str | None) -> None:
    if not client.generate_secret:
        return
    if given is None:
        raise NotAuthorizedError(f"Client {client.id} is configured with secret but SECRET_HASH was not received")
    if not any(check_secret_hash(client.secret, client.id, username, given) for username in usernames):
        raise NotAuthorizedError(f"Unable to verify secret hash for client {client.id}")


def _without_leftovers(backend: Any, call: Callable[[], Any]) -> Any:
    """Forget the session that moto leaves behind a sign-in that is done: a challenge could be answered by it."""
    before = set(backend.sessions)
    answer = call()
    if answer.get("AuthenticationResult"):
        for session in set(backend.sessions) - before:
            del backend.sessions[session]
        return {"ChallengeParameters": {}, **answer}
    begun = {session: at for session, at in _begun(backend).items() if session in backend.sessions}
    backend.sessions_begun = {**begun, answer["Session"]: time.time()}
    return answer


def _begun(backend: Any) -> dict[str, float]:
    """Return when the sessions of challenges began: moto does not know."""
    found: dict[str, float] = getattr(backend, "sessions_begun", {})
    return found


def _check_in_time(backend: Any, session: str, client: Any) -> None:
    seconds = 60 * float(client.extended_config.get("AuthSessionValidity") or 3)
    if time.time() > _begun(backend).get(session, 0.0) + seconds:
        del backend.sessions[session]
        raise NotAuthorizedError("Invalid session for the user, session is expired.")


def _answered(method: Method) -> Method:
    """Hold a session to its user: moto would change the password of whomever the request names."""

    @wraps(method)
    def checked(
        backend: Any, session: str, client_id: str, challenge_name: str, challenge_responses: dict[str, str]
    ) -> Any:
        held = backend.sessions.get(session)
        if held is None:
            raise NotAuthorizedError("Invalid session for the user, session can only be used once.")
        username, pool = held
        user, named = pool._get_user(username), pool._get_user(challenge_responses["USERNAME"])
        if user is None or user is not named:
            raise NotAuthorizedError("Invalid session for the user.")
        if not user.enabled:
            raise NotAuthorizedError("User is disabled.")
        client = backend.describe_user_pool_client(pool.id, client_id)
        _check_in_time(backend, session, client)
        _check_secret_hash(client, (challenge_responses["USERNAME"],), challenge_responses.get("SECRET_HASH"))
        return method(backend, session, client_id, challenge_name, challenge_responses)

    return checked


def _created_user(method: Method) -> Method:
    @wraps(method)
    def checked(
        backend: Any,
        user_pool_id: str,
        username: str,
        message_action: str | None,
        temporary_password: str | None,
        attributes: list[dict[str, str]],
    ) -> Any:
        if temporary_password is None:
            # As on AWS, where it is in the invitation. There is none here: an administrator sets another.
            temporary_password = f"Aa1!{secrets.token_urlsafe(18)}"
        else:
            backend._validate_password(user_pool_id, temporary_password)
        user = method(backend, user_pool_id, username, message_action, temporary_password, attributes)
        user.temporary_since = time.time()
        return user

    return checked


def _set_password(method: Method) -> Method:
    @wraps(method)
    def checked(backend: Any, user_pool_id: str, username: str, password: str, permanent: bool) -> Any:
        method(backend, user_pool_id, username, password, permanent)
        backend.admin_get_user(user_pool_id, username).temporary_since = time.time()

    return checked


def _signed_out(method: Method) -> Method:
    """Note the time too: the hosted pages' tokens are not moto's, and end with it."""

    @wraps(method)
    def signed_out(pool: Any, username: str) -> None:
        method(pool, username)
        user = pool._get_user(username)
        if user is not None:
            user.signed_out_at = time.time()

    return signed_out


def _validate_password(backend: Any, user_pool_id: str, password: str) -> None:
    config = backend.describe_user_pool(user_pool_id).extended_config
    policy = config.get("Policies", {}).get("PasswordPolicy", {})
    rules = (
        (len(password) < policy.get("MinimumLength", 8), "Password not long enough"),
        (len(password) > _LONGEST_PASSWORD, "Password too long"),
        (_lacks(policy, "RequireUppercase", password, str.isupper), "Password must have uppercase characters"),
        (_lacks(policy, "RequireLowercase", password, str.islower), "Password must have lowercase characters"),
        (_lacks(policy, "RequireNumbers", password, str.isdigit), "Password must have numeric characters"),
        (_lacks(policy, "RequireSymbols", password, _SYMBOLS.__contains__), "Password must have symbol characters"),
    )
    for broken, reason in rules:
        if broken:
            raise JsonRESTError("InvalidPasswordException", f"Password did not conform with policy: {reason}")


def _lacks(policy: dict[str, Any], rule: str, password: str, is_such: Callable[[str], bool]) -> bool:
    return bool(policy.get(rule, True)) and not any(is_such(character) for character in password)
