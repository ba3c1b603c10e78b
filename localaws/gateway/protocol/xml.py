"""The XML document of a rest-xml operation (S3) as its input in boto3's shape."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from botocore.model import ListShape, MapShape, Shape, StructureShape

from localaws.core.errors import AwsError
from localaws.gateway.protocol import scalars

#: no document of S3 nests this deep.
_DEEPEST = 64
_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"


class MalformedXML(AwsError):
    """The document is no XML, or none of the operation's."""

    code = "MalformedXML"
    status = 400

    def __init__(self) -> None:
        super().__init__("The XML you provided was not well-formed or did not validate against our published schema")


class _Builder(ElementTree.TreeBuilder):
    """Builds the tree; refuses documents with a DTD, and very deep ones."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def start(self, tag: Any, attrs: Any) -> Element:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise MalformedXML
        return super().start(tag, attrs)

    def end(self, tag: Any) -> Element:
        self._depth -= 1
        return super().end(tag)

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Expansion of entities is how a small document becomes a large one."""
        raise MalformedXML


def parse(shape: Shape, name: str, body: bytes) -> Any:
    """
    Read the value of ``shape`` from the document.

    :param name: the root element's, without namespace.
    :raises MalformedXML: no XML, another root element, or a value of another type than the model's.
    """
    # The builder refuses documents with entities of their own, which is what the rule warns of.
    parser = ElementTree.XMLParser(target=_Builder())  # noqa: S314
    try:
        parser.feed(body)
        root = parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise MalformedXML from error
    if _local(root.tag) != name:
        raise MalformedXML
    return _value(shape, root)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _value(shape: Shape, element: Element) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(shape, element)
    if isinstance(shape, ListShape):
        inner = shape.member.serialization.get("name", "member")
        if any(_local(child.tag) != inner for child in element):
            raise MalformedXML
        return [_value(shape.member, child) for child in element]
    if isinstance(shape, MapShape) or len(element):
        raise MalformedXML
    text = element.text or ""
    try:
        return scalars.parse(shape, text if shape.type_name == "string" else text.strip())
    except ValueError as error:
        raise MalformedXML from error


def _structure(shape: StructureShape, element: Element) -> dict[str, Any]:
    if element.text and element.text.strip():
        raise MalformedXML
    children: dict[str, list[Element]] = {}
    for child in element:
        children.setdefault(_local(child.tag), []).append(child)
    result: dict[str, Any] = {}
    for name, member in shape.members.items():
        if member.serialization.get("xmlAttribute"):
            value = element.get(_INSTANCE + member.serialization["name"].rpartition(":")[2])
            if value is not None:
                result[name] = value
            continue
        found = children.get(_wire_name(member, name))
        if found:
            result[name] = _member(member, found)
    return result


def _wire_name(member: Shape, name: str) -> str:
    if isinstance(member, ListShape) and member.serialization.get("flattened"):
        return str(member.serialization.get("name") or member.member.serialization.get("name", name))
    return str(member.serialization.get("name", name))


def _member(member: Shape, found: list[Element]) -> Any:
    if isinstance(member, ListShape) and member.serialization.get("flattened"):
        return [_value(member.member, each) for each in found]
    if len(found) > 1:
        raise MalformedXML
    return _value(member, found[0])
