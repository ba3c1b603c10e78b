"""What pages consist of. A part is plain data: the template shows it, and escapes all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode


@dataclass(frozen=True)
class Link:
    """A text that leads to another page of the console."""

    text: str
    href: str


@dataclass(frozen=True)
class Status:
    """A state in AWS's word, shown by its kind: good, bad, busy, or none of these."""

    text: str

    @property
    def kind(self) -> str:
        """The kind, by the word."""
        word = self.text.lower()
        if word in _GOOD:
            return "good"
        if "fail" in word or word in _BAD:
            return "bad"
        return "busy" if is_busy(self.text) else "none"


_GOOD = frozenset({"completed", "inservice", "succeeded", "ok", "active", "successful", "available", "approved"})
_BAD = frozenset({"alarm", "outofservice", "rejected"})
_BUSY = frozenset({"queued", "running", "inprogress", "pending", "starting", "systemupdating"})


def is_busy(status: str) -> bool:
    """Return whether a resource of this status changes by itself."""
    return status.lower() in _BUSY or status.lower().endswith("ing")


Cell = str | int | float | bool | datetime | Link | Status | None


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    kind: ClassVar[str] = "facts"
    rows: Sequence[tuple[str, Cell]]


@dataclass(frozen=True)
class Table:
    """
    Rows below a head.

    :param empty: what is said where there is no row.
    :param more: the address of the next page; "" at the last one.
    """

    kind: ClassVar[str] = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = "There is nothing yet."
    more: str = ""


@dataclass(frozen=True)
class Text:
    """A text as it is, in a fixed pitch; ``fold`` shows its beginning only when it is asked for."""

    kind: ClassVar[str] = "text"
    text: str
    note: str = ""
    fold: str = ""


@dataclass(frozen=True)
class Note:
    """A sentence; a bad one is a failure."""

    kind: ClassVar[str] = "note"
    text: str
    bad: bool = False


@dataclass(frozen=True)
class Links:
    """A row of links, such as the kinds of jobs; the page's own is marked."""

    kind: ClassVar[str] = "links"
    links: Sequence[Link]
    current: str = ""


@dataclass(frozen=True)
class Search:
    """A field that narrows a list; ``hidden`` has the rest of the address."""

    kind: ClassVar[str] = "search"
    name: str
    label: str
    value: str
    hidden: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Log:
    """A log stream that grows in the page; ``events`` is the address that it is read from."""

    kind: ClassVar[str] = "log"
    events: str
    live: bool


@dataclass(frozen=True)
class Drawing:
    """A chart, see :mod:`localaws.console.charts`, and the figures that are in it."""

    kind: ClassVar[str] = "drawing"
    chart: Any
    table: Table | None = None


@dataclass(frozen=True)
class TryIt:
    """The form that invokes an endpoint, with what was sent last and the answer to it."""

    kind: ClassVar[str] = "tryit"
    action: str
    variants: Sequence[str]
    sent: dict[str, str] = field(default_factory=dict)
    answer: Sequence[Part] = ()


Part = Facts | Table | Text | Note | Links | Search | Log | Drawing | TryIt


@dataclass(frozen=True)
class Section:
    """
    A piece of a page, which is built apart: where it fails, the others are there.

    :param live: it is updated while the page is open.
    """

    title: str
    build: Callable[[], Sequence[Part]]
    live: bool = False


@dataclass(frozen=True)
class Page:
    """
    A page.

    :param trail: the pages above it.
    :param live: it changes by itself now.
    """

    title: str
    sections: Sequence[Section]
    trail: Sequence[Link] = ()
    status: Status | None = None
    live: bool = False


def href(*steps: str, **query: str | None) -> str:
    """Return an address of the console, of steps that may have any character; a query's empty values are left out."""
    path = "/" + "/".join(quote(step, safe="") for step in steps)
    rest = urlencode({name: value for name, value in query.items() if value})
    return f"{path}?{rest}" if rest else path


def more(query: dict[str, str], *steps: str, token: str | None, name: str = "next") -> str:
    """Return the address of a list's next page; "" where there is none."""
    return href(*steps, **{**query, name: token}) if token else ""
