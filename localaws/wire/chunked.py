"""S3's ``aws-chunked`` bodies, signed or not: taken apart and checked, so that what lies behind sees a plain body."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from localaws.wire.http import Headers, HttpRequest
from localaws.wire.sigv4 import STREAMING_SIGNED, STREAMING_UNSIGNED, Refused, Signature, sign

_EMPTY_HASH = hashlib.sha256(b"").hexdigest()


_FRAMING = ("x-amz-content-sha256", "x-amz-decoded-content-length", "x-amz-trailer", "content-encoding")
_FRAMING_KEYS = {"HTTP_" + name.upper().replace("-", "_") for name in _FRAMING}


class _Chunk(NamedTuple):
    data: bytes
    signature: str


def is_chunked(request: HttpRequest) -> bool:
    """Whether the body comes in chunks of S3's own kind."""
    return request.headers.get("x-amz-content-sha256") in (STREAMING_UNSIGNED, *STREAMING_SIGNED)


def plain(request: HttpRequest, signature: Signature) -> HttpRequest:
    """The same request with a plain body, and without the headers that spoke of the framing."""
    body, trailer = decode(request, signature)
    headers = [(name, value) for name, value in request.headers if name.lower() not in _FRAMING]
    environ = {key: value for key, value in request.environ.items() if key not in _FRAMING_KEYS}
    encodings = [part.strip() for part in request.headers.get("content-encoding").split(",")]
    encoding = ",".join(part for part in encodings if part and part != "aws-chunked")
    for name, value in (*trailer.items(), *([("content-encoding", encoding)] if encoding else [])):
        headers.append((name, value))
        environ[_environ_key(name)] = value
    return replace(request, headers=Headers(headers), body=body, environ=environ)


def _environ_key(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")


def decode(request: HttpRequest, signature: Signature) -> tuple[bytes, dict[str, str]]:
    """
    The body without its framing, and the trailing headers (such as ``x-amz-checksum-crc32``).

    :raises Refused: a chunk's or the trailer's signature is wrong, or the framing is broken.
    """
    kind = request.headers.get("x-amz-content-sha256")
    previous = signature.seed
    parts = []
    reader = _Reader(request.body)
    for chunk in reader.chunks():
        if kind in STREAMING_SIGNED:
            previous = _check_chunk(signature, previous, chunk)
        parts.append(chunk.data)
    trailer = reader.trailer()
    if kind == STREAMING_SIGNED[1]:
        _check_trailer(signature, previous, trailer)
    body = b"".join(parts)
    announced = request.headers.get("x-amz-decoded-content-length")
    if announced and announced != str(len(body)):
        raise Refused("incomplete_body", "x-amz-decoded-content-length is not the body's length")
    trailer.pop("x-amz-trailer-signature", None)
    return body, trailer


def _check_chunk(signature: Signature, previous: str, chunk: _Chunk) -> str:
    text = "\n".join(
        [
            "AWS4-HMAC-SHA256-PAYLOAD",
            signature.timestamp,
            signature.scope,
            previous,
            _EMPTY_HASH,
            hashlib.sha256(chunk.data).hexdigest(),
        ]
    )
    expected = sign(signature.signing_key, text)
    if not hmac.compare_digest(expected.encode(), chunk.signature.encode()):
        raise Refused("bad_signature")
    return expected


def _check_trailer(signature: Signature, previous: str, trailer: dict[str, str]) -> None:
    lines = "".join(f"{name}:{value}\n" for name, value in trailer.items() if name != "x-amz-trailer-signature")
    text = "\n".join(
        [
            "AWS4-HMAC-SHA256-TRAILER",
            signature.timestamp,
            signature.scope,
            previous,
            hashlib.sha256(lines.encode()).hexdigest(),
        ]
    )
    expected = sign(signature.signing_key, text)
    if not hmac.compare_digest(expected.encode(), trailer.get("x-amz-trailer-signature", "").encode()):
        raise Refused("bad_signature")


class _Reader:
    """Reads ``size[;chunk-signature=...]CRLF data CRLF ... 0[;...]CRLF [name:value CRLF]* CRLF``."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def chunks(self) -> Iterator[_Chunk]:
        """Every chunk, the empty last one too."""
        while True:
            size_text, _, extension = self._line().partition(";")
            try:
                size = int(size_text, 16)
            except ValueError as error:
                raise Refused("incomplete_body", "a chunk's size is not a hexadecimal number") from error
            data = self._body[self._at : self._at + size]
            self._at += size
            if size < 0 or len(data) < size:
                raise Refused("incomplete_body", "a chunk is shorter than its size says")
            yield _Chunk(data, extension.partition("chunk-signature=")[2])
            if size == 0:
                return
            if self._line():
                raise Refused("incomplete_body", "a chunk is longer than its size says")

    def trailer(self) -> dict[str, str]:
        """The fields after the last chunk."""
        fields = {}
        while self._at < len(self._body):
            name, _, value = self._line().partition(":")
            if name:
                fields[name.strip().lower()] = value.strip()
        return fields

    def _line(self) -> str:
        end = self._body.find(b"\r\n", self._at)
        if end < 0:
            raise Refused("incomplete_body", "the framing ends too early")
        line = self._body[self._at : end]
        self._at = end + 2
        return line.decode("latin-1")
