"""moto writes its answers member by member; what that costs per member, for lists of a thousand items."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import xmltodict
from botocore.utils import parse_to_aware_datetime
from moto.core import serialize
from moto.core.serialize import AttributePickerContext, ResponseSerializer, XFormedAttributePicker

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)?")

_original_value: Callable[..., Any] = ResponseSerializer.get_value


def install() -> None:
    """Have moto find out by which names it holds a member once, not for each item, and write its XML by less code."""
    for owner, name, value in (
        (ResponseSerializer, "get_value", _value),
        (serialize, "parse_to_aware_datetime", _time),
        (serialize, "xmltodict", _Xml),
    ):
        setattr(owner, name, value)


def _value(serializer: Any, holder: Any, key: str, shape: Any) -> Any:
    picker = serializer._value_picker
    # What else moto holds may name its attributes by rules of its own.
    if type(holder) is not dict or type(picker) is not XFormedAttributePicker or picker.response_transformers:
        return _original_value(serializer, holder, key, shape)
    for name in _names(serializer, picker, key, shape):
        if name in holder:
            return holder[name]
    return None


def _names(serializer: Any, picker: XFormedAttributePicker, key: str, shape: Any) -> tuple[str, ...]:
    """Return the names under which a dictionary may hold a member, as moto tries them."""
    known: dict[str, tuple[str, ...]] = vars(shape).setdefault("_names_in_dictionaries", {})
    if key not in known:
        context = AttributePickerContext(
            obj={},
            key=key,
            shape=shape,
            operation_model=serializer.operation_model,
            service_model=serializer.service_model,
            key_path="",
        )
        known[key] = tuple(dict.fromkeys(picker.get_possible_keys(context)))
    return known[key]


def _time(value: Any) -> datetime:
    if isinstance(value, str) and _ISO.fullmatch(value):
        read = datetime.fromisoformat(value)
        return read if read.tzinfo else read.replace(tzinfo=UTC)
    parsed: datetime = parse_to_aware_datetime(value)
    return parsed


class _Xml:
    """Stands in moto's serializer where ``xmltodict`` was, which takes ten times as long."""

    @staticmethod
    def unparse(
        document: Mapping[str, Any], *, full_document: bool, short_empty_elements: bool, pretty: bool = False
    ) -> str:
        """Return the document as XML."""
        if pretty:
            return str(
                xmltodict.unparse(
                    document, full_document=full_document, short_empty_elements=short_empty_elements, pretty=True
                )
            )
        out = ['<?xml version="1.0" encoding="utf-8"?>\n'] if full_document else []
        for name, value in document.items():
            _write(out, name, value, short=short_empty_elements)
        return "".join(out)


def _write(out: list[str], name: str, value: Any, *, short: bool) -> None:
    """Write an element; of a list, one for each item."""
    if isinstance(value, Mapping):
        _write_structure(out, name, value, short=short)
    elif isinstance(value, list | tuple):
        for item in value:
            _write(out, name, item, short=short)
    else:
        text = _text(value)
        out.append(f"<{name}>{escape(text)}</{name}>" if text or not short else f"<{name}/>")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _write_structure(out: list[str], name: str, members: Mapping[str, Any], *, short: bool) -> None:
    start, at = f"<{name}", len(out)
    out.append("")
    for key, value in members.items():
        if key.startswith("@"):
            start += f" {key[1:]}={quoteattr(_text(value))}"
        elif key == "#text":
            out.append(escape(_text(value)))
        else:
            _write(out, key, value, short=short)
    if short and len(out) == at + 1:
        out[at] = f"{start}/>"
    else:
        out[at] = f"{start}>"
        out.append(f"</{name}>")
