"""The three ways in which AWS writes a time."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from botocore.model import Shape
from botocore.utils import parse_timestamp

#: a timestamp's format where its shape names none, by where it stands.
_DEFAULT_FORMAT = {"header": "rfc822", "querystring": "iso8601", "uri": "iso8601", "body": "unixTimestamp"}
#: characters of a time, in whatever format.
_LONGEST = 100


def parse(value: str | int | float) -> datetime:
    """
    Parse an aware datetime from any of AWS's formats.

    :raises ValueError: it is none of them, or lies outside the years 1 to 9999.
    """
    # The parser's numbers are any script's digits, of any length, and end at NUL.
    if isinstance(value, str) and not (value.isascii() and value.isprintable() and len(value) <= _LONGEST):
        raise ValueError(f"{value[:_LONGEST]!r} is not a time")
    try:
        moment: datetime = parse_timestamp(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ArithmeticError, RuntimeError, TypeError) as error:
        raise ValueError(f"{value!r} is not a time") from error


def encode(shape: Shape, value: datetime, place: str = "body") -> Any:
    """Format a time as the model wants it at ``place`` (header, querystring, uri or body): number or string."""
    style = shape.serialization.get("timestampFormat") or _DEFAULT_FORMAT[place]
    moment = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    if style == "unixTimestamp":
        seconds = round(moment.timestamp(), 3)
        return int(seconds) if seconds.is_integer() else seconds
    if style == "rfc822":
        return format_datetime(moment.replace(microsecond=0), usegmt=True)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
