"""From an HTTP request to the operation's input in boto3's shape, for the json, rest-json and rest-xml protocols."""

from __future__ import annotations

import base64
import binascii
import json
import math
import sys
from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from localaws.core.errors import AwsError
from localaws.gateway.protocol import query, scalars, timestamps, xml
from localaws.gateway.protocol.http import HttpRequest

_INTEGERS = {"integer": "Integer", "long": "Long"}
_FRACTIONS = {"float": "Float", "double": "Double"}
#: no model's input nests this deep, and a recursive one must not exhaust the stack.
_DEEPEST = 100


class SerializationException(AwsError):
    """The body is not what the operation's input can be read from."""

    code = "SerializationException"
    status = 400


def parse(operation: OperationModel, http: HttpRequest, uri: Mapping[str, str] | None = None) -> dict[str, Any]:
    """
    Parse the input of ``operation``: typed, not yet validated.

    Absent members (and JSON ``null``) are absent; members that the model does not know are dropped, as AWS does.

    :param uri: the decoded labels of the request's path (rest-json).
    :raises SerializationException: malformed JSON, or a value of another type than the model's.
    """
    shape = operation.input_shape
    if shape is None:
        return {}
    if operation.service_model.resolved_protocol == "query":
        return query.parse(operation, http)
    if operation.service_model.resolved_protocol == "json":
        return _structure(shape, _document(http.body))
    return _rest(operation, shape, http, uri or {})


def _document(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        document = json.loads(body.decode(), parse_constant=_refuse_constant, parse_float=_finite)
        # Half of a surrogate pair is no character: nothing that it went into could be written down.
        if b"\\u" in body:
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise SerializationException(f"Could not parse the request body as JSON: {error}") from error
    if not isinstance(document, dict):
        raise SerializationException("Start of structure or map found where not expected.")
    if body.count(b"{") + body.count(b"[") > _DEEPEST and _depth(document) > _DEEPEST:
        raise SerializationException("The document nests too deep.")
    return document


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is out of range")
    return number


def _depth(document: Any) -> int:
    depth, level = 0, [document]
    while level:
        depth += 1
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
    return depth


def _rest(
    operation: OperationModel, shape: StructureShape, http: HttpRequest, uri: Mapping[str, str]
) -> dict[str, Any]:
    result = _rest_body(shape, http.body, as_xml=operation.service_model.resolved_protocol == "rest-xml")
    query = _grouped(http.query)
    for name, member in shape.members.items():
        value = _located(member, member.serialization.get("name", name), http, uri, query)
        if value is not None:
            result[name] = value
    return result


def _rest_body(shape: StructureShape, body: bytes, *, as_xml: bool) -> dict[str, Any]:
    payload = shape.serialization.get("payload")
    if payload is None:
        # Of S3's operations with a document each names it as its payload.
        if as_xml:
            return {}
        names = {name for name, member in shape.members.items() if "location" not in member.serialization}
        return _structure(shape, _document(body), only=names) if names else {}
    if not body and payload not in shape.required_members:
        return {}
    member = shape.members[payload]
    if member.type_name == "blob":
        return {payload: body}
    if member.type_name == "string":
        try:
            return {payload: body.decode()}
        except UnicodeDecodeError as error:
            raise SerializationException("The body is not UTF-8") from error
    if as_xml:
        return {payload: xml.parse(member, member.serialization.get("name", payload), body)}
    return {payload: _structure(member, _document(body))}


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def _located(
    member: Shape, wire_name: str, http: HttpRequest, uri: Mapping[str, str], query: dict[str, list[str]]
) -> Any:
    """Return the value of a member that travels outside the body, or ``None``."""
    place = member.serialization.get("location")
    if place == "uri":
        return _text(member, uri[wire_name]) if wire_name in uri else None
    if place == "querystring":
        return _query_value(member, wire_name, query)
    if place == "header":
        return _header_value(member, http, wire_name.lower())
    if place == "headers":
        prefix = wire_name.lower()
        return {name[len(prefix) :]: value for name, value in http.headers if name.lower().startswith(prefix)}
    return None


def _query_value(member: Shape, wire_name: str, query: dict[str, list[str]]) -> Any:
    if isinstance(member, MapShape):
        return {name: values[0] for name, values in query.items()} or None
    if wire_name not in query:
        return None
    if isinstance(member, ListShape):
        return [_text(member.member, value) for value in query[wire_name]]
    return _text(member, query[wire_name][0])


def _header_value(member: Shape, http: HttpRequest, wire_name: str) -> Any:
    if wire_name not in http.headers:
        return None
    value = http.headers.get(wire_name)
    if isinstance(member, ListShape):
        return [_text(member.member, part.strip()) for part in value.split(",")]
    if member.serialization.get("jsonvalue"):
        try:
            return json.loads(base64.b64decode(value, validate=True))
        except (ValueError, binascii.Error) as error:
            raise SerializationException(f"The header {wire_name} is not base64 of JSON") from error
    return _text(member, value)


def _text(shape: Shape, text: str) -> Any:
    """Parse a value of a URI label, query parameter or header, by its shape."""
    try:
        return scalars.parse(shape, text)
    except ValueError as error:
        raise SerializationException(f"{text!r} can not be converted to {_article(shape.type_name)}") from error


def _article(kind: str) -> str:
    name = {**_INTEGERS, **_FRACTIONS}.get(kind, kind.capitalize())
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"


def _value(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        return value if shape.is_document_type else _structure(shape, value)
    if isinstance(shape, ListShape):
        return _list(shape, value)
    if isinstance(shape, MapShape):
        return _map(shape, value)
    return _scalar(shape, value)


def _structure(shape: StructureShape, value: Any, only: set[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SerializationException(f"{_token(value)} can not be converted to a structure")
    result = {}
    for name, member in shape.members.items():
        if only is not None and name not in only:
            continue
        found = value.get(member.serialization.get("name", name))
        if found is not None:
            result[name] = _value(member, found)
    return result


def _list(shape: ListShape, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise SerializationException(f"{_token(value)} can not be converted to a list")
    # A null in a list is kept for the validation to name.
    return [None if item is None else _value(shape.member, item) for item in value]


def _map(shape: MapShape, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SerializationException(f"{_token(value)} can not be converted to a map")
    return {key: None if item is None else _value(shape.value, item) for key, item in value.items()}


def _scalar(shape: Shape, value: Any) -> Any:
    kind = shape.type_name
    if kind in ("string", "character"):
        return _expect(value, str, "a String")
    if kind == "boolean":
        return _expect(value, bool, "a Boolean")
    if isinstance(value, bool):
        raise SerializationException(f"{_token(value)} can not be converted to {_article(kind)}")
    if kind in _INTEGERS:
        return _integer(value, kind)
    if kind in _FRACTIONS:
        return float(_fraction(value, kind))
    if kind == "timestamp":
        return _timestamp(value)
    return _blob(value)


def _expect(value: Any, python_type: type, name: str) -> Any:
    if not isinstance(value, python_type):
        raise SerializationException(f"{_token(value)} can not be converted to {name}")
    return value


def _integer(value: Any, kind: str) -> int:
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    try:
        return scalars.bounded(kind, _expect(number, int, _article(kind)))
    except ValueError as error:
        raise SerializationException(f"{_token(value)} can not be converted to {_article(kind)}") from error


def _fraction(value: Any, kind: str) -> float:
    # AWS's JSON writes the three non-numbers as strings.
    if value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if not isinstance(value, int | float) or abs(value) > sys.float_info.max:
        raise SerializationException(f"{_token(value)} can not be converted to {_article(kind)}")
    return value


def _timestamp(value: Any) -> Any:
    if isinstance(value, str | int | float):
        try:
            return timestamps.parse(value)
        except ValueError as error:
            raise SerializationException(f"{value!r} can not be converted to a Timestamp") from error
    raise SerializationException(f"{_token(value)} can not be converted to a Timestamp")


def _blob(value: Any) -> bytes:
    try:
        return base64.b64decode(_expect(value, str, "a Blob"), validate=True)
    except (ValueError, binascii.Error) as error:
        raise SerializationException("The value is not base64") from error


def _token(value: Any) -> str:
    """Name a value as AWS's JSON reader does one that it did not expect."""
    if isinstance(value, bool):
        return f"{str(value).upper()}_VALUE"
    if isinstance(value, str):
        return "STRING_VALUE"
    if isinstance(value, int | float):
        return "NUMBER_VALUE"
    return "START_OBJECT" if isinstance(value, dict) else "START_ARRAY"
