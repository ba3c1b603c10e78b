"""The input of an operation from a form, for the query protocol (IAM, STS, CloudWatch)."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import parse_qsl

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from localaws.core.errors import AwsError
from localaws.gateway.protocol import scalars
from localaws.gateway.protocol.http import HttpRequest

#: more than any operation has, and few enough to walk.
_MOST_FIELDS = 50_000
#: a form's names nest by their dots: no model's input is this deep.
_DEEPEST = 64

#: one level of a form's names: the value that ends here under ``None``, the rest by their next part.
Tree = dict[str | None, Any]


class MalformedInput(AwsError):
    """The form is not what the operation's input can be read from."""

    code = "MalformedInput"
    status = 400


def parse(operation: OperationModel, http: HttpRequest) -> dict[str, Any]:
    """
    Parse the input of ``operation``: typed, not yet validated, without fields that the model does not know.

    :raises MalformedInput: a value of another type than the model's.
    """
    shape = operation.input_shape
    if shape is None:
        return {}
    return _structure(shape, _tree(_fields(http)), "")


def _fields(http: HttpRequest) -> list[tuple[str, str]]:
    try:
        text = http.body.decode() if http.body else http.query_string
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise MalformedInput("The request is not a form in UTF-8.") from error


def _tree(fields: list[tuple[str, str]]) -> Tree:
    root: Tree = {}
    for name, value in fields:
        parts = name.split(".")
        if len(parts) > _DEEPEST:
            raise MalformedInput("The parameters nest too deep.")
        node = root
        for part in parts:
            node = node.setdefault(part, {})
        # Of a name that comes twice the first value counts.
        node.setdefault(None, value)
    return root


def _value(shape: Shape, node: Tree, at: str) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(shape, node, at)
    if isinstance(shape, ListShape):
        return _list(shape, node, at)
    if isinstance(shape, MapShape):
        return _map(shape, node, at)
    if None not in node:
        raise MalformedInput(f"Start of structure found where not expected: {at}")
    return _scalar(shape, node[None], at)


def _structure(shape: StructureShape, node: Tree, at: str) -> dict[str, Any]:
    if node.get(None):
        raise MalformedInput(f"Unexpected value for a structure: {at}")
    result = {}
    for name, member in shape.members.items():
        wire_name = _wire_name(member, name)
        if wire_name in node:
            result[name] = _value(member, node[wire_name], f"{at}.{name}" if at else name)
    return result


def _wire_name(member: Shape, name: str) -> str:
    if isinstance(member, ListShape) and member.serialization.get("flattened"):
        return str(member.member.serialization.get("name") or member.serialization.get("name", name))
    return str(member.serialization.get("name", name))


def _list(shape: ListShape, node: Tree, at: str) -> list[Any]:
    if node.get(None):
        raise MalformedInput(f"Unexpected value for a list: {at}")
    items = node
    if not shape.serialization.get("flattened"):
        items = node.get(shape.member.serialization.get("name", "member"), {})
    return [_value(shape.member, item, f"{at}.{number}") for number, item in _numbered(items, at)]


def _map(shape: MapShape, node: Tree, at: str) -> dict[str, Any]:
    entries = node if shape.serialization.get("flattened") else node.get("entry", {})
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    result = {}
    for number, entry in _numbered(entries, at):
        if key_name not in entry or value_name not in entry:
            raise MalformedInput(f"Key or value missing: {at}.{number}")
        key = _value(shape.key, entry[key_name], at)
        result[key] = _value(shape.value, entry[value_name], f"{at}.{key}")
    return result


def _numbered(node: Tree, at: str) -> list[tuple[int, Tree]]:
    """Return the items by their numbers; gaps do not count."""
    items = []
    for part, item in node.items():
        if part is None:
            continue
        if not (part.isascii() and part.isdecimal() and len(part) < 10):
            raise MalformedInput(f"{part!r} is not a list's index: {at}")
        items.append((int(part), item))
    return sorted(items, key=lambda pair: pair[0])


def _scalar(shape: Shape, text: str, at: str) -> Any:
    try:
        value = scalars.parse(shape, text)
    except ValueError as error:
        raise MalformedInput(f"{text[:100]!r} is not a valid value of {at}") from error
    if isinstance(value, float) and not math.isfinite(value):
        raise MalformedInput(f"{text[:100]!r} is not a valid value of {at}")
    return value
