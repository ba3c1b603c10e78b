"""A provider's tokens: their signature by its key set, and what they must say."""

from __future__ import annotations

import base64
import binascii
import json
import math
import time
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, RSAKey

from localaws.portal.oidc.provider import Provider
from localaws.portal.oidc.requests import TITLE, ask_for_object
from localaws.portal.refusals import Refusal

#: Signatures by a key pair. Never "none", and no HMAC, whose secret could be the public key that everybody has.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
#: by how much a provider's clock may differ.
_LEEWAY = 60.0
#: for how long a key set is not asked for again.
_FRESH = 300.0
#: seconds since 1970 beyond all times.
_LATEST = 10**12

Claims = dict[str, Any]
_Key = RSAKey | ECKey


class KeySets:
    """The key sets of providers, kept for some minutes."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, list[Any]]] = {}

    def kept(self, place: str) -> list[Any] | None:
        """Return a key set that was read some minutes ago at most; ``None`` where none was."""
        at, keys = self._kept.get(place, (-math.inf, []))
        return keys if time.monotonic() - at < _FRESH else None

    def read(self, place: str) -> list[Any]:
        """
        Return a key set as it is now.

        :raises Refusal: the provider does not answer one.
        """
        keys = ask_for_object(place, "JwksUri").get("keys")
        if not isinstance(keys, list):
            raise Refusal(502, TITLE, "Its JwksUri did not answer a key set.")
        self._kept[place] = (time.monotonic(), keys)
        return keys


def is_jwt(token: str) -> bool:
    """Return whether a token can be read; an access token may also be a word that says nothing."""
    return _header(token) is not None


def identity(sets: KeySets, provider: Provider, token: Any, nonce: str) -> Claims:
    """
    Return the claims of an ID token, checked as OpenID Connect Core 3.1.3.7 has it.

    :raises Refusal: it is not valid, not for this client, or not of this sign-in.
    """
    said = access(sets, provider, token, what="ID token")
    audience = said.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = said.get("azp", provider.client_id if len(audiences) == 1 else None)
    if provider.client_id not in audiences or party != provider.client_id:
        raise _invalid("The ID token is for another client.")
    if said.get("nonce") != nonce:
        raise _invalid("The ID token is not of this sign-in: its nonce is another.")
    if not isinstance(said.get("sub"), str) or not said["sub"]:
        raise _invalid("The ID token has no sub.")
    return said


def access(sets: KeySets, provider: Provider, token: Any, *, what: str = "access token") -> Claims:
    """
    Return the claims of a token that the provider has signed and that holds now.

    :param what: the token, for people.
    :raises Refusal: it is no such token.
    """
    header = _header(token) if isinstance(token, str) else None
    if header is None:
        raise _invalid(f"The {what} is missing or is no JSON Web Token.")
    if header.get("alg") not in ALGORITHMS:
        raise _invalid(f"The {what} is not signed in a way that is accepted: {', '.join(ALGORITHMS)}.")
    claims = _verified(sets, provider.jwks_uri, token, header)
    if claims is None:
        raise _invalid(f"The {what} was not signed by a key of the provider's key set.")
    if claims.get("iss") != provider.issuer:
        raise _invalid(f"The {what} is of another issuer than the workforce's.")
    _check_times(claims, what)
    return claims


def _verified(sets: KeySets, place: str, token: str, header: dict[str, Any]) -> Claims | None:
    kept = sets.kept(place)
    claims = _by_one_of(_fitting(kept, header), token) if kept is not None else None
    # A provider changes its keys: a set that was kept is read once more before a token is refused.
    return claims if claims is not None else _by_one_of(_fitting(sets.read(place), header), token)


def _by_one_of(keys: list[_Key], token: str) -> Claims | None:
    for key in keys:
        try:
            return dict(jwt.decode(token, key, algorithms=ALGORITHMS).claims)
        except (JoseError, ValueError, RecursionError):
            # Another key of the set may be the one: a token need not name it.
            continue
    return None


def _check_times(claims: Claims, what: str) -> None:
    now = time.time()
    ends, begins = _time(claims.get("exp")), _time(claims.get("nbf", claims.get("iat", 0)))
    if ends is None or begins is None:
        raise _invalid(f"The {what} does not say until when it holds.")
    if ends + _LEEWAY <= now:
        raise _invalid(f"The {what} has expired.")
    if begins - _LEEWAY > now:
        raise _invalid(f"The {what} does not hold yet: compare the clocks of this machine and of the provider.")


def _time(value: Any) -> float | None:
    # JSON may have numbers that no clock reaches, and Python's has NaN.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < _LATEST else None


def _header(token: str) -> dict[str, Any] | None:
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _fitting(keys: list[Any], header: dict[str, Any]) -> list[_Key]:
    """Return the keys with the id of a token, or all where it names none. Keys of an unknown kind are left out."""
    named = [key for key in keys if isinstance(key, dict) and key.get("use", "sig") == "sig"]
    if "kid" in header:
        named = [key for key in named if key.get("kid") == header["kid"]]
    kind = "EC" if header["alg"].startswith("ES") else "RSA"
    return [key for each in named if each.get("kty") == kind and (key := _imported(each)) is not None]


def _imported(key: dict[str, Any]) -> _Key | None:
    try:
        found = JWKRegistry.import_key(key)
    except (JoseError, ValueError, LookupError, TypeError):
        # RFC 7517, 5: what cannot be understood is ignored.
        return None
    return found if isinstance(found, RSAKey | ECKey) else None


def _invalid(sentence: str) -> Refusal:
    return Refusal(502, "Sign in again", sentence)
