"""The three ways in which AWS writes a time."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from botocore.model import Shape
from botocore.utils import parse_timestamp

#: a timestamp's format where its shape names none, by where it stands.
_DEFAULT_FORMAT = {"header": "rfc822", "querystring": "iso8601", "uri": "iso8601", "body": "unixTimestamp"}


def parse(value: str | int | float) -> datetime:
    """
    An aware datetime from any of AWS's formats.

    :raises ValueError: it is none of them.
    """
    moment: datetime = parse_timestamp(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def encode(shape: Shape, value: datetime, place: str = "body") -> Any:
    """The time as the model wants it at ``place`` (header, querystring, uri or body): a number or a string."""
    style = shape.serialization.get("timestampFormat") or _DEFAULT_FORMAT[place]
    moment = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    if style == "unixTimestamp":
        seconds = round(moment.timestamp(), 3)
        return int(seconds) if seconds.is_integer() else seconds
    if style == "rfc822":
        return format_datetime(moment.replace(microsecond=0), usegmt=True)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
