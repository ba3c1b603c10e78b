"""Signature version 4: what the gateway checks requests by, and the client of a running job signs them by."""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

ALGORITHM = "AWS4-HMAC-SHA256"


def sign(key: bytes, text: str) -> str:
    """HMAC-SHA256 in hexadecimal."""
    return hmac.new(key, text.encode(), "sha256").hexdigest()


@lru_cache(maxsize=64)
def signing_key(secret: str, scope: str) -> bytes:
    """
    Return the key that requests of a scope are signed by.

    :param scope: ``<date>/<region>/<service>/aws4_request``.
    """
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def signature(key: bytes, timestamp: str, scope: str, canonical: str) -> str:
    """
    Return the signature of a request.

    :param key: of :func:`signing_key`.
    :param timestamp: of the request, such as ``20260101T000000Z``.
    :param canonical: the canonical request.
    """
    hashed = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return sign(key, "\n".join([ALGORITHM, timestamp, scope, hashed]))
