"""From a body on its way in to a request that is complete: hashed, checked, in memory or in a file."""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from localaws.core.errors import AwsError
from localaws.gateway.admission import Admission
from localaws.gateway.auth.sigv4 import UNSIGNED, Refused
from localaws.gateway.framing import Body
from localaws.gateway.protocol import chunked
from localaws.gateway.protocol.http import Upload
from localaws.gateway.spool import IN_MEMORY, Sink, Spool

#: read from the socket at once, where the body is that large.
_PIECE = 256 * 1024
#: a trailing or leading header, and the digest that it states of an object's content. CRC32C and CRC64NVME are kept as
#: they were sent: the standard library computes neither.
_CHECKSUMS = {"x-amz-checksum-crc32": "CRC32", "x-amz-checksum-sha1": "SHA1", "x-amz-checksum-sha256": "SHA256"}


class TooLarge(AwsError):
    """The body is larger than any that the operation could want."""

    code = "EntityTooLarge"
    status = 413


class BadDigest(AwsError):
    """The content is not what the client says that it is."""

    code = "BadDigest"
    status = 400


class InvalidDigest(AwsError):
    """Content-MD5 is not the Base64 of 16 bytes."""

    code = "InvalidDigest"
    status = 400


class MissingContentLength(AwsError):
    """S3 wants to know an object's size before its content."""

    code = "MissingContentLength"
    status = 411


@contextmanager
def received(admission: Admission, body: Body, spool: Spool) -> Iterator[Admission]:
    """
    Read the body, and give the admission back with it; a file of it that nobody took is removed at the end.

    :raises TooLarge: it has more bytes than the operation takes.
    :raises Refused: it is not the body that was signed.
    :raises BadDigest: a checksum says that it arrived damaged.
    """
    unproven = not admission.is_proven
    # What was signed by its head may be read into memory up to the small limit of documents; an object never.
    in_memory = IN_MEMORY if admission.is_object or unproven else admission.limit
    sink = Sink(spool, in_memory=in_memory, unproven=unproven)
    try:
        receiving = _Receiving(admission, body)
        receiving.run(sink)
        sink.close()
        receiving.check()
        if admission.is_object and sink.path is not None:
            md5 = receiving.digests["MD5"].digest()
            admission.request.upload = Upload(sink.path, sink.size, md5)
        else:
            admission.request.body = sink.content()
            if sink.path is not None:
                sink.discard()
        yield admission
    finally:
        sink.discard()


def check_length(admission: Admission, body: Body) -> None:
    """
    Compare the length that was announced with what the operation takes, before anything is read.

    :raises TooLarge: it is more.
    :raises MissingContentLength: it is an object's, and was not announced.
    """
    headers = admission.request.headers
    announced = body.length
    if chunked.is_chunked(admission.request):
        decoded = headers.get("x-amz-decoded-content-length")
        if not (decoded.isascii() and decoded.isdecimal()):
            raise MissingContentLength("You must provide the Content-Length HTTP header.")
        announced = int(decoded)
    elif admission.is_object and body.length == 0 and "content-length" not in headers:
        raise MissingContentLength("You must provide the Content-Length HTTP header.")
    if announced is not None and announced > admission.limit:
        raise _too_large()


def _too_large() -> TooLarge:
    return TooLarge("Your proposed upload exceeds the maximum allowed size")


class _Digest(Protocol):
    def update(self, data: memoryview, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    """zlib's checksum with the interface of hashlib's."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: memoryview, /) -> None:
        """Take more of the content."""
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        """Return four bytes, the highest first."""
        return self._value.to_bytes(4, "big")


def _new(name: str) -> _Digest:
    return _Crc32() if name == "CRC32" else hashlib.new(name, usedforsecurity=False)


class _Receiving:
    """One body while it comes."""

    def __init__(self, admission: Admission, body: Body) -> None:
        self._admission = admission
        self._body = body
        self._source: Any = body
        self._decoder: chunked.Decoder | None = None
        if admission.proof and chunked.is_chunked(admission.request):
            signature = admission.proof.complete()
            self._source = self._decoder = chunked.Decoder(body.readinto, admission.request, signature)
        self.digests = {name: _new(name) for name in self._wanted()}

    def _wanted(self) -> set[str]:
        """Return the digests that will be compared, or handed on."""
        admission = self._admission
        headers = admission.request.headers
        wanted = set()
        if admission.proof and self._decoder is None and admission.proof.payload != UNSIGNED:
            wanted.add("SHA256")
        if "content-md5" in headers or (admission.is_object and self._may_be_large()):
            wanted.add("MD5")
        if admission.is_object:
            trailing = headers.get("x-amz-trailer").lower()
            wanted |= {name for header, name in _CHECKSUMS.items() if header in headers or header in trailing}
        return wanted

    def _may_be_large(self) -> bool:
        return self._body.length is None or self._body.length > IN_MEMORY

    def run(self, sink: Sink) -> None:
        """Read all of it."""
        length = self._body.length
        # Room for one byte at least: an empty body too has an end to be read.
        view = memoryview(bytearray(_PIECE if length is None else min(length + 1, _PIECE)))
        digests = list(self.digests.values())
        while (count := self._source.readinto(view)) > 0:
            piece = view[:count]
            if sink.size + count > self._admission.limit:
                raise _too_large()
            for digest in digests:
                digest.update(piece)
            sink.write(piece)
        self._size = sink.size

    def check(self) -> None:
        """Compare what came with all that was said about it."""
        admission = self._admission
        proof = admission.proof
        if self._decoder is not None:
            self._check_decoded(self._decoder)
        elif proof and proof.payload != UNSIGNED:
            self._check_hash(self.digests["SHA256"].digest().hex())
        headers = admission.request.headers
        if "content-md5" in headers:
            self._check_md5(headers.get("content-md5"))
        for header, name in _CHECKSUMS.items():
            if not admission.is_object or header not in headers:
                continue
            if base64.b64encode(self.digests[name].digest()).decode() != headers.get(header):
                raise BadDigest(f"The {name} you specified did not match the calculated checksum.")

    def _check_decoded(self, decoder: chunked.Decoder) -> None:
        request = self._admission.request
        if int(request.headers.get("x-amz-decoded-content-length")) != self._size:
            raise Refused("incomplete_body", "x-amz-decoded-content-length is not the body's length")
        self._admission.request = chunked.plain(request, decoder.trailer)

    def _check_hash(self, digest: str) -> None:
        proof = self._admission.proof
        assert proof is not None
        proof.complete(digest)
        if proof.payload and not hmac.compare_digest(proof.payload, digest):
            raise Refused("bad_hash")

    def _check_md5(self, stated: str) -> None:
        try:
            expected = base64.b64decode(stated, validate=True)
        except ValueError:
            expected = b""
        if len(expected) != 16:
            raise InvalidDigest("The Content-MD5 you specified was invalid.")
        if expected != self.digests["MD5"].digest():
            raise BadDigest("The Content-MD5 you specified did not match what we received.")
