"""The head of a request, by the letter of RFC 9112: what two programs could read in two ways is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localaws.core.errors import AwsError
from localaws.gateway.protocol.http import Headers, HttpRequest
from localaws.gateway.reader import Reader, TooLong

#: presigned URLs with a session token and a key of 1,024 encoded bytes have about 6,000.
MAX_REQUEST_LINE = 16 * 1024
#: of all header lines together; S3 allows 2 KiB of metadata, SageMaker 1 KiB of custom attributes.
MAX_HEADERS_SIZE = 64 * 1024
MAX_HEADERS = 128

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([^\x00-\x20\x7f]+) HTTP/([0-9])\.([0-9])")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")


class BadRequest(AwsError):
    """The request is not framed as HTTP wants it; the connection ends with the answer."""

    code = "MalformedHttpRequest"
    status = 400


@dataclass(frozen=True)
class Head:
    """
    A request without its body.

    :param length: of the body in bytes; ``None`` where it comes in chunks.
    :param keep_alive: whether the client wants to send another request on the connection.
    """

    request: HttpRequest
    length: int | None
    keep_alive: bool


def read_head(reader: Reader) -> Head:
    """
    Read a request up to its body.

    :raises BadRequest: it is malformed, or larger than any that AWS's clients send.
    :raises Truncated: the client left.
    """
    method, target, minor = _request_line(reader)
    headers = Headers(_fields(reader))
    path, _, query = target.partition("?")
    length = _length(headers, minor)
    tokens = _tokens(headers, "connection")
    keep_alive = "close" not in tokens and (minor == 1 or "keep-alive" in tokens)
    return Head(HttpRequest(method, path, query, headers, b""), length, keep_alive)


def _request_line(reader: Reader) -> tuple[str, str, int]:
    try:
        line = _line(reader, MAX_REQUEST_LINE)
        # A client of old may end a body with a line break that its length does not count.
        line = line or _line(reader, MAX_REQUEST_LINE)
    except TooLong as error:
        raise BadRequest("The request line is too long.", code="RequestLineTooLong", status=414) from error
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise BadRequest("The request line is not one of HTTP.")
    if found[3] != b"1" or found[4] not in (b"0", b"1"):
        raise BadRequest("Only HTTP/1.1 and HTTP/1.0 are spoken.", code="HttpVersionNotSupported", status=505)
    target = _NOT_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], found[2])
    return found[1].decode(), target.decode(), int(found[4])


def _fields(reader: Reader) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    left = MAX_HEADERS_SIZE
    try:
        while line := _line(reader, left):
            left -= len(line)
            if len(fields) == MAX_HEADERS:
                raise TooLong
            found = _FIELD.fullmatch(line)
            if found is None:
                raise BadRequest("A header line is malformed.")
            fields.append((found[1].decode(), found[2].rstrip(b" \t").decode("latin-1")))
    except TooLong as error:
        message = "Your request header section exceeds the maximum allowed size."
        raise BadRequest(message, code="RequestHeaderSectionTooLarge", status=431) from error
    return fields


def _line(reader: Reader, limit: int) -> bytes:
    line = reader.line(limit)
    if not line.endswith(b"\r\n"):
        raise BadRequest("A line ends without a carriage return.")
    return line[:-2]


def _length(headers: Headers, minor: int) -> int | None:
    lengths = headers.all("content-length")
    codings = headers.all("transfer-encoding")
    if codings:
        if lengths or minor == 0 or len(codings) > 1 or codings[0].lower() != "chunked":
            raise BadRequest("Transfer-Encoding must be chunked, and Content-Length absent with it.")
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,18}", lengths[0]):
        raise BadRequest("Content-Length must be one number.")
    return int(lengths[0])


def _tokens(headers: Headers, name: str) -> set[str]:
    return {token.strip().lower() for value in headers.all(name) for token in value.split(",")}
