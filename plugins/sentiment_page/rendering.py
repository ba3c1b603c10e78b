"""Templates: everything that they are given is escaped, but for the charts, which escape their own texts."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

#: in place of a figure that is not there.
UNKNOWN = "\N{EN DASH}"
TEMPLATES = Path(__file__).parent / "templates"


def render(name: str, **given: Any) -> str:
    """Return a page or fragment; ``name`` is the template's, without its suffix."""
    return _environment().get_template(f"{name}.html").render(given)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update({"share": _share, "number": _number, "when": _when, "seconds": _seconds, "size": _size})
    return made


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1%}"


def _number(value: float | None, form: str = ",") -> str:
    return UNKNOWN if value is None else format(value, form)


def _when(value: datetime | None) -> str | Markup:
    if value is None:
        return UNKNOWN
    utc = value.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(), utc.strftime("%Y-%m-%d %H:%M UTC"))


def _seconds(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def _size(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value / 1e6:,.1f} MB"
