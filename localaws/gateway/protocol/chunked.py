"""S3's ``aws-chunked`` bodies, signed or not: taken apart and checked while they come."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from localaws.core.signing import sign
from localaws.gateway.auth.sigv4 import STREAMING_SIGNED, STREAMING_UNSIGNED, Refused, Signature
from localaws.gateway.protocol.http import Headers, HttpRequest
from localaws.gateway.reader import Reader, TooLong, Truncated

_EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_FRAMING = ("x-amz-content-sha256", "x-amz-decoded-content-length", "x-amz-trailer", "content-encoding")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;chunk-signature=([0-9a-f]{64}))?\r\n")
_MAX_LINE = 1024
_MAX_TRAILER = 8 * 1024


def is_chunked(request: HttpRequest) -> bool:
    """Return True if the body is in S3's own chunked encoding."""
    return request.headers.get("x-amz-content-sha256") in (STREAMING_UNSIGNED, *STREAMING_SIGNED)


def plain(request: HttpRequest, trailer: dict[str, str]) -> HttpRequest:
    """
    Return the request without the headers of its framing, and with the trailing ones among its headers.

    :param trailer: what :class:`Decoder` found after the last chunk, such as ``x-amz-checksum-crc32``.
    """
    headers = [(name, value) for name, value in request.headers if name.lower() not in _FRAMING]
    encodings = [part.strip() for part in request.headers.get("content-encoding").split(",")]
    encoding = ",".join(part for part in encodings if part and part != "aws-chunked")
    headers += [*trailer.items(), *([("content-encoding", encoding)] if encoding else [])]
    return replace(request, headers=Headers(headers))


class Decoder:
    """
    The plain body within the chunks that ``fill`` reads.

    The framing is ``size[;chunk-signature=...]CRLF data CRLF ... 0[;...]CRLF [name:value CRLF]* CRLF``.
    """

    def __init__(self, fill: Callable[[memoryview], int], request: HttpRequest, signature: Signature) -> None:
        kind = request.headers.get("x-amz-content-sha256")
        #: the trailing headers, by their lower-case names, once the body has ended.
        self.trailer: dict[str, str] = {}
        self._reader = Reader(fill)
        self._left = 0
        self._first = True
        self._ended = False
        self._chain = _Chain(signature) if kind in STREAMING_SIGNED else None
        self._trailer_is_signed = kind == STREAMING_SIGNED[1]
        announced = (name.strip().lower() for name in request.headers.get("x-amz-trailer").split(","))
        self._announced = {name for name in announced if name.startswith("x-amz-checksum-")}

    def readinto(self, view: memoryview) -> int:
        """
        Read at least one byte of the plain body; 0 at its end.

        :raises Refused: a chunk's or the trailer's signature is wrong, or the framing is broken.
        """
        if self._ended:
            return 0
        if not self._left and not self._begin_chunk():
            self._end()
            return 0
        count = self._reader.readinto(view[: self._left])
        if not count:
            raise Refused("incomplete_body", "a chunk is shorter than its size says")
        self._left -= count
        if self._chain:
            self._chain.update(view[:count])
        return count

    def _begin_chunk(self) -> int:
        if not self._first:
            if self._line(2) != b"\r\n":
                raise Refused("incomplete_body", "a chunk is longer than its size says")
            if self._chain:
                self._chain.check()
        self._first = False
        found = _CHUNK_LINE.fullmatch(self._line(_MAX_LINE))
        if found is None:
            raise Refused("incomplete_body", "a chunk's size is not a hexadecimal number, or its signature malformed")
        if self._chain:
            self._chain.begin((found[2] or b"").decode())
        self._left = int(found[1], 16)
        return self._left

    def _end(self) -> None:
        self._ended = True
        if self._chain:
            self._chain.check()
        left = _MAX_TRAILER
        while self._reader.peek():
            line = self._line(left)
            left -= len(line)
            name, _, value = line.decode("latin-1").partition(":")
            if name.strip():
                self.trailer[name.strip().lower()] = value.strip()
        signature = self.trailer.pop("x-amz-trailer-signature", "")
        if self._trailer_is_signed and self._chain:
            self._chain.check_trailer(self.trailer, signature)
        # Any other could be a header that had to be signed.
        if not self.trailer.keys() <= self._announced:
            raise Refused("bad_trailer")

    def _line(self, limit: int) -> bytes:
        try:
            return self._reader.line(limit)
        except TooLong as error:
            raise Refused("incomplete_body", "a line between the chunks is too long") from error
        except Truncated as error:
            raise Refused("incomplete_body", "the framing ends too early") from error


class _Chain:
    """The signatures of the chunks, each of which covers the one before."""

    def __init__(self, signature: Signature) -> None:
        if not signature.signing_key:
            raise Refused("bad_signature")
        self._signature = signature
        self._previous = signature.seed
        self._stated = ""
        self._hash: Any = None

    def begin(self, stated: str) -> None:
        """Begin a chunk that is said to have this signature."""
        self._stated = stated
        self._hash = hashlib.sha256()

    def update(self, data: memoryview) -> None:
        """Take a piece of the chunk."""
        self._hash.update(data)

    def check(self) -> None:
        """End the chunk; :raises Refused: its signature is another."""
        self._previous = self._check("AWS4-HMAC-SHA256-PAYLOAD", self._stated, _EMPTY_HASH, self._hash.hexdigest())

    def check_trailer(self, trailer: dict[str, str], stated: str) -> None:
        """
        Check the signature of the trailing headers.

        :raises Refused: it is another.
        """
        lines = "".join(f"{name}:{value}\n" for name, value in trailer.items())
        self._check("AWS4-HMAC-SHA256-TRAILER", stated, hashlib.sha256(lines.encode()).hexdigest())

    def _check(self, algorithm: str, stated: str, *hashes: str) -> str:
        text = "\n".join([algorithm, self._signature.timestamp, self._signature.scope, self._previous, *hashes])
        expected = sign(self._signature.signing_key, text)
        if not hmac.compare_digest(expected.encode(), stated.encode()):
            raise Refused("bad_signature")
        return expected
