"""Hypothesis strategies: a plausible request of an operation with one fault in it."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import regex
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from hypothesis import strategies as st

from localaws.core.operations import operation_model

Parameters = dict[str, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

#: texts that patterns of the models ask for; the first that fits is taken.
_CANDIDATES = (
    *(
        "a",
        "ab",
        "abc-1",
        "abcdefgh",
        "aA1!aA1!aA1!aA1!",
        "1",
        "10",
        "s3://malformed/key",
        "https://a.example/a",
        "/a/",
    ),
    *("arn:aws:iam::123456789012:role/malformed", "arn:aws:sagemaker:us-east-1:123456789012:model/a", "123456789012"),
    *("arn:aws:s3:::malformed", "arn:aws:glue:us-east-1:123456789012:database/malformed", "us-east-1_abcdefghi"),
    *(
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/a:1",
        "ml.m5.large",
        "arn:aws:lambda:us-east-1:123456789012:function:a",
    ),
    *(
        "2024-01-01T00:00:00Z",
        "P1D",
        "a@b.example",
        "+15555550100",
        "text/csv",
        "a=b",
        "subnet-12345678",
        "sg-12345678",
    ),
)
#: texts that every service must take or refuse, and never fall over.
_ODD = (
    *(
        "",
        " ",
        "\x00",
        "\x1b[31m",
        "\u202e\ufeff",
        "漢字🎈",
        "ñ" * 300,
        "../../etc/passwd",
        "%00%2e%2e",
        "None",
        "null",
        "{}",
    ),
    *(
        "[]",
        "'\"<>&;--",
        "${jndi:x}",
        "{{7*7}}",
        "\n\r\t",
        "-1",
        "1e999",
        "arn:",
        "arn:aws:iam::1:x",
        "a" * 3000,
        "/",
        "true",
    ),
)
_DEEP = 3000


@dataclass
class Case:
    """
    One request.

    :param fault: what is wrong with it, in words.
    :param forbidden: whether the model forbids it, so that a success would be wrong.
    :param damage: what becomes of the encoded body.
    """

    service: str
    operation: str
    parameters: Parameters
    fault: str
    forbidden: bool
    headers: dict[str, str] = field(default_factory=dict)
    damage: Callable[[bytes], bytes] | None = None


class Place(NamedTuple):
    """A member of the drawn parameters: ``holder[key]`` is of ``shape``."""

    holder: Any
    key: Any
    shape: Shape
    required: bool
    #: the path, and where its top member travels: body, header, querystring, uri.
    path: str
    location: str


@st.composite
def case(draw: Draw, service: str, operation: str, known: dict[str, Any]) -> Case:
    """A request with one fault: of a member, or of the whole document."""
    model = operation_model(service, operation)
    parameters = _structure(draw, model.input_shape, known, 0) if model.input_shape else {}
    places = list(_places(model, parameters))
    if not places or draw(st.integers(0, 5)) == 0:
        return _of_document(draw, model, service, parameters)
    place = draw(st.sampled_from(places))
    faults = list(_faults(model, place))
    if not faults:
        return _of_document(draw, model, service, parameters)
    name, value, forbidden = draw(st.sampled_from(faults))
    if value is _GONE:
        del place.holder[place.key]
    else:
        place.holder[place.key] = value
    return Case(service, operation, parameters, f"{place.path} {name}", forbidden)


# Plausible values


def _structure(draw: Draw, shape: StructureShape, known: dict[str, Any], depth: int) -> Parameters:
    required = set(shape.required_members)
    chance = (40, 25, 10, 0)[min(depth, 3)]
    result = {}
    for name, member in shape.members.items():
        if depth < 8 and (name in required or draw(st.integers(0, 99)) < chance):
            result[name] = _value(draw, name, member, known, depth + 1)
    return result


def _value(draw: Draw, name: str, shape: Shape, known: dict[str, Any], depth: int) -> Any:
    if name in known and draw(st.integers(0, 9)) < 9:
        value = known[name]
        if isinstance(value, str) == (shape.type_name == "string"):
            return value
    if isinstance(shape, StructureShape):
        return {"free": "form"} if shape.is_document_type else _structure(draw, shape, known, depth)
    if isinstance(shape, ListShape):
        count = max(int(shape.metadata.get("min", 0)), draw(st.integers(0, 2)) if depth < 6 else 0)
        return [_value(draw, name.removesuffix("s"), shape.member, known, depth + 1) for _ in range(min(count, 3))]
    if isinstance(shape, MapShape):
        return {_text(shape.key): _value(draw, "", shape.value, known, depth + 1)}
    return _scalar(draw, shape)


def _scalar(draw: Draw, shape: Shape) -> Any:
    kind = shape.type_name
    if kind in ("integer", "long"):
        least = int(shape.metadata.get("min", 0))
        return draw(st.integers(least, min(int(shape.metadata.get("max", least + 5)), least + 5)))
    if kind in ("float", "double"):
        return float(shape.metadata.get("min", 0.5))
    if kind == "boolean":
        return draw(st.booleans())
    if kind == "timestamp":
        return "2024-05-01T00:00:00Z"
    if kind == "blob":
        return "YWJj"
    choices = getattr(shape, "enum", None)
    return draw(st.sampled_from(choices)) if choices else _text(shape)


@cache
def _text(shape: Shape) -> str:
    choices = getattr(shape, "enum", None)
    if choices:
        return str(choices[0])
    for text in (*_CANDIDATES, "a" * int(shape.metadata.get("min", 1) or 1)):
        if not _breaks(shape, text):
            return text
    return "a"


def _breaks(shape: Shape, text: str) -> bool:
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max")
    pattern = shape.metadata.get("pattern")
    return (
        len(text) < least
        or (most is not None and len(text) > most)
        or (pattern is not None and _pattern(pattern).fullmatch(text) is None)
    )


@cache
def _pattern(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"))


# Faults of one member

_GONE = object()


def _places(model: OperationModel, parameters: Parameters) -> Iterator[Place]:
    shape = model.input_shape
    if shape is not None:
        for name, member in shape.members.items():
            location = str(member.serialization.get("location", "body"))
            if name in parameters:
                yield from _within(Place(parameters, name, member, name in shape.required_members, name, location))


def _within(place: Place) -> Iterator[Place]:
    yield place
    value, shape = place.holder[place.key], place.shape
    if isinstance(shape, StructureShape) and not shape.is_document_type:
        for name, member in shape.members.items():
            if name in value:
                required = name in shape.required_members
                yield from _within(Place(value, name, member, required, f"{place.path}.{name}", place.location))
    elif isinstance(shape, ListShape):
        for index in range(len(value)):
            yield from _within(Place(value, index, shape.member, False, f"{place.path}[{index}]", place.location))
    elif isinstance(shape, MapShape):
        for key in value:
            yield from _within(Place(value, key, shape.value, False, f"{place.path}[{key}]", place.location))


def _faults(model: OperationModel, place: Place) -> Iterator[tuple[str, Any, bool]]:
    """Name, value, and whether the model forbids it."""
    shape = place.shape
    protocol = model.service_model.resolved_protocol
    is_json = protocol in ("json", "rest-json") and place.location == "body"
    in_path = place.location in ("uri", "headers")
    if place.required and not in_path:
        # Without what its route asks for it is another operation's request.
        yield "missing", _GONE, place.location == "body"
        if is_json:
            yield "null", None, True
    if in_path:
        yield from (("odd", text, False) for text in _ODD if text)
        return
    yield from _wrong_types(shape, place, protocol if is_json else "")
    yield from _out_of_bounds(shape)
    if shape.type_name == "string":
        yield from (("odd", text, _forbidden(shape, text)) for text in _ODD if is_json or "\x00" not in text)
        if is_json:
            yield "a lone surrogate", "\ud800", True
            yield "an object", {"a": 1}, True
            yield "a number", 5, True


def _forbidden(shape: Shape, text: str) -> bool:
    choices = getattr(shape, "enum", None)
    return text not in choices if choices else _breaks(shape, text)


def _wrong_types(shape: Shape, place: Place, protocol: str) -> Iterator[tuple[str, Any, bool]]:
    kind, is_json = shape.type_name, bool(protocol)
    body = place.location == "body"
    if kind in ("integer", "long"):
        yield from (("not a number", value, True) for value in ("many", "1.5", "0x10"))
        yield "beyond 64 bits", 2**70, True
        yield "not whole", 1.5, True
    elif kind in ("float", "double"):
        yield "not a number", "many", True
        if is_json:
            yield from (("no JSON", value, True) for value in (float("inf"), float("nan")))
    elif kind == "boolean":
        # The query protocol's writer makes true of any text.
        yield "neither true nor false", "perhaps" if is_json else 5, is_json
    elif kind == "timestamp" and is_json:
        no_times: list[Any] = ["never", 1e18, -1e18, 1e308, True, [], "99999-01-01"]
        yield from (("no time", value, True) for value in no_times)
    elif kind == "blob" and is_json:
        yield "no base64", "@@", True
    elif is_json and body and kind in ("list", "map", "structure") and not getattr(shape, "is_document_type", False):
        # The writer of the REST protocols makes a list of a text's letters, and of a map's keys.
        stays = kind != "list" or protocol == "json"
        yield "a text", "text", stays
        yield "a number", 7, True
        yield "of the other kind", {"a": "b"} if kind == "list" else ["a"], stays


def _out_of_bounds(shape: Shape) -> Iterator[tuple[str, Any, bool]]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    kind = shape.type_name
    if kind in ("integer", "long", "float", "double"):
        if least is not None:
            yield "too small", least - 1, True
        if most is not None and most < 2**62:
            yield "too large", most + 1, True
        yield from (("odd", value, _outside(value, least, most)) for value in (0, -1, 2**31 - 1))
    elif kind == "string":
        if most is not None and most < 200_000:
            yield "too long", "a" * (most + 1), True
        if getattr(shape, "enum", None):
            yield "no choice", "NoSuchChoice", True
    elif kind == "list" and least:
        yield "too few", [], True


def _outside(value: float, least: float | None, most: float | None) -> bool:
    return (least is not None and value < least) or (most is not None and value > most)


# Faults of the whole document


def _of_document(draw: Draw, model: OperationModel, service: str, parameters: Parameters) -> Case:
    shape = model.input_shape
    protocol = model.service_model.resolved_protocol
    payload = shape.serialization.get("payload") if shape else None
    readable = protocol in ("json", "rest-json") and payload is None
    is_document = payload is not None and shape is not None and shape.members[payload].type_name == "structure"
    required = bool(shape and shape.required_members)
    if protocol == "rest-json":
        required = any("location" not in shape.members[name].serialization for name in shape.required_members)
    kinds = list(_JSON if readable else _XML if is_document else _ANY)
    name, damage, always = draw(st.sampled_from(kinds))
    if (
        protocol == "rest-json"
        and shape is not None
        and all("location" in each.serialization for each in shape.members.values())
    ):
        always, required = False, False
    # A document that is there must be well-formed, though the operation has no input at all.
    forbidden = (always and shape is not None) or (name == "an empty body" and required and readable)
    headers = draw(st.sampled_from(_HEADERS)) if name == "other headers" else {}
    return Case(service, model.name, parameters, name, forbidden, headers, damage)


_HEADERS = (
    {"Content-Type": "text/plain"},
    {"Content-Type": ""},
    {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Encoding": "gzip"},
    {"Content-MD5": "bm90IGFuIG1kNQ=="},
    {"If-Match": "x", "If-None-Match": "*"},
    {"Range": "bytes=9-1,,x"},
    {"If-Modified-Since": "never"},
    {"x-amz-copy-source": "/%zz/../x"},
    {"Origin": "https://a.example", "Expect": "x"},
)

_Damage = tuple[str, Callable[[bytes], bytes] | None, bool]
_ANY: tuple[_Damage, ...] = (
    ("an empty body", lambda body: b"", False),
    ("binary", lambda body: bytes(range(256)), False),
    ("a cut body", lambda body: body[: len(body) // 2], False),
    ("other headers", None, False),
)
_JSON: tuple[_Damage, ...] = (
    ("an empty body", lambda body: b"", False),
    ("binary", lambda body: bytes(range(256)), True),
    ("a cut body", lambda body: body[:-1], True),
    ("a list", lambda body: b"[" + body + b"]", True),
    ("a text", lambda body: b'"text"', True),
    ("deep", lambda body: b'{"a":' * _DEEP + b"1" + b"}" * _DEEP, True),
    ("deep lists", lambda body: b'{"Tags":' + b"[" * 900 + b"]" * 900 + b"}", True),
    ("not UTF-8", lambda body: body[:-1] + b',"x":"\xff"}', True),
    ("NaN", lambda body: body[:-1].rstrip(b"{") + b'{"x":NaN}' if body == b"{}" else body[:-1] + b',"x":NaN}', True),
    ("UTF-16", lambda body: body.decode("utf-8", "replace").encode("utf-16"), True),
    ("trailing text", lambda body: body + b" x", True),
    ("twice the same key", lambda body: b'{"x":1,' + body[1:] if body != b"{}" else b'{"x":1,"x":2}', False),
    ("other headers", None, False),
)
_XML: tuple[_Damage, ...] = (
    ("an empty body", lambda body: b"", False),
    ("binary", lambda body: bytes(range(256)), True),
    ("a cut body", lambda body: body[:-3] or b"<", True),
    ("another root", lambda body: b"<Other>" + body + b"</Other>", True),
    ("a DTD", lambda body: b'<!DOCTYPE a [<!ENTITY e "ee">]>' + body, True),
    ("deep", lambda body: b"<Delete>" * _DEEP + b"</Delete>" * _DEEP, True),
    ("text", lambda body: string.ascii_letters.encode(), True),
    ("other headers", None, False),
)
