"""From a handler's answer, or error, to XML, for the query protocol (IAM, STS, CloudWatch)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from localaws.core.errors import AwsError
from localaws.gateway.protocol import timestamps
from localaws.gateway.protocol.http import HttpResponse


def serialize(operation: OperationModel, answer: dict[str, Any], request_id: str) -> HttpResponse:
    """Write the response to ``operation``, without members that are ``None`` or that the model does not know."""
    shape, name = operation.output_shape, operation.name
    result = ""
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", f"{name}Result")
        result = _element(wrapper, _structure(shape, answer))
    namespace = operation.service_model.metadata.get("xmlNamespace", "")
    metadata = _element("ResponseMetadata", _element("RequestId", escape(request_id)))
    return _response(200, f'<{name}Response xmlns="{namespace}">{result}{metadata}</{name}Response>', request_id)


def serialize_error(error: AwsError, request_id: str) -> HttpResponse:
    """Write the response for an error."""
    kind = "Receiver" if error.status >= 500 else "Sender"
    told = _element("Type", kind) + _element("Code", escape(error.code)) + _element("Message", escape(error.message))
    body = _element("ErrorResponse", _element("Error", told) + _element("RequestId", escape(request_id)))
    return _response(error.status, body, request_id)


def _response(status: int, body: str, request_id: str) -> HttpResponse:
    headers = [("Content-Type", "text/xml"), ("x-amzn-RequestId", request_id)]
    return HttpResponse(status, headers, f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode())


def _element(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>"


def _structure(shape: StructureShape, answer: dict[str, Any]) -> str:
    return "".join(
        _member(member.serialization.get("name", name), member, answer[name])
        for name, member in shape.members.items()
        if answer.get(name) is not None
    )


def _member(name: str, shape: Shape, value: Any) -> str:
    if isinstance(shape, ListShape):
        return _list(name, shape, value)
    if isinstance(shape, MapShape):
        return _element(name, "".join(_entries(shape, value)))
    if isinstance(shape, StructureShape):
        return _element(name, _structure(shape, value))
    return _element(name, escape(_text(shape, value)))


def _list(name: str, shape: ListShape, items: list[Any]) -> str:
    if shape.serialization.get("flattened"):
        return "".join(_member(name, shape.member, item) for item in items)
    inner = shape.member.serialization.get("name", "member")
    return _element(name, "".join(_member(inner, shape.member, item) for item in items))


def _entries(shape: MapShape, entries: dict[str, Any]) -> Iterator[str]:
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    for key, value in entries.items():
        yield _element("entry", _element(key_name, escape(key)) + _member(value_name, shape.value, value))


def _text(shape: Shape, value: Any) -> str:
    if shape.type_name == "timestamp":
        return str(timestamps.encode(shape, value, "querystring"))
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    if shape.type_name == "boolean":
        return str(bool(value)).lower()
    return str(value)
