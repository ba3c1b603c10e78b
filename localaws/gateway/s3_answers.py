"""What S3 answers today and moto does not: pages of ListBuckets, and the encryption that every object has."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote
from xml.etree import ElementTree

from localaws.core.errors import AwsError
from localaws.gateway.protocol.http import HttpRequest, HttpResponse

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_MOST_BUCKETS = 10_000
#: operations whose answers name the encryption of an object.
_ENCRYPTED = frozenset(
    {
        "CompleteMultipartUpload",
        "CopyObject",
        "CreateMultipartUpload",
        "GetObject",
        "HeadObject",
        "PutObject",
        "UploadPart",
        "UploadPartCopy",
    }
)
_ENCRYPTION = "x-amz-server-side-encryption"
#: of a bucket that none was set for.
_DEFAULT_ENCRYPTION = f"""<?xml version="1.0" encoding="UTF-8"?>
<ServerSideEncryptionConfiguration xmlns="{_NAMESPACE}"><Rule><ApplyServerSideEncryptionByDefault>\
<SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>\
</ServerSideEncryptionConfiguration>"""


class InvalidArgument(AwsError):
    """A parameter is not one that S3 takes."""

    code = "InvalidArgument"
    status = 400


def answered(operation: str, request: HttpRequest, ask: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
    """
    Let moto answer an operation of S3, and complete what it says.

    :param ask: hands a request to moto.
    :raises InvalidArgument: the page does not exist.
    """
    if operation == "ListBuckets":
        return _list_buckets(request, ask)
    response = ask(request)
    if operation in _ENCRYPTED and 200 <= response.status < 300:
        # A client's own key shows in other headers.
        if not any(name.lower().startswith(_ENCRYPTION) for name, _ in response.headers):
            response.headers.append((_ENCRYPTION, "AES256"))
    elif operation == "GetBucketEncryption" and response.status == 404 and _is_unset(response):
        headers = [(name, text) for name, text in response.headers if name.lower() != "content-length"]
        return HttpResponse(200, headers, _DEFAULT_ENCRYPTION.encode())
    return response


def _is_unset(response: HttpResponse) -> bool:
    return isinstance(response.body, bytes) and b"ServerSideEncryptionConfigurationNotFoundError" in response.body


def _list_buckets(request: HttpRequest, ask: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
    query = dict(request.query)
    most = _most(query.pop("max-buckets", ""))
    after = _last_name(query.pop("continuation-token", ""))
    # moto cuts the list, and does not say so.
    unpaged = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query.items())
    response = ask(replace(request, query_string=unpaged))
    if response.status != 200 or not isinstance(response.body, bytes):
        return response
    root = ElementTree.fromstring(response.body)  # noqa: S314 - moto's answer
    buckets = root.find(_tag("Buckets"))
    if buckets is None:
        return response
    names = {bucket: bucket.findtext(_tag("Name")) or "" for bucket in buckets}
    left = sorted((bucket for bucket in buckets if names[bucket] > after), key=lambda bucket: names[bucket])
    buckets[:] = left[:most]
    if "prefix" in query:
        ElementTree.SubElement(root, _tag("Prefix")).text = query["prefix"]
    if len(left) > most:
        last = names[left[most - 1]]
        ElementTree.SubElement(root, _tag("ContinuationToken")).text = base64.urlsafe_b64encode(last.encode()).decode()
    headers = [(name, text) for name, text in response.headers if name.lower() != "content-length"]
    text = ElementTree.tostring(root, encoding="unicode", default_namespace=_NAMESPACE)
    return HttpResponse(200, headers, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode())


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"


def _most(text: str) -> int:
    if not text:
        return _MOST_BUCKETS
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= _MOST_BUCKETS):
        raise InvalidArgument(f"Argument max-buckets must be an integer between 1 and {_MOST_BUCKETS}")
    return int(text)


def _last_name(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode("ascii")).decode("ascii")
    except ValueError as error:
        raise InvalidArgument("The continuation token provided is incorrect") from error
