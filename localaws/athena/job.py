"""One execution at work: what it is given, what stops it, and what comes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from localaws.athena import engine
from localaws.athena.catalog import Catalog
from localaws.athena.errors import Cancelled
from localaws.athena.tables.cache import Cache
from localaws.athena.types import ColumnInfo


class Control:
    """How a query is stopped from outside."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def cancel(self) -> None:
        """Stop the query, in the middle of what it does."""
        self._cancelled.set()
        with self._lock:
            if self._connection is not None:
                self._connection.interrupt()

    def check(self) -> None:
        """
        Raise if the query is to stop; called wherever it can stop.

        :raises Cancelled: the query is to stop.
        """
        if self._cancelled.is_set():
            raise Cancelled()

    @contextmanager
    def interruptible(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """While inside, :meth:`cancel` interrupts this connection."""
        with self._lock:
            self._connection = connection
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._connection = None


@dataclass
class Outcome:
    """
    What a statement gives.

    :param columns: of its result; ``None`` where it has none at all.
    :param file: a local CSV file, for a query.
    :param lines: the rows of everything else, a line each.
    :param manifest: URIs of the data files that were written; ``None`` for statements that write none.
    """

    columns: list[ColumnInfo] | None = None
    file: Path | None = None
    lines: list[str] | None = None
    update_type: str | None = None
    update_count: int | None = None
    manifest: list[str] | None = None
    substatement: str | None = None
    scanned: int = 0
    planning_seconds: float = 0.0
    written: Written = field(default_factory=lambda: Written(0, 0))


@dataclass(frozen=True)
class Written:
    """Rows and bytes of a result."""

    rows: int
    bytes: int


@dataclass
class Job:
    """
    One execution.

    :param output: where results go: ``s3://bucket/prefix/``.
    :param folder: a local folder of its own.
    """

    id: str
    database: str
    output: str
    catalog: Catalog
    s3: Any
    cache: Cache
    control: Control
    folder: Path
    #: told of data files (``_planned``) and of the table (``_created``) before they are made, so that it can be undone.
    plan: Callable[..., None] = lambda **_: None
    #: the work group's BytesScannedCutoffPerQuery.
    limit: int | None = None

    @property
    def glue(self) -> Any:
        """The Glue client."""
        return self.catalog.glue

    def scanned(self, size: int) -> None:
        """
        Check how much has been read so far.

        :raises Cancelled: it is more than the work group allows, or the query is to stop.
        """
        self.control.check()
        if self.limit is not None and size > self.limit:
            raise Cancelled("Query cancelled! : Bytes scanned limit was exceeded")

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a DuckDB that :class:`Control` can interrupt and whose errors are raised as Athena's."""
        with engine.connect(self.folder / "spill") as connection, self.control.interruptible(connection):
            try:
                yield connection
            except duckdb.Error as error:
                raise engine.translate(error) from error
