"""What a feature's value may be: every value is text on the wire, and has to read as its feature's type."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

Definition = dict[str, Any]

_INTEGRAL = re.compile(r"[+-]?\d{1,19}")
_FRACTIONAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: the end of year 9999: later than that is no time that Athena could show.
_LATEST = 253_402_300_799
_UNITS = {"Seconds": "seconds", "Minutes": "minutes", "Hours": "hours", "Days": "days", "Weeks": "weeks"}


class BadValue(Exception):
    """The text is no value of the type; says why."""


def parse(kind: str, text: str) -> int | float | str:
    """
    Parse ``text`` as a value of a feature type.

    :param kind: Integral (64 bits), Fractional or String.
    :raises BadValue: it is not one.
    """
    if kind == "Integral":
        if not _INTEGRAL.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
            raise BadValue(f"'{text}' is not an Integral value")
        return int(text)
    if kind == "Fractional":
        if not _FRACTIONAL.fullmatch(text):
            raise BadValue(f"'{text}' is not a Fractional value")
        return float(text)
    return text


def event_time(kind: str, text: str) -> int:
    """
    Return microseconds since 1970, from ISO-8601 in UTC (String feature) or Unix seconds (Fractional).

    :raises BadValue: neither.
    """
    if kind == "Fractional":
        if not _FRACTIONAL.fullmatch(text) or not 0 <= (seconds := Decimal(text)) <= _LATEST:
            raise BadValue(f"'{text}' is not a time in Unix seconds")
        return int(seconds * 1_000_000)
    try:
        if not _ISO.fullmatch(text):
            raise ValueError(text)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        formats = "yyyy-MM-dd'T'HH:mm:ssZ or yyyy-MM-dd'T'HH:mm:ss.SSSZ"
        raise BadValue(f"'{text}' is not a time in ISO-8601 format: {formats}") from error
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    """Convert microseconds since 1970 to a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def expiry(at: int, ttl: dict[str, Any] | None) -> int | None:
    """When a record of event time ``at`` expires, in microseconds since 1970; ``None`` for never."""
    if not ttl:
        return None
    try:
        return at + timedelta(**{_UNITS[ttl["Unit"]]: ttl["Value"]}) // timedelta(microseconds=1)
    except OverflowError:
        return None


def iso(microseconds: int) -> str:
    """As the runtime writes the time of expiry."""
    try:
        return moment(microseconds).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return "9999-12-31T23:59:59Z"
