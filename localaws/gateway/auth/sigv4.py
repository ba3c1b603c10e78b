"""
Whose request is it, and is it what was signed?

Signature version 4 in a header, version 4 in the query (presigned), and, because boto3 still presigns S3 URLs of
us-east-1 with it, version 2 in the query.
"""

from __future__ import annotations

import hmac
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote_to_bytes

from localaws.core.signing import ALGORITHM, signature, signing_key
from localaws.gateway.auth import presigned
from localaws.gateway.protocol.http import HttpRequest

#: how far a client's clock may be off.
MAX_SKEW = timedelta(minutes=15)
#: the longest life of a presigned URL, in seconds.
_MAX_EXPIRES = 604_800
_TIME_FORMAT = "%Y%m%dT%H%M%SZ"
_CLAIM = re.compile(r"Credential=[^,&]+?(?:/|%2F)([a-z0-9-]+)(?:/|%2F)aws4_request")
_SHA256 = re.compile(r"[0-9a-f]{64}")
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING_UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
STREAMING_SIGNED = ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")


@dataclass(frozen=True)
class Key:
    """A secret key; temporary ones have a session token and an end."""

    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires: datetime | None = None


#: The key of an access key id, or ``None``.
KeyRing = Callable[[str], Key | None]


class Refused(Exception):
    """
    The request is not let in.

    :param reason: a key of :data:`~localaws.gateway.protocol.faults.REFUSALS`, with each protocol's code and text.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Signature:
    """
    What a valid signature says.

    :param service: the signing name in its scope.
    :param seed: the signature itself and what chunk signatures are made from: key, time and scope.
    """

    access_key: str
    service: str
    seed: str = ""
    signing_key: bytes = field(default=b"", repr=False)
    timestamp: str = ""
    scope: str = ""


@dataclass(frozen=True)
class _Claim:
    """What a version 4 request says about its own signature."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    token: str

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True)
class Proof:
    """
    A signature that holds, but for the hash of a body that was not read yet.

    :param payload: the ``x-amz-content-sha256`` that was signed: a hash, or one of S3's words for a body that none is
        given of. ``""`` where the body's hash was signed and not sent: then only :meth:`complete` tells.
    """

    access_key: str
    region: str
    service: str
    payload: str
    _complete: Callable[[str], Signature] = field(repr=False)

    def complete(self, digest: str = "") -> Signature:
        """
        Return the signature.

        :param digest: the body's SHA-256 in hexadecimal, where ``payload`` is ``""``.
        :raises Refused: another body was signed.
        """
        return self._complete(digest)


def authenticate(request: HttpRequest, keys: KeyRing, now: datetime | None = None) -> Proof | None:
    """
    Check the signature by the request's head alone.

    :returns: ``None`` for a request that carries no signature at all.
    :raises Refused: it carries one that is not good.
    """
    now = now or datetime.now(UTC)
    authorization = request.headers.get("authorization")
    query = dict(request.query)
    if authorization:
        return _verify_header(request, authorization, keys, now)
    if "X-Amz-Signature" in query or "X-Amz-Algorithm" in query:
        return _verify_query(request, query, keys, now)
    if "Signature" in query and "AWSAccessKeyId" in query:
        return _verify_version_2(request, query, keys, now)
    return None


def claimed_service(request: HttpRequest) -> str:
    """Return the service that a signature claims, good or not: it only decides the protocol of a refusal."""
    found = _CLAIM.search(f"{request.headers.get('authorization')} {request.query_string}")
    if found:
        return found[1]
    return "s3" if "AWSAccessKeyId=" in request.query_string else ""


def _verify_header(request: HttpRequest, authorization: str, keys: KeyRing, now: datetime) -> Proof:
    claim = _claim_of_header(request, authorization)
    moment = _moment(claim)
    if abs(now - moment) > MAX_SKEW:
        raise Refused("skewed", f"{claim.timestamp}, and the server's time is {now.strftime(_TIME_FORMAT)}")
    payload = _stated_hash(request, claim.service)
    _check_headers_signed(request, claim)
    return _proof(request, claim, _key(keys, claim.access_key, claim.token, now), payload, request.query_string)


def _verify_query(request: HttpRequest, query: dict[str, str], keys: KeyRing, now: datetime) -> Proof:
    claim = _claim_of_query(query)
    moment = _moment(claim)
    try:
        life = int(query["X-Amz-Expires"])
    except (KeyError, ValueError) as error:
        raise Refused("malformed_query", "X-Amz-Expires should be a number") from error
    if not 0 <= life <= _MAX_EXPIRES:
        raise Refused("malformed_query", "X-Amz-Expires must be between 0 and 604800 seconds")
    if moment - now > MAX_SKEW:
        raise Refused("expired", "Request is not yet valid")
    if now > moment + timedelta(seconds=life):
        raise Refused("expired", "Request has expired")
    _check_headers_signed(request, claim)
    unsigned = "&".join(part for part in request.query_string.split("&") if not part.startswith("X-Amz-Signature="))
    payload = UNSIGNED if claim.service == "s3" else ""
    return _proof(request, claim, _key(keys, claim.access_key, claim.token, now), payload, unsigned)


def _verify_version_2(request: HttpRequest, query: dict[str, str], keys: KeyRing, now: datetime) -> Proof:
    access_key = query["AWSAccessKeyId"]
    key = _key(keys, access_key, query.get("x-amz-security-token", ""), now)
    if not query.get("Expires", "").isdecimal():
        raise Refused("malformed_query", "Query-string authentication version 2 requires the Expires parameter")
    if now.timestamp() > int(query["Expires"]):
        raise Refused("expired", "Request has expired")
    expected = presigned.signature(request, key.secret)
    if not hmac.compare_digest(expected.encode(), query["Signature"].encode()):
        raise Refused("bad_signature")
    return Proof(access_key, "", "s3", UNSIGNED, lambda _: Signature(access_key, "s3"))


def _claim_of_header(request: HttpRequest, authorization: str) -> _Claim:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise Refused("unsupported", algorithm)
    parts = {}
    for part in rest.split(","):
        name, _, value = part.strip().partition("=")
        parts[name] = value
    try:
        credential, signed, signature = parts["Credential"], parts["SignedHeaders"], parts["Signature"]
    except KeyError as error:
        raise Refused("malformed", f"Authorization header requires {error} parameter.") from error
    timestamp = request.headers.get("x-amz-date")
    if not timestamp and "date" in request.headers:
        timestamp = _http_date(request.headers.get("date"))
    return _claim(credential, signed, signature, timestamp, request.headers.get("x-amz-security-token"))


def _claim_of_query(query: dict[str, str]) -> _Claim:
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        raise Refused("malformed_query", f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    try:
        return _claim(
            query["X-Amz-Credential"],
            query["X-Amz-SignedHeaders"],
            query["X-Amz-Signature"],
            query["X-Amz-Date"],
            query.get("X-Amz-Security-Token", ""),
        )
    except KeyError as error:
        raise Refused("malformed_query", f"Query-string authentication requires the {error} parameter") from error


def _claim(credential: str, signed: str, signature: str, timestamp: str, token: str) -> _Claim:
    parts = credential.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request":
        raise Refused("malformed", "Credential should have the form <key>/YYYYMMDD/<region>/<service>/aws4_request.")
    headers = tuple(name.lower() for name in signed.split(";"))
    if "host" not in headers:
        raise Refused("malformed", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    access_key, date, region, service = parts[:4]
    return _Claim(access_key, date, region, service, headers, signature, timestamp, token)


def _http_date(text: str) -> str:
    try:
        return parsedate_to_datetime(text).astimezone(UTC).strftime(_TIME_FORMAT)
    except ValueError as error:
        raise Refused("malformed", "The Date header is not a date.") from error


def _moment(claim: _Claim) -> datetime:
    try:
        moment = datetime.strptime(claim.timestamp, _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise Refused("malformed", "Authorization requires a valid 'X-Amz-Date' or 'Date'.") from error
    if not claim.timestamp.startswith(claim.date):
        raise Refused("malformed", "Date in Credential scope does not match YYYYMMDD from the request's date.")
    return moment


def _key(keys: KeyRing, access_key: str, token: str, now: datetime) -> Key:
    key = keys(access_key)
    if key is None:
        raise Refused("unknown_key")
    if not hmac.compare_digest((key.token or "").encode(), token.encode()):
        raise Refused("bad_token")
    if key.expires and now > key.expires:
        raise Refused("expired_token")
    return key


def _stated_hash(request: HttpRequest, service: str) -> str:
    """Return the hash that the canonical request has, ``""`` where it was not sent."""
    stated = request.headers.get("x-amz-content-sha256")
    if service == "s3":
        if not stated:
            raise Refused("no_hash")
        if stated in (UNSIGNED, STREAMING_UNSIGNED, *STREAMING_SIGNED):
            return stated
    if stated and not _SHA256.fullmatch(stated):
        raise Refused("no_such_hash")
    return stated


def _check_headers_signed(request: HttpRequest, claim: _Claim) -> None:
    """Refuse an x-amz- header that was not signed: anyone could have added it."""
    for name, _ in request.headers:
        if name.lower().startswith("x-amz-") and name.lower() not in claim.signed_headers:
            raise Refused("unsigned_header", name.lower())


def _proof(request: HttpRequest, claim: _Claim, key: Key, payload: str, query_string: str) -> Proof:
    by = signing_key(key.secret, claim.scope)

    def complete(digest: str) -> Signature:
        expected = signature(by, claim.timestamp, claim.scope, f"{canonical}\n{payload or digest}")
        if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
            raise Refused("bad_signature")
        return Signature(claim.access_key, claim.service, expected, by, claim.timestamp, claim.scope)

    canonical = _canonical_head(request, claim, query_string)
    if payload:
        proven = complete("")
        return Proof(claim.access_key, claim.region, claim.service, payload, lambda _: proven)
    return Proof(claim.access_key, claim.region, claim.service, "", complete)


def _canonical_head(request: HttpRequest, claim: _Claim, query_string: str) -> str:
    """Return the canonical request without its last line, the hash of the body."""
    return "\n".join(
        [
            request.method,
            _canonical_path(request.path, claim.service),
            _canonical_query(query_string),
            *(f"{name}:{_canonical_value(request.headers.all(name))}" for name in claim.signed_headers),
            "",
            ";".join(claim.signed_headers),
        ]
    )


def _canonical_path(path: str, service: str) -> str:
    if service == "s3":
        # Part by part: an encoded slash within a key stays one.
        return "/".join(_encoded(part) for part in path.split("/")) or "/"
    # All other services sign the normalised path, encoded a second time.
    normalised = posixpath.normpath(path) if path else "/"
    normalised = "/" + normalised.lstrip("/")
    if path.endswith("/") and normalised != "/":
        normalised += "/"
    return quote(normalised, safe="/-_.~")


def _canonical_query(query_string: str) -> str:
    pairs = (part.partition("=") for part in query_string.split("&") if part)
    encoded = sorted((_encoded(name), _encoded(value)) for name, _, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="-_.~")


def _canonical_value(values: Iterable[str]) -> str:
    # Headers are read as latin-1; what was signed is the text as sent, in UTF-8. Its single bytes may look like blanks.
    texts = (value.encode("latin-1", "replace").decode("utf-8", "replace") for value in values)
    return ",".join(" ".join(text.split()) for text in texts)
