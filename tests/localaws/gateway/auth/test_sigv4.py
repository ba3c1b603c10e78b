"""Signatures: botocore's are let in, anything altered is refused for the right reason."""

from __future__ import annotations

import hashlib
import io
import re
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from signed_kit import ACCESS_KEY, SECRET, changed, keys, signed, verify

from localaws.core.signing import sign
from localaws.gateway.admission import Admission
from localaws.gateway.auth import sigv4
from localaws.gateway.auth.sigv4 import Key, Refused
from localaws.gateway.framing import SizedBody
from localaws.gateway.payload import check_length, received
from localaws.gateway.protocol.http import Headers, HttpRequest
from localaws.gateway.reader import Reader
from localaws.gateway.spool import Spool

PATHS = [
    "/bucket/key",
    "/bucket/a%20b%2Bc%25%2F",
    "/bucket/%C3%BC/%E6%BC%A2",
    "/bucket//double//slash/",
    "/bucket/dots/../and/./dots",
    "/bucket/tilde~and-_.%21%2A%27%28%29",
]


def reason(request: HttpRequest, **others: Any) -> str:
    with pytest.raises(Refused) as caught:
        verify(request, others.pop("ring", keys), **others)
    return caught.value.reason


@pytest.mark.parametrize("path", PATHS)
def test_s3_requests_are_let_in_whatever_the_key_looks_like(path: str) -> None:
    request = signed(S3SigV4Auth, "PUT", path, body=b"x", headers={"x-amz-meta-my_key": "a  b"})
    found = verify(request, keys)
    assert found is not None
    assert (found.access_key, found.service) == (ACCESS_KEY, "s3")


@pytest.mark.parametrize("query", ["uploads", "list-type=2&prefix=a%2Fb%20c&delimiter=%2F", "b=2&a=1&a=0", "x=%C3%BC"])
def test_queries_are_let_in(query: str) -> None:
    assert verify(signed(S3SigV4Auth, "GET", "/bucket", query), keys)


@pytest.mark.parametrize("path", ["/", "/endpoints/a%20b/invocations", "/a/../b//c/", "/FeatureGroup/x%2Fy"])
def test_other_services_sign_the_path_twice_encoded(path: str) -> None:
    assert verify(signed(SigV4Auth, "POST", path, body=b"{}", arguments=("sagemaker", "us-east-1")), keys)


def test_an_unsigned_request_is_nobodys() -> None:
    assert verify(HttpRequest("GET", "/", "", Headers([("Host", "localhost")]), b""), keys) is None


def test_a_wrong_secret_is_a_bad_signature() -> None:
    assert reason(signed(S3SigV4Auth, secret="other")) == "bad_signature"


def test_an_unknown_key_is_said_to_be_unknown() -> None:
    assert reason(signed(S3SigV4Auth), ring=lambda _: None) == "unknown_key"


def test_nothing_that_was_signed_can_be_changed() -> None:
    request = signed(S3SigV4Auth, "PUT", "/bucket/key", "tagging", b"body", {"x-amz-meta-a": "1"})
    assert verify(request, keys)
    assert reason(replace(request, method="DELETE")) == "bad_signature"
    assert reason(replace(request, path="/bucket/other")) == "bad_signature"
    assert reason(replace(request, query_string="acl")) == "bad_signature"
    assert reason(changed(request, x_amz_meta_a="2")) == "bad_signature"
    assert reason(changed(request, host="localhost:4566")) == "bad_signature"
    assert reason(replace(request, body=b"BODY")) == "bad_hash"
    other = hashlib.sha256(b"BODY").hexdigest()
    assert reason(changed(replace(request, body=b"BODY"), x_amz_content_sha256=other)) == "bad_signature"


def test_the_body_of_a_json_request_is_signed_without_a_hash_header() -> None:
    request = signed(SigV4Auth, "POST", body=b"{}", arguments=("athena", "us-east-1"))
    assert verify(request, keys)
    assert reason(replace(request, body=b"{ }")) == "bad_signature"


def test_an_s3_request_must_state_its_bodys_hash() -> None:
    assert reason(changed(signed(S3SigV4Auth), x_amz_content_sha256=None)) == "no_hash"


def test_only_s3_may_leave_its_body_unsigned() -> None:
    for signer, arguments, let_in in ((S3SigV4Auth, "s3", True), (SigV4Auth, "athena", False)):
        request = signed(_unsigned_payload(signer), "PUT", body=b"x", arguments=(arguments, "us-east-1"))
        assert request.headers.get("x-amz-content-sha256") == "UNSIGNED-PAYLOAD"
        if let_in:
            assert verify(replace(request, body=b"anything"), keys)
        else:
            assert reason(request) == "no_such_hash"


def _unsigned_payload(signer: Any) -> Any:
    class Unsigned(signer):  # type: ignore[misc]
        def add_auth(self, request: Any) -> None:
            request.context["payload_signing_enabled"] = False
            request.context["client_config"] = type("C", (), {"s3": {"payload_signing_enabled": False}})
            super().add_auth(request)

    return Unsigned


def test_a_header_of_amazons_that_was_not_signed_is_refused() -> None:
    assert reason(changed(signed(S3SigV4Auth), x_amz_acl="public-read")) == "unsigned_header"


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_clock_that_is_a_quarter_of_an_hour_off_is_refused(minutes: int) -> None:
    request = signed(S3SigV4Auth)
    assert reason(request, now=datetime.now(UTC) + timedelta(minutes=minutes)) == "skewed"
    assert verify(request, keys, datetime.now(UTC) + timedelta(minutes=minutes / 2))


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        ("Basic dXNlcjpwYXNz", "unsupported"),
        ("AWS key:signature", "unsupported"),
        ("AWS4-HMAC-SHA256", "malformed"),
        ("AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0", "malformed"),
        ("AWS4-HMAC-SHA256 Credential=k/20260101/r/s3/aws4_request, SignedHeaders=date, Signature=0", "malformed"),
        ("AWS4-HMAC-SHA256 Credential=k/20260101/r/s3/aws4_request, SignedHeaders=host", "malformed"),
        ("AWS4-HMAC-SHA256 Credential=k/20260101/r/s3/aws4_request, SignedHeaders=host, Signature=ü", "malformed"),
    ],
)
def test_a_malformed_authorization_is_refused(authorization: str, expected: str) -> None:
    headers = Headers([("Host", "localhost"), ("Authorization", authorization), ("X-Amz-Date", "today")])
    assert reason(HttpRequest("GET", "/", "", headers, b"")) == expected


def test_a_scope_of_another_day_is_refused() -> None:
    request = signed(S3SigV4Auth)
    authorization = re.sub(r"/\d{8}/", "/20200101/", request.headers.get("authorization"))
    assert reason(changed(request, authorization=authorization)) == "malformed"


def test_temporary_keys_need_their_token_in_time() -> None:
    now = datetime.now(UTC)
    ring = {ACCESS_KEY: Key(SECRET, "token", now + timedelta(hours=1))}.get
    good = signed(S3SigV4Auth, token="token")
    assert verify(good, ring)
    assert reason(signed(S3SigV4Auth), ring=ring) == "bad_token"
    assert reason(signed(S3SigV4Auth, token="other"), ring=ring) == "bad_token"
    late = {ACCESS_KEY: Key(SECRET, "token", now - timedelta(seconds=1))}.get
    assert reason(good, ring=late) == "expired_token"
    assert reason(good) == "bad_token", "a permanent key has no token"


def test_presigned_urls_work_until_they_expire() -> None:
    request = signed(S3SigV4QueryAuth, "GET", "/bucket/a%20b", "versionId=1", arguments=("s3", "us-east-1", 60))
    now = datetime.now(UTC)
    assert verify(request, keys)
    assert reason(request, now=now + timedelta(seconds=62)) == "expired"
    assert reason(request, now=now - timedelta(minutes=16)) == "expired"
    assert reason(replace(request, path="/bucket/other")) == "bad_signature"
    assert reason(replace(request, method="PUT")) == "bad_signature"
    longer = request.query_string.replace("X-Amz-Expires=60", "X-Amz-Expires=600")
    assert reason(replace(request, query_string=longer)) == "bad_signature"
    assert reason(replace(request, query_string=longer.replace("=600", "=9999999"))) == "malformed_query"
    assert reason(replace(request, query_string=longer.replace("X-Amz-Expires=600", ""))) == "malformed_query"


def test_presigned_urls_of_version_2_work_until_they_expire() -> None:
    request = signed(
        HmacV1QueryAuth, "GET", "/bucket/a%20b", "versionId=1&response-content-type=a%2Fb", arguments=(60,)
    )
    assert verify(request, keys)
    assert reason(request, now=datetime.now(UTC) + timedelta(seconds=62)) == "expired"
    assert reason(replace(request, path="/bucket/other")) == "bad_signature"
    assert reason(replace(request, method="DELETE")) == "bad_signature"
    assert reason(changed(request, content_type="text/html")) == "bad_signature"
    forever = request.query_string.replace("Expires=", "Expires=9")
    assert reason(replace(request, query_string=forever)) == "bad_signature"
    assert reason(replace(request, query_string=f"{forever}x")) == "malformed_query"


def chunks(parts: list[bytes], trailer: dict[str, str], *, kind: str) -> HttpRequest:
    """An upload as the SDKs in other languages send it over plain HTTP, signed chunk by chunk."""

    class Streaming(S3SigV4Auth):
        def payload(self, request: Any) -> str:
            return kind

    length = sum(map(len, parts))
    headers = {"x-amz-decoded-content-length": str(length), "content-encoding": "aws-chunked,gzip"}
    if trailer:
        headers["x-amz-trailer"] = ",".join(trailer)
    request = signed(Streaming, "PUT", "/bucket/key", headers=headers)
    seed = verify(request, keys)
    assert seed is not None
    previous, body = seed.seed, b""
    signs = kind != sigv4.STREAMING_UNSIGNED
    empty = hashlib.sha256(b"").hexdigest()
    for part in [*parts, b""]:
        lines = [
            "AWS4-HMAC-SHA256-PAYLOAD",
            seed.timestamp,
            seed.scope,
            previous,
            empty,
            hashlib.sha256(part).hexdigest(),
        ]
        previous = sign(seed.signing_key, "\n".join(lines))
        extension = f";chunk-signature={previous}" if signs else ""
        body += f"{len(part):x}{extension}\r\n".encode() + part + (b"\r\n" if part else b"")
    for name, value in trailer.items():
        body += f"{name}:{value}\r\n".encode()
    if kind.endswith("PAYLOAD-TRAILER") and signs:
        hashed = hashlib.sha256("".join(f"{name}:{value}\n" for name, value in trailer.items()).encode()).hexdigest()
        lines = ["AWS4-HMAC-SHA256-TRAILER", seed.timestamp, seed.scope, previous, hashed]
        body += f"x-amz-trailer-signature:{sign(seed.signing_key, chr(10).join(lines))}\r\n".encode()
    return replace(request, body=body + b"\r\n")


def decoded(request: HttpRequest) -> HttpRequest:
    body = SizedBody(Reader(io.BytesIO(request.body).readinto), len(request.body))
    admission = Admission(replace(request, body=b""), sigv4.authenticate(request, keys), None, 10**6)
    check_length(admission, body)
    with tempfile.TemporaryDirectory() as folder, received(admission, body, Spool(Path(folder) / "spool")) as complete:
        return complete.request


@pytest.mark.parametrize("kind", [sigv4.STREAMING_UNSIGNED, *sigv4.STREAMING_SIGNED])
def test_chunked_uploads_arrive_plain(kind: str) -> None:
    trailer = {"x-amz-checksum-crc32": "AAAAAA=="} if kind.endswith("TRAILER") else {}
    request = decoded(chunks([b"x" * 70000, b"\r\n0\r\n"], trailer, kind=kind))
    assert request.body == b"x" * 70000 + b"\r\n0\r\n"
    assert request.headers.get("content-encoding") == "gzip"
    assert request.headers.get("x-amz-checksum-crc32") == trailer.get("x-amz-checksum-crc32", "")
    assert "x-amz-content-sha256" not in request.headers


@pytest.mark.parametrize("kind", sigv4.STREAMING_SIGNED)
def test_an_altered_chunk_is_a_bad_signature(kind: str) -> None:
    trailer = {"x-amz-checksum-crc32": "AAAAAA=="} if kind.endswith("TRAILER") else {}
    request = chunks([b"good", b"more"], trailer, kind=kind)
    with pytest.raises(Refused, match="bad_signature"):
        decoded(replace(request, body=request.body.replace(b"good", b"evil")))
    if trailer:
        with pytest.raises(Refused, match="bad_signature"):
            decoded(replace(request, body=request.body.replace(b"AAAAAA", b"BBBBBB")))


def test_broken_framing_is_an_incomplete_body() -> None:
    whole = chunks([b"data"], {}, kind=sigv4.STREAMING_UNSIGNED)
    for body in (b"", b"zz\r\n", b"5\r\ndata\r\n0\r\n\r\n", b"3\r\ndata\r\n0\r\n\r\n", b"-1\r\n\r\n", b"4\r\ndata\r\n"):
        with pytest.raises(Refused, match="incomplete_body"):
            decoded(replace(whole, body=body))
    with pytest.raises(Refused, match="decoded-content-length"):
        decoded(replace(whole, body=b"2\r\nda\r\n0\r\n\r\n"))
