"""What moto is handed: only requests that botocore's model allows, written from what was read and checked."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import botocore.serialize
from botocore.model import OperationModel

from localaws.core.errors import AwsError
from localaws.core.operations import operation_model
from localaws.gateway.protocol import query
from localaws.gateway.protocol.http import Headers, HttpRequest
from localaws.gateway.protocol.parse import SerializationException, parse
from localaws.gateway.protocol.validate import failures
from localaws.gateway.router import Route
from localaws.moto_bridge.checks import cloudwatch, cognito, glue, iam, laxer, logs, s3, secrets, tokens, wording

#: bytes of a document when its compression is removed.
_LARGEST = 32 * 1024**2
#: what the model cannot say of a service's requests.
_RULES: dict[str, Callable[[str, dict[str, Any], str], None]] = {
    "iam": iam.check,
    "sts": iam.check,
    "glue": glue.check,
    "cloudwatch": cloudwatch.check,
    "logs": logs.check,
    "cognito-idp": cognito.check,
    "secretsmanager": secrets.check,
}


def check(where: Route, request: HttpRequest) -> HttpRequest:
    """
    Check a request; return it as moto shall read it, so that both read the same.

    :raises AwsError: it is malformed, in the words of its service.
    """
    operation = operation_model(where.service, where.operation)
    if where.service == "s3":
        return s3.check(operation, where, request)
    request = _unpacked(operation, request)
    is_form = "x-amz-target" not in request.headers
    parameters = query.parse(operation, request) if is_form else parse(operation, request)
    found = laxer.without_stale(where.service, where.operation, failures(operation, parameters))
    if found:
        raise wording.refusal(where.service, where.operation, found, is_form=is_form)
    tokens.check(where.service, parameters)
    rule = _RULES.get(where.service)
    if rule:
        rule(where.operation, parameters, _region(request))
    return _form(operation, parameters, request) if is_form else _document(operation, parameters, request)


def _region(request: HttpRequest) -> str:
    """Return the region in the signature's scope, by which moto chooses its state."""
    scope = request.headers.get("authorization").partition("Credential=")[2].split("/")
    return scope[2] if len(scope) > 2 else "us-east-1"


def _unpacked(operation: OperationModel, request: HttpRequest) -> HttpRequest:
    """Without the compression that a client may use where the model says so (PutMetricData)."""
    encoding = request.headers.get("content-encoding").lower()
    if not encoding or encoding not in (operation.request_compression or {}).get("encodings", ()):
        return request
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(request.body)) as file:
            body = file.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SerializationException("The body is not compressed as Content-Encoding says.") from error
    if len(body) > _LARGEST:
        raise AwsError("The request is larger than it may be.", code="RequestEntityTooLarge", status=413)
    return replace(request, body=body)


def _document(operation: OperationModel, parameters: dict[str, Any], request: HttpRequest) -> HttpRequest:
    serializer = botocore.serialize.create_serializer("json", include_validation=False)
    body = serializer.serialize_to_request(parameters, operation)["body"]
    version = operation.service_model.metadata["jsonVersion"]
    return _written(request, body, f"application/x-amz-json-{version}")


def _form(operation: OperationModel, parameters: dict[str, Any], request: HttpRequest) -> HttpRequest:
    serializer = botocore.serialize.create_serializer("query", include_validation=False)
    fields = serializer.serialize_to_request(parameters, operation)["body"]
    body = urlencode(fields, errors="strict").encode()
    return _written(replace(request, method="POST"), body, "application/x-www-form-urlencoded; charset=utf-8")


def _written(request: HttpRequest, body: bytes, content_type: str) -> HttpRequest:
    """Return the request with another body, and nothing beside it that moto would read as parameters."""
    headers = request.headers.without("content-type", "content-encoding")
    headers = Headers([*headers, ("Content-Type", content_type)])
    return replace(request, query_string="", headers=headers, body=body)
