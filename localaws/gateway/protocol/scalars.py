"""A scalar of a model out of a piece of text: a header, a label of a path, a form's field, an element of XML."""

from __future__ import annotations

import base64
import re
from typing import Any

from botocore.model import Shape

from localaws.gateway.protocol import timestamps

#: the least and the most of a whole number, by its type.
BOUNDS = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")


def parse(shape: Shape, text: str) -> Any:
    """
    Return the value of ``text`` as the shape's type.

    :raises ValueError: the text is not a value of that type.
    """
    kind = shape.type_name
    if kind in BOUNDS:
        return bounded(kind, _whole(text))
    if kind in ("float", "double"):
        return _fraction(text)
    if kind == "timestamp":
        return timestamps.parse(text)
    if kind == "blob":
        return base64.b64decode(text, validate=True)
    if kind == "boolean":
        return _boolean(text)
    return text


def bounded(kind: str, number: int) -> int:
    """
    Return the number.

    :raises ValueError: it does not fit an integer's 32 bits or a long's 64.
    """
    least, most = BOUNDS[kind]
    if not least <= number <= most:
        raise ValueError(f"{kind} out of range")
    return number


def _whole(text: str) -> int:
    if _WHOLE.fullmatch(text) is None:
        raise ValueError("not a whole number")
    return int(text)


def _fraction(text: str) -> float:
    # Python alone takes underscores and blanks.
    if "_" in text or text != text.strip():
        raise ValueError("not a number")
    return float(text)


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise ValueError("neither true nor false")
    return lowered == "true"
