"""S3: documents, headers and query, each in S3's own words."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import botocore.serialize
from botocore.model import OperationModel, Shape

from localaws.core.errors import AwsError
from localaws.gateway.protocol import scalars, timestamps
from localaws.gateway.protocol.http import Headers, HttpRequest
from localaws.gateway.protocol.parse import SerializationException, parse
from localaws.gateway.protocol.validate import Failure, failures
from localaws.gateway.protocol.xml import MalformedXML
from localaws.gateway.router import Route
from localaws.moto_bridge.checks import laxer, policies, s3_rules
from localaws.moto_bridge.checks.s3_rules import InvalidArgument

#: the names in a query that stand for a part of a bucket or an object. A request names one.
_SUBRESOURCES = frozenset(
    [
        "accelerate",
        "acl",
        "analytics",
        "attributes",
        "cors",
        "delete",
        "encryption",
        "intelligent-tiering",
        "inventory",
        "legal-hold",
        "lifecycle",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "replication",
        "requestPayment",
        "restore",
        "retention",
        "select",
        "tagging",
        "torrent",
        "uploads",
        "versioning",
        "versions",
        "website",
    ]
)
#: RFC 9110: a recipient ignores a condition whose date is none. Expires is any text to S3.
_DATES = (
    "if-modified-since",
    "if-unmodified-since",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-unmodified-since",
)
#: of several ranges S3 answers none, but the whole object.
_RANGE = re.compile(r"bytes=(\d{1,18}-\d{0,18}|-\d{1,18})")
#: a header whose value S3 refuses in a way of its own -> code and message.
_HEADERS = {
    "x-amz-storage-class": ("InvalidStorageClass", "The storage class you specified is not valid"),
    "x-amz-server-side-encryption": (
        "InvalidEncryptionAlgorithmError",
        "The encryption request you specified is not valid. The valid value is AES256.",
    ),
    "x-amz-metadata-directive": ("InvalidArgument", "Unknown metadata directive."),
    "x-amz-tagging-directive": ("InvalidArgument", "Unknown tagging directive."),
    "x-amz-object-attributes": ("InvalidArgument", "Invalid attribute name specified."),
    "x-amz-checksum-algorithm": ("InvalidRequest", "Value for x-amz-checksum-algorithm header is invalid."),
    "x-amz-sdk-checksum-algorithm": ("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid."),
    "encoding-type": ("InvalidArgument", "Invalid Encoding Method specified in Request"),
}


def check(operation: OperationModel, where: Route, request: HttpRequest) -> HttpRequest:
    """
    Return the request with its document written again.

    :raises AwsError: it is malformed.
    """
    request = _without_ignored(request)
    _one_subresource(operation, request)
    try:
        # Expires is any text to S3, whatever the model says.
        parameters = parse(operation, replace(request, headers=request.headers.without("expires")), where.uri)
    except SerializationException as error:
        raise _unreadable(operation, request) or InvalidArgument(error.message) from error
    if "ChecksumMode" in parameters:
        # Clients of the C++ SDK (pyarrow) write enabled.
        parameters["ChecksumMode"] = parameters["ChecksumMode"].upper()
    found = laxer.without_stale("s3", operation.name, failures(operation, parameters))
    if found:
        raise _refusal(operation, found)
    s3_rules.check(operation.name, parameters, request)
    return _rewritten(operation, parameters, request)


def _without_ignored(request: HttpRequest) -> HttpRequest:
    """Without conditions and ranges that S3 passes over, since it cannot read them."""
    ignored = {name for name in _DATES if name in request.headers and not _is_date(request.headers.get(name))}
    if "range" in request.headers and not _RANGE.fullmatch(request.headers.get("range")):
        ignored.add("range")
    return replace(request, headers=request.headers.without(*ignored)) if ignored else request


def _is_date(text: str) -> bool:
    try:
        timestamps.parse(text)
    except ValueError:
        return False
    return True


def _one_subresource(operation: OperationModel, request: HttpRequest) -> None:
    """moto tells operations apart by the query alone: it must name what the route was found by, and nothing else."""
    named = sorted({name for name, _ in request.query} & _SUBRESOURCES)
    if len(named) > 1:
        raise InvalidArgument(
            f"Conflicting query string parameters: {', '.join(named)}",
            ArgumentName="ResourceType",
            ArgumentValue=named[0],
        )
    own = {name for name, _ in parse_qsl(operation.http["requestUri"].partition("?")[2], keep_blank_values=True)}
    for name in named:
        if name not in own:
            raise InvalidArgument(
                f"This operation does not accept the query parameter {name}.",
                ArgumentName="ResourceType",
                ArgumentValue=name,
            )


def _unreadable(operation: OperationModel, request: HttpRequest) -> AwsError | None:
    """Return S3's answer to a query parameter that should be a number and is not."""
    query = dict(request.query)
    for member in operation.input_shape.members.values() if operation.input_shape else ():
        name = member.serialization.get("name")
        if member.serialization.get("location") == "querystring" and name in query and member.type_name == "integer":
            try:
                scalars.parse(member, query[name])
            except ValueError:
                message = f"Provided {name} not an integer or within integer range"
                return InvalidArgument(message, ArgumentName=name, ArgumentValue=query[name])
    return None


def _refusal(operation: OperationModel, found: list[Failure]) -> AwsError:
    assert operation.input_shape is not None
    members = {name[0].lower() + name[1:]: member for name, member in operation.input_shape.members.items()}
    member = members[found[0].at.partition(".")[0]]
    if "location" not in member.serialization:
        return _no_document(member) if found[0].missing and "." not in found[0].at else MalformedXML()
    wire_name = str(member.serialization.get("name", ""))
    code, message = _HEADERS.get(wire_name.lower(), ("InvalidArgument", found[0].text))
    return AwsError(message, code=code, status=400, ArgumentName=wire_name)


def _no_document(member: Shape) -> AwsError:
    if member.type_name == "string":
        return policies.MalformedPolicy("Policies must be valid JSON and the first byte must be '{'")
    return AwsError("Request Body is empty", code="MissingRequestBodyError", status=400)


def _rewritten(operation: OperationModel, parameters: dict[str, Any], request: HttpRequest) -> HttpRequest:
    """Write the document as botocore would: moto finds elements by their places, where this one may differ."""
    shape = operation.input_shape
    payload = shape.serialization.get("payload") if shape else None
    if shape is None or payload not in parameters or shape.members[payload].type_name != "structure":
        return request
    _check_digest(request)
    serializer = botocore.serialize.create_serializer("rest-xml", include_validation=False)
    body = serializer.serialize_to_request({**parameters, "Bucket": "b"}, operation)["body"]
    headers = [*request.headers.without("content-type"), ("Content-Type", "application/xml")]
    return replace(request, headers=Headers(headers), body=body)


def _check_digest(request: HttpRequest) -> None:
    """Check the Content-MD5 of a document. Of an object moto checks it."""
    if "content-md5" not in request.headers:
        return
    digest = base64.b64encode(hashlib.md5(request.body, usedforsecurity=False).digest()).decode()
    if request.headers.get("content-md5").strip() != digest:
        raise AwsError("The Content-MD5 you specified did not match what we received.", code="BadDigest", status=400)
