"""From a handler's answer, or error, to an HTTP response, for the json, rest-json and query protocols."""

from __future__ import annotations

import base64
import json
import math
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from localaws.core.errors import AwsError
from localaws.gateway.protocol import query_answer, timestamps
from localaws.gateway.protocol.http import HttpResponse


def serialize(operation: OperationModel, answer: dict[str, Any], request_id: str) -> HttpResponse:
    """
    Write the response to ``operation``, without members that are ``None`` or that the model does not know.

    :raises TypeError: a member's value does not fit the model: a fault of the handler.
    """
    if operation.service_model.resolved_protocol == "query":
        return query_answer.serialize(operation, answer, request_id)
    shape = operation.output_shape
    if operation.service_model.resolved_protocol == "json":
        document = _structure(shape, answer) if shape else {}
        return HttpResponse(200, _headers(_json_type(operation), request_id), _dumps(document))
    status, headers, body, content_type = _rest(shape, answer, operation)
    return HttpResponse(status, _headers(content_type, request_id) + headers, body)


def serialize_error(operation: OperationModel, error: AwsError, request_id: str) -> HttpResponse:
    """Write the response for an error; members of its modelled shape go where the model puts them."""
    if operation.service_model.resolved_protocol == "query":
        return query_answer.serialize_error(error, request_id)
    shape = _error_shape(operation, error.code)
    message_name = "message"
    if shape is not None:
        message_name = next((name for name in shape.members if name.lower() == "message"), "message")
    values = {message_name: error.message, **error.members}
    document = _structure(shape, values) if shape is not None else {}
    document.setdefault(message_name, error.message)
    is_json = operation.service_model.resolved_protocol == "json"
    return error_response(error, document, _json_type(operation) if is_json else "application/json", request_id)


def error_response(
    error: AwsError,
    document: dict[str, Any] | None = None,
    content_type: str = "application/json",
    request_id: str = "",
) -> HttpResponse:
    """Write an error in JSON where no operation is known: clients of both JSON protocols find code and message."""
    body = {"__type": error.code, **(document if document is not None else {"message": error.message})}
    headers = _headers(content_type, request_id)
    headers.append(("x-amzn-ErrorType", error.code))
    return HttpResponse(error.status, headers, _dumps(body))


def _error_shape(operation: OperationModel, code: str) -> StructureShape | None:
    for shape in operation.error_shapes:
        if code in (shape.name, shape.metadata.get("error", {}).get("code")):
            return shape
    return None


def _json_type(operation: OperationModel) -> str:
    version = operation.service_model.metadata.get("jsonVersion", "1.1")
    return f"application/x-amz-json-{version}"


def _headers(content_type: str, request_id: str) -> list[tuple[str, str]]:
    return [("Content-Type", content_type), ("x-amzn-RequestId", request_id)]


def _dumps(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def _rest(
    shape: StructureShape | None, answer: dict[str, Any], operation: OperationModel
) -> tuple[int, list[tuple[str, str]], bytes, str]:
    """Return status, headers, body and content type of a rest-json answer."""
    status = int(operation.http.get("responseCode", 200))
    if shape is None:
        return status, [], b"", "application/json"
    headers: list[tuple[str, str]] = []
    content_type = _usual_type(shape)
    for name, member in shape.members.items():
        value = answer.get(name)
        place = member.serialization.get("location")
        if value is None or place is None:
            continue
        wire_name = member.serialization.get("name", name)
        if place == "statusCode":
            status = int(value)
        elif place == "headers":
            headers += [(f"{wire_name}{key}", str(item)) for key, item in value.items()]
        elif wire_name.lower() == "content-type":
            content_type = str(value)
        else:
            headers.append((wire_name, _header_text(member, value)))
    return status, headers, _rest_body(shape, answer), content_type


def _usual_type(shape: StructureShape) -> str:
    payload = shape.members.get(shape.serialization.get("payload"))
    return "application/octet-stream" if payload is not None and payload.type_name == "blob" else "application/json"


def _rest_body(shape: StructureShape, answer: dict[str, Any]) -> bytes:
    payload = shape.serialization.get("payload")
    if payload is None:
        members = {name for name, member in shape.members.items() if "location" not in member.serialization}
        return _dumps(_structure(shape, {name: value for name, value in answer.items() if name in members}))
    value = answer.get(payload)
    if value is None:
        return b""
    if shape.members[payload].type_name == "blob":
        return value if isinstance(value, bytes) else str(value).encode()
    if shape.members[payload].type_name == "string":
        return str(value).encode()
    return _dumps(_value(shape.members[payload], value))


def _header_text(member: Shape, value: Any) -> str:
    if isinstance(value, datetime):
        return str(timestamps.encode(member, value, "header"))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(member, ListShape):
        return ",".join(_header_text(member.member, item) for item in value)
    if member.serialization.get("jsonvalue"):
        return base64.b64encode(_dumps(value)).decode()
    return str(value)


def _value(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        return value if shape.is_document_type else _structure(shape, value)
    if isinstance(shape, ListShape):
        return [None if item is None else _value(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: _value(shape.value, item) for key, item in value.items() if item is not None}
    return _scalar(shape, value)


def _structure(shape: StructureShape, answer: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise TypeError(f"{shape.name} is a structure, not {answer!r}")
    return {
        member.serialization.get("name", name): _value(member, answer[name])
        for name, member in shape.members.items()
        if answer.get(name) is not None
    }


def _scalar(shape: Shape, value: Any) -> Any:
    kind = shape.type_name
    if kind == "timestamp":
        return timestamps.encode(shape, value if isinstance(value, datetime) else timestamps.parse(value))
    if kind == "blob":
        return base64.b64encode(value if isinstance(value, bytes) else str(value).encode()).decode()
    if kind in ("integer", "long"):
        return int(value)
    if kind in ("float", "double"):
        return _fraction(float(value))
    if kind == "boolean":
        return bool(value)
    return str(value)


def _fraction(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value
