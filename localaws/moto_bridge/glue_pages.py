"""Pages of the Data Catalog's lists: moto's own write down all that there is for each of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any

from moto.glue.models import GlueBackend
from moto.glue.utils import PartitionFilter


@dataclass
class Page:
    """
    A part of a list.

    :param start: Items before it, of all that there are, chosen by the request or not.
    :param size: Items that it has at most.
    :param step: Every so manieth item is looked at: of a segment of partitions.
    """

    start: int
    size: int
    step: int = 1
    #: where the next page starts, once this one has been read; ``None`` if it is the last.
    end: int | None = None

    def of(self, items: Any, chosen: Callable[[Any], bool] | None = None) -> list[Any]:
        """Return the page's items."""
        numbered = itertools.islice(enumerate(items), self.start, None, self.step)
        found = ((number, item) for number, item in numbered if chosen is None or chosen(item))
        page = list(itertools.islice(found, self.size))
        following = next(found, None)
        self.end = None if following is None else following[0]
        return [item for _, item in page]


_wanted: ContextVar[Page | None] = ContextVar("wanted", default=None)


@contextmanager
def only(page: Page) -> Iterator[Page]:
    """Let moto answer a list's operation with this page, which knows afterwards where it ended."""
    token = _wanted.set(page)
    try:
        yield page
    finally:
        _wanted.reset(token)


def install() -> None:
    """Have moto's lists of the catalog ask for the page that is wanted."""
    for name, paged in (
        ("get_databases", _page_of_list),
        ("get_tables", _page_of_list),
        ("get_table_versions", _page_of_versions),
        ("get_partitions", _page_of_partitions),
    ):
        setattr(GlueBackend, name, paged(vars(GlueBackend)[name]))


def _page_of_list(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def paged(backend: Any, *given: Any) -> Any:
        page, items = _wanted.get(), method(backend, *given)
        return page.of(items) if page else items

    return paged


def _page_of_versions(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def paged(backend: Any, *given: Any) -> Any:
        page, versions = _wanted.get(), method(backend, *given)
        newest_first = sorted(versions, key=int, reverse=True)
        return {version: versions[version] for version in (page.of(newest_first) if page else newest_first)}

    return paged


def _page_of_partitions(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def paged(backend: Any, database_name: str, table_name: str, expression: str) -> Any:
        page = _wanted.get()
        if page is None:
            return method(backend, database_name, table_name, expression)
        table = backend.get_table(database_name, table_name)
        # A copy of the values: other threads add to them meanwhile.
        return page.of(list(table.partitions.values()), PartitionFilter(expression, table))

    return paged
