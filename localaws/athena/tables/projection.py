"""Partition projection: partitions that are computed from a table's properties and stand in no catalog."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from localaws.athena.errors import QueryError
from localaws.athena.sql.functions_date import joda_format
from localaws.athena.sql.scope import TableUse
from localaws.athena.types import Type

_MOST = 1_000_000
_UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800}


def enabled(table: dict[str, Any]) -> bool:
    """Return True if the table's partitions are projected."""
    return str((table.get("Parameters") or {}).get("projection.enabled", "")).lower() == "true"


def project(use: TableUse, keys: list[tuple[str, Type]]) -> list[tuple[tuple[str, ...], str]]:
    """
    Return all partitions: values and location.

    :raises QueryError: INVALID_TABLE_PROPERTY; CONSTRAINT_VIOLATION for an injected column that is not pinned.
    """
    settings = use.table.get("Parameters") or {}
    ranges = [list(_values(name, settings, use)) for name, _ in keys]
    base = (use.table["StorageDescriptor"].get("Location") or "").rstrip("/")
    template = settings.get("storage.location.template")
    found = []
    for values in itertools.islice(itertools.product(*ranges), _MOST):
        named = {name: value for (name, _), value in zip(keys, values, strict=True)}
        if template:
            location = re.sub(r"\$\{([^}]+)\}", lambda match, named=named: named[match[1].lower()], template)  # type: ignore[misc]
        else:
            location = "/".join([base, *(f"{name}={value}" for name, value in named.items())])
        found.append((tuple(values), location))
    return found


def _values(name: str, settings: dict[str, str], use: TableUse) -> Iterator[str]:
    kind = settings.get(f"projection.{name}.type", "").lower()
    if kind == "enum":
        return iter(value.strip() for value in _setting(name, "values", settings).split(","))
    if kind == "integer":
        return _integers(name, settings)
    if kind == "date":
        return _dates(name, settings)
    if kind == "injected":
        return iter(_pinned(name, use))
    raise QueryError(
        "INVALID_TABLE_PROPERTY", f"Table {use.database}.{use.name} has no projection type for column {name}"
    )


def _setting(name: str, which: str, settings: dict[str, str]) -> str:
    value = settings.get(f"projection.{name}.{which}")
    if not value:
        raise QueryError("INVALID_TABLE_PROPERTY", f"Missing required property projection.{name}.{which}")
    return value


def _integers(name: str, settings: dict[str, str]) -> Iterator[str]:
    first, last = (int(part) for part in _setting(name, "range", settings).split(","))
    digits = int(settings.get(f"projection.{name}.digits") or 0)
    for value in range(first, last + 1, int(settings.get(f"projection.{name}.interval") or 1)):
        yield str(value).zfill(digits)


def _dates(name: str, settings: dict[str, str]) -> Iterator[str]:
    pattern = joda_format(_setting(name, "format", settings))
    first, last = (_moment(part.strip(), pattern) for part in _setting(name, "range", settings).split(","))
    unit = settings.get(f"projection.{name}.interval.unit", _default_unit(pattern)).lower()
    step = int(settings.get(f"projection.{name}.interval") or 1)
    seen, at = set[str](), first
    while at <= last:
        # %g and the like are DuckDB's: date partitions are not finer than a second.
        text = at.strftime(pattern)
        if text not in seen:
            seen.add(text)
            yield text
        at = _next(at, unit, step)


def _default_unit(pattern: str) -> str:
    for letter, unit in (("%S", "seconds"), ("%M", "minutes"), ("%H", "hours"), ("%d", "days"), ("%m", "months")):
        if letter in pattern:
            return unit
    return "years"


def _next(at: datetime, unit: str, step: int) -> datetime:
    if unit in _UNITS:
        return at + timedelta(seconds=_UNITS[unit] * step)
    months = step * (12 if unit == "years" else 1) + at.month - 1
    return at.replace(year=at.year + months // 12, month=months % 12 + 1, day=1)


_NOW = re.compile(r"NOW(?:\s*([+-])\s*(\d+)\s*(SECOND|MINUTE|HOUR|DAY|WEEK|MONTH|YEAR)S?)?", re.IGNORECASE)


def _moment(text: str, pattern: str) -> datetime:
    match = _NOW.fullmatch(text)
    if match is None:
        return datetime.strptime(text, pattern).replace(tzinfo=UTC)
    now = datetime.now(UTC)
    if match[1] is None:
        return now
    amount = int(match[2]) * (1 if match[1] == "+" else -1)
    unit = match[3].lower() + "s"
    days = {"months": 30, "years": 365}
    return (
        now + timedelta(seconds=amount * _UNITS[unit]) if unit in _UNITS else now + timedelta(days=amount * days[unit])
    )


def _pinned(name: str, use: TableUse) -> list[str]:
    """Return the values that the query's conditions give an injected column by ``=`` or ``IN``."""
    for condition in use.partition_filters:
        match = re.fullmatch(rf'\("{re.escape(name)}" (?:=|IN) \(?((?:\'(?:[^\']|\'\')*\'(?:, )?)+)\)?\)', condition)
        if match:
            return [value.replace("''", "'") for value in re.findall(r"'((?:[^']|'')*)'", match[1])]
    rule = "the WHERE clause must contain only static equality conditions, and at least one such must be present."
    raise QueryError("CONSTRAINT_VIOLATION", f"For the injected projected partition column {name}, {rule}")
