"""
The key that signs the tokens of this home's user pools.

moto signs with a key that it ships to everybody, so that anybody could forge a token. This one is made at first need,
and its private half is in a file of mode 0600.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from localaws.core import own_key

ALGORITHM = "RS256"
_BITS = 2048


class InvalidToken(Exception):
    """A token is not one of ours, is damaged or has ended; the text says which."""


class SigningKey:
    """
    The key in a file, made and read when it is first used.

    :param path: a PEM file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._loaded: RSAKey | None = None

    @property
    def _key(self) -> RSAKey:
        with self._lock:
            if self._loaded is None:
                self._loaded = RSAKey.import_key(own_key.read_or_create(self._path, _make).decode())
            return self._loaded

    @property
    def kid(self) -> str:
        """Its name in tokens and in the key set: the thumbprint of its public half (RFC 7638)."""
        return self._key.thumbprint()

    def public_set(self) -> dict[str, Any]:
        """Return the JSON Web Key Set that verifies its tokens."""
        public = self._key.as_dict(private=False)
        shown = {"alg": ALGORITHM, "e": public["e"], "kid": self.kid, "kty": "RSA", "n": public["n"], "use": "sig"}
        return {"keys": [shown]}

    def sign(self, claims: dict[str, Any]) -> str:
        """Return a JSON Web Token."""
        return jwt.encode({"kid": self.kid, "alg": ALGORITHM}, claims, self._key)

    def verify(self, token: str, *, issuer: str, use: str, now: float) -> dict[str, Any]:
        """
        Return the claims of a token.

        :param use: ``access`` or ``id``.
        :raises InvalidToken: another key or algorithm, another issuer or use, or its time is over.
        """
        try:
            # The algorithm is ours to say: never "none", and no HMAC with the public key as its secret.
            decoded = jwt.decode(token, self._key, algorithms=[ALGORITHM])
        except (JoseError, ValueError) as error:
            raise InvalidToken("The token's signature is not valid.") from error
        claims = dict(decoded.claims)
        if decoded.header.get("kid") != self.kid:
            raise InvalidToken("The token was signed with another key.")
        if claims.get("iss") != issuer or claims.get("token_use") != use:
            raise InvalidToken(f"The token is no {use} token of this user pool.")
        expires = claims.get("exp")
        if not isinstance(expires, int) or expires <= now:
            raise InvalidToken("The token has expired.")
        return claims


@cache
def of_home(home: Path) -> SigningKey:
    """Return the key of a home, by localaws' folder in it."""
    return SigningKey(home / "cognito" / "signing.pem")


def _make() -> bytes:
    return RSAKey.generate_key(_BITS, private=True).as_pem(private=True)
