"""Signature version 2 of S3, query form: what boto3's ``generate_presigned_url`` makes by default in us-east-1."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import unquote

from botocore.auth import HmacV1Auth

from localaws.gateway.protocol.http import HttpRequest

#: query parameters that name a sub-resource: the others are not signed.
_SIGNED_PARAMETERS = frozenset(HmacV1Auth.QSAOfInterest)


def signature(request: HttpRequest, secret: str) -> str:
    """Compute the signature that a presigned request must carry."""
    query = dict(request.query)
    amazon = {name.lower(): value for name, value in (*query.items(), *request.headers) if _is_amazon(name)}
    lines = [
        request.method,
        request.headers.get("content-md5"),
        request.headers.get("content-type"),
        query.get("Expires", ""),
        *(f"{name}:{amazon[name].strip()}" for name in sorted(amazon)),
        _resource(request),
    ]
    digest = hmac.new(secret.encode(), "\n".join(lines).encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def _is_amazon(name: str) -> bool:
    return name.lower().startswith("x-amz-")


def _resource(request: HttpRequest) -> str:
    parts = [part.split("=", 1) for part in request.query_string.split("&")]
    signed = sorted((part for part in parts if part[0] in _SIGNED_PARAMETERS), key=lambda part: part[0])
    query = "&".join("=".join([part[0], *map(unquote, part[1:])]) for part in signed)
    return f"{request.path}?{query}" if query else request.path
