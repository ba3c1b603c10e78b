"""What no model describes: requests changed as an attacker changes them, beneath the operation's parameters."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Headers = dict[str, str]


@dataclass
class Wire:
    """
    A request before its signature.

    :param after: headers that replace others once it is signed.
    """

    method: str
    target: str
    headers: Headers
    body: bytes
    after: Headers


Attack = Callable[[Wire, random.Random], str]

_HUGE = b"9" * 5000
_NESTED = b"[" * 400 + b"]" * 400
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get", "BREW", "CONNECT")
_TEXTS = ("", " ", "\x7f", "\t", "-1", "0", "1e9", "99999999999999999999", "None", "'", '"', "<a>", "%", "%00", "%zz")
_MORE_TEXTS = (
    "%ff%fe",
    "../..",
    "ü",
    "a" * 5000,
    "a=b&a=c",
    "bytes=0-",
    "*",
    "\u00a0",
    "null",
    "[]",
    "{}",
    ";",
    ",",
    "=",
)


def _text(random: random.Random) -> str:
    return random.choice((*_TEXTS, *_MORE_TEXTS))


def _method(wire: Wire, random: random.Random) -> str:
    wire.method = random.choice(_METHODS)
    return f"method {wire.method}"


# JSON documents


def _json_value(wire: Wire, random: random.Random) -> str:
    """Put a value that is odd as a text of JSON behind one of the document's colons."""
    name, value = random.choice(
        [
            ("a huge number", _HUGE),
            ("a huge fraction", b"1e400"),
            ("minus nothing", b"-0"),
            ("a fraction of many digits", b"0." + b"3" * 5000),
            ("NaN", b"NaN"),
            ("-Infinity", b"-Infinity"),
            ("nested lists", _NESTED),
            ("nested objects", b'{"a":' * 90 + b"1" + b"}" * 90),
            ("half a pair", b'"\\ud83d"'),
            ("NUL", b'"a\\u0000b"'),
            ("a control character", b'"a\x01b"'),
            ("a line break", b'"a\nb"'),
            ("a million letters", b'"' + b"a" * 1_000_000 + b'"'),
            ("an object with an empty name", b'{"":{"":1}}'),
            ("a number in quotes", b'"1"'),
            ("a list of all", b'[null,true,1,"a",{},[]]'),
        ]
    )
    parts = wire.body.split(b":")
    if len(parts) > 1:
        at = random.randrange(1, len(parts))
        end = min((parts[at].find(each) for each in (b",", b"}", b"]") if parts[at].find(each) >= 0), default=0)
        parts[at] = value + parts[at][end:]
        wire.body = b":".join(parts)
    return f"{name} as a value"


def _json_twice(wire: Wire, random: random.Random) -> str:
    first = wire.body[1:].partition(b":")[0]
    if first.startswith(b'"'):
        other = random.choice([b"1", b"null", b'"a"', b"{}", b"[]"])
        wire.body = b"{" + first + b":" + other + b"," + wire.body[1:]
    return "a member twice, of two kinds"


def _json_bytes(wire: Wire, random: random.Random) -> str:
    name, change = random.choice(
        [
            ("a byte order mark", lambda body: b"\xef\xbb\xbf" + body),
            ("UTF-32", lambda body: body.decode("utf-8", "replace").encode("utf-32")),
            ("a comment", lambda body: b"/**/" + body),
            ("single quotes", lambda body: body.replace(b'"', b"'")),
            ("a trailing comma", lambda body: body[:-1] + b",}"),
            ("blanks without end", lambda body: b" " * 500_000 + body),
            ("two documents", lambda body: body + body),
            ("a number alone", lambda body: _HUGE),
        ]
    )
    wire.body = change(wire.body)  # type: ignore[no-untyped-call]
    return str(name)


# Forms


def _form(wire: Wire, random: random.Random) -> str:
    fields = random.choice(
        [
            *("Action=ListUsers", "Action=", "Version=2000-01-01", "Version=", "Tags.member.0.Key=a"),
            *(
                "Tags.member.99999999999999999999.Key=a",
                "Tags.member.-1.Key=a",
                "Tags.member.1.Key.x=a",
                "Tags.member=a",
            ),
            *(
                "Tags=a",
                "Tags.member.1=a&Tags.member.1.Key=b",
                "UserName.x=a",
                "UserName=a&UserName=b",
                "RoleName.member.1=a",
            ),
            *(
                "%ff=%ff",
                "=",
                "&&&",
                "a" * 5000 + "=1",
                ".".join("a" * 70) + "=1",
                "Tags.member.1.Key=%00",
                "MaxItems=1e3",
            ),
            *("MaxItems=%D9%A3", "Marker=%F0%9F%8E%88", "PathPrefix=%0d%0a", "Tag.1.Key=a", "Tags.entry.1.key=a"),
            *(
                "MetricData.member.1.Value=nan",
                "MetricData.member.1.Timestamp=9e99",
                "MetricData.member.1.Values.member.1=inf",
            ),
        ]
    )
    wire.body = b"&".join([fields.encode(), wire.body]) if random.random() < 0.5 else wire.body + b"&" + fields.encode()
    return f"the field {fields[:60]}"


def _form_in_query(wire: Wire, random: random.Random) -> str:
    wire.method, wire.target, wire.body = "GET", "/?" + wire.body.decode("latin-1"), b""
    if not wire.target.isascii() or len(wire.target) > 8000:
        wire.target = "/?Action=ListUsers"
    return "the form as a query"


# Targets and headers of S3

_KEYS = (
    *(
        "..",
        "../a",
        "a/../../b",
        "%2e%2e/%2e%2e/a",
        "a//b",
        "//",
        "%2F%2F",
        ".",
        "./.",
        "%00",
        "a%00b",
        "%0d%0aX:%20y",
        "%ff",
        "%c0%ae",
    ),
    *(
        "%zz",
        "%",
        "a" * 1024,
        "a" * 1025,
        quote("ü" * 512),
        quote("漢" * 400),
        "a?b",
        "a;b=c",
        "%EF%BF%BE",
        "%01%02%1f",
        "a%20",
        "%20",
    ),
    *("?", "~", "a+b", "%2B", "con", "a/" * 500, "soap", "%C2%85", "\\..\\a", "%5c..%5c"),
)
_QUERIES = (
    *(
        "max-keys",
        "max-uploads",
        "max-parts",
        "part-number-marker",
        "partNumber",
        "versionId",
        "uploadId",
        "list-type",
        "marker",
    ),
    *(
        "continuation-token",
        "start-after",
        "delimiter",
        "prefix",
        "encoding-type",
        "key-marker",
        "version-id-marker",
        "upload-id-marker",
    ),
    *(
        "response-content-type",
        "response-content-disposition",
        "response-expires",
        "fetch-owner",
        "x-id",
        "acl",
        "tagging",
        "attributes",
    ),
    *(
        "X-Amz-Expires",
        "X-Amz-Signature",
        "AWSAccessKeyId",
        "torrent",
        "select",
        "website",
        "uploads",
        "legal-hold",
        "retention",
    ),
)
_NAMES = (
    *(
        "x-amz-acl",
        "x-amz-tagging",
        "x-amz-copy-source",
        "x-amz-copy-source-range",
        "x-amz-storage-class",
        "x-amz-checksum-crc32",
    ),
    *(
        "x-amz-checksum-sha256",
        "x-amz-checksum-algorithm",
        "x-amz-sdk-checksum-algorithm",
        "x-amz-meta-a",
        "x-amz-meta-",
        "x-amz-grant-read",
    ),
    *(
        "x-amz-object-lock-mode",
        "x-amz-object-lock-retain-until-date",
        "x-amz-object-lock-legal-hold",
        "x-amz-mfa",
        "x-amz-trailer",
    ),
    *(
        "x-amz-expected-bucket-owner",
        "x-amz-request-payer",
        "x-amz-decoded-content-length",
        "x-amz-website-redirect-location",
    ),
    *(
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-server-side-encryption-customer-algorithm",
    ),
    *(
        "x-amz-bypass-governance-retention",
        "x-amz-object-attributes",
        "x-amz-max-parts",
        "x-amz-write-offset-bytes",
        "x-amz-copy-source-if-match",
    ),
    *(
        "content-md5",
        "content-encoding",
        "content-type",
        "content-language",
        "expires",
        "cache-control",
        "content-disposition",
    ),
    *(
        "range",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-range",
        "date",
        "expect",
        "te",
        "upgrade",
        "x-http-method-override",
    ),
    *(
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-target",
        "x-amz-user-agent",
        "accept",
        "accept-encoding",
        "origin",
        "cookie",
        "referer",
    ),
    *(
        "transfer-encoding-x",
        "x-forwarded-host",
        "x-original-url",
        "smithy-protocol",
        "x-amz-bucket-region",
        "x_amz_acl",
        "x-amzn-trace-id",
    ),
)


def _key(wire: Wire, random: random.Random) -> str:
    path, mark, query = wire.target.partition("?")
    key = random.choice(_KEYS)
    wire.target = f"/{path.lstrip('/').partition('/')[0]}/{key}{mark}{query}"
    return f"the key {key[:40]}"


def _query(wire: Wire, random: random.Random) -> str:
    name = random.choice(_QUERIES)
    value = quote(_text(random), safe="%") if random.random() < 0.8 else ""
    wire.target += ("&" if "?" in wire.target else "?") + f"{name}={value}"
    return f"the query {name}={value[:40]}"


def _header(wire: Wire, random: random.Random) -> str:
    name, value = random.choice(_NAMES), _text(random)
    for known in [each for each in wire.headers if each.lower() == name]:
        del wire.headers[known]
    wire.headers[name] = value
    return f"the header {name}: {value[:40]!r}"


def _chunks(wire: Wire, random: random.Random) -> str:
    """A body in signed chunks whose signatures, sizes or trailer are none."""
    body = wire.body or b"abc"
    signature, size = (
        random.choice([b"0" * 64, b"", b"z" * 64, b"\xff" * 64]),
        random.choice([b"%x" % len(body), b"-1", b"ffffffff"]),
    )
    wire.body = (
        size + b";chunk-signature=" + signature + b"\r\n" + body + b"\r\n0;chunk-signature=" + signature + b"\r\n\r\n"
    )
    kind = random.choice(
        [
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
        ]
    )
    wire.headers["x-amz-content-sha256"] = kind
    wire.headers["content-encoding"] = "aws-chunked"
    wire.headers["x-amz-decoded-content-length"] = random.choice([str(len(body)), "-1", "0", "x", str(2**70)])
    if random.random() < 0.5:
        wire.headers["x-amz-trailer"] = random.choice(
            ["x-amz-checksum-crc32", "x-amz-checksum-nosuch", "content-length", ""]
        )
        wire.body = wire.body[:-2] + b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    return f"chunks of {kind}"


def _document(wire: Wire, random: random.Random) -> str:
    """XML that is well-formed and not the operation's, or not well-formed."""
    wire.body = random.choice(
        [
            *(
                b"<a/>",
                b"<Tagging/>",
                b"<Tagging><TagSet><Tag/></TagSet></Tagging>",
                b"<Delete><Object/></Delete>",
                b"<\xff/>",
            ),
            *(
                b"<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
                b"<Delete><Object><Key/></Object></Delete>",
            ),
            *(
                b"<CompleteMultipartUpload><Part/></CompleteMultipartUpload>",
                b"<CompleteMultipartUpload/>",
                b"<a>&#0;</a>",
            ),
            *(
                b"<CompleteMultipartUpload><Part><PartNumber>-1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
            ),
            *(
                b'<?xml version="1.0" encoding="utf-7"?><a/>',
                b'<?xml version="1.0" encoding="no-such"?><a/>',
                b"<a>&e;</a>",
            ),
            *(
                b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
                b"<![CDATA[a]]>",
                b"<a:b/>",
                b"<a" * 5000,
            ),
            *(
                b"<VersioningConfiguration><Status>On</Status></VersioningConfiguration>",
                b"<a>" * 70 + b"</a>" * 70,
                b"\x00",
            ),
            *(b"<AccessControlPolicy><Owner/></AccessControlPolicy>", b"<Retention><Mode>X</Mode></Retention>"),
        ]
    )
    return f"the document {wire.body[:50]!r}"


# Signatures


def _signature(wire: Wire, random: random.Random) -> str:
    wire.after = random.choice(
        [
            {"Authorization": value}
            for value in (
                *(
                    "AWS4-HMAC-SHA256",
                    "AWS4-HMAC-SHA256 Credential=",
                    "AWS4-HMAC-SHA256 Credential=////,SignedHeaders=,Signature=",
                ),
                *(
                    "AWS4-HMAC-SHA256 Credential=a/b/c/s3/aws4_request, SignedHeaders=host, Signature=" + "0" * 64,
                    "Bearer a",
                    "Basic !",
                ),
                *(
                    "AWS a:b",
                    "AWS4-ECDSA-P256-SHA256 Credential=a",
                    "",
                    " ",
                    "AWS4-HMAC-SHA256 " + "a" * 5000,
                    "Negotiate \xff",
                ),
            )
        ]
        + [{"X-Amz-Date": value} for value in ("20240101T000000Z", "never", "", "99999999T999999Z", "20240101")]
        + [{"x-amz-content-sha256": value} for value in ("UNSIGNED-PAYLOAD", "", "0" * 64, "x")]
    )
    return f"after the signature {wire.after}"[:120]


_SHARED: tuple[Attack, ...] = (_method, _header, _signature, _query)
_BY_PROTOCOL: dict[str, tuple[Attack, ...]] = {
    "json": (_json_value, _json_value, _json_value, _json_twice, _json_bytes),
    "rest-json": (_json_value, _json_value, _json_bytes, _key),
    "query": (_form, _form, _form, _form_in_query),
    "rest-xml": (_key, _key, _query, _query, _header, _header, _chunks, _document),
}


def attacks(protocol: str, random: random.Random) -> Iterator[Attack]:
    """Yield one or two changes for a request of a protocol."""
    kinds: list[Any] = [*_SHARED, *_BY_PROTOCOL.get(protocol, ())]
    yield random.choice(kinds)
    if random.random() < 0.3:
        yield random.choice(kinds)
