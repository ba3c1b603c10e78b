"""Requests signed by botocore's own signers, as a server would read them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from localaws.gateway.auth import sigv4
from localaws.gateway.auth.sigv4 import Key, KeyRing, Refused, Signature
from localaws.gateway.protocol.http import Headers, HttpRequest

HOST = "127.0.0.1:4566"
ACCESS_KEY = "LKIAEXAMPLEEXAMPLE00"
SECRET = "a-secret/that+nobody=knows"


def keys(access_key: str) -> Key | None:
    """A key ring with one key in it."""
    return Key(SECRET) if access_key == ACCESS_KEY else None


def signed(
    signer: Any,
    method: str = "GET",
    path: str = "/",
    query: str = "",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    secret: str = SECRET,
    token: str | None = None,
    arguments: tuple[Any, ...] = ("s3", "us-east-1"),
) -> HttpRequest:
    """A request with the signature that ``signer`` (one of botocore.auth's classes) gives it."""
    url = f"http://{HOST}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method=method, url=url, data=body, headers=headers or {})
    signer(Credentials(ACCESS_KEY, secret, token), *arguments).add_auth(request)
    parts = urlsplit(request.url)
    fields = [(name, item.decode() if isinstance(item, bytes) else str(item)) for name, item in request.headers.items()]
    return HttpRequest(method, parts.path, parts.query, Headers([("Host", HOST), *fields]), body)


def changed(request: HttpRequest, **fields: Any) -> HttpRequest:
    """The same request with other headers: ``None`` takes a field out."""
    names = {name.replace("_", "-").lower(): value for name, value in fields.items()}
    kept = [(name, value) for name, value in request.headers if name.lower() not in names]
    added = [(name, value) for name, value in names.items() if value is not None]
    return HttpRequest(request.method, request.path, request.query_string, Headers([*kept, *added]), request.body)


def verify(request: HttpRequest, ring: KeyRing, now: datetime | None = None) -> Signature | None:
    """The signature of a request whose body is in it, checked as the front does it: by the head, then by the hash."""
    proof = sigv4.authenticate(request, ring, now)
    if proof is None:
        return None
    digest = hashlib.sha256(request.body).hexdigest()
    signature = proof.complete(digest)
    if len(proof.payload) == len(digest) and proof.payload != digest:
        raise Refused("bad_hash")
    return signature
