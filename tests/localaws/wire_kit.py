"""Generated values for botocore's shapes, and requests as botocore itself would send them."""

from __future__ import annotations

import random
import string
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import botocore.awsrequest
import botocore.serialize
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from localaws.gateway.protocol.http import Headers, HttpRequest

_LETTERS = string.ascii_letters + string.digits + " _-./:üß漢🎈\"'\\\n"


class Generator:
    """Makes values that have the type of a shape, seeded; every optional member is there three times out of four."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def value(self, shape: Shape, depth: int = 0) -> Any:
        """A value of the shape; deep structures are cut, since some shapes contain themselves."""
        if isinstance(shape, StructureShape):
            if shape.is_document_type:
                return {"free": ["form", 1, True]}
            return self._structure(shape, depth)
        if isinstance(shape, ListShape):
            count = 0 if depth > 5 else self._random.randint(1, 2)
            return [self.value(shape.member, depth + 1) for _ in range(count)]
        if isinstance(shape, MapShape):
            count = 0 if depth > 5 else self._random.randint(1, 2)
            return {self._key(shape.key, n): self.value(shape.value, depth + 1) for n in range(count)}
        return self._scalar(shape)

    def _structure(self, shape: StructureShape, depth: int) -> dict[str, Any]:
        if shape.metadata.get("union") or shape.is_tagged_union:
            name = self._random.choice(list(shape.members))
            return {name: self.value(shape.members[name], depth + 1)}
        chosen = {}
        for name, member in shape.members.items():
            needed = name in shape.required_members or member.serialization.get("location") == "uri"
            if needed or (depth < 4 and self._random.random() < 0.75):
                chosen[name] = self.value(member, depth + 1)
        return chosen

    def _key(self, shape: Shape, number: int) -> str:
        choices = getattr(shape, "enum", None)
        return choices[number % len(choices)] if choices else f"key-{number}"

    def _scalar(self, shape: Shape) -> Any:
        kind = shape.type_name
        if kind in ("string", "character"):
            choices = getattr(shape, "enum", None)
            if choices:
                return self._random.choice(choices)
            return "".join(self._random.choice(_LETTERS) for _ in range(self._random.randint(1, 12)))
        if kind in ("integer", "long"):
            return self._random.randint(-(2**31), 2**31)
        if kind in ("float", "double"):
            return self._random.choice([0.5, -3.25, 1e10, 12345.6789])
        if kind == "boolean":
            return self._random.random() < 0.5
        if kind == "timestamp":
            return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._random.randint(0, 10**7))
        assert kind == "blob", kind
        return self._random.randbytes(self._random.randint(0, 20))


def simple_headers(shape: Shape | None, value: dict[str, Any]) -> dict[str, Any]:
    """The value with header members cut down to what a header can carry."""
    if not isinstance(shape, StructureShape):
        return value
    for name, member in shape.members.items():
        if name in value and member.serialization.get("location") in ("header", "headers", "uri", "querystring"):
            value[name] = _plain(member, value[name])
    return value


def _plain(member: Shape, value: Any) -> Any:
    if isinstance(value, str) and not getattr(member, "enum", None):
        return "".join(letter for letter in value if letter in string.ascii_letters) or "x"
    if isinstance(value, list):
        return [_plain(member.member, item) for item in value]  # type: ignore[attr-defined]
    return value


def as_sent(operation: OperationModel, value: dict[str, Any]) -> HttpRequest:
    """The request that botocore makes of ``value``, as the server would read it."""
    serializer = botocore.serialize.create_serializer(operation.service_model.resolved_protocol, False)
    made = serializer.serialize_to_request(value, operation)
    request_dict = {**made, "context": {}}
    botocore.awsrequest.prepare_request_dict(request_dict, endpoint_url="http://127.0.0.1:4566")
    prepared = botocore.awsrequest.create_request_object(request_dict).prepare()
    url = urlsplit(prepared.url)
    body = prepared.body or b""
    if not isinstance(body, bytes):
        body = body.encode() if isinstance(body, str) else body.read()
    headers = [(name, item.decode() if isinstance(item, bytes) else item) for name, item in prepared.headers.items()]
    return HttpRequest(prepared.method, url.path or "/", url.query, Headers(headers), body)
