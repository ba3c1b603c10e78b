"""What each format of files must be able to do."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from localaws.athena.types import Type

Columns = list[tuple[str, Type]]


class Format(Protocol):
    """A way to read files: they become Parquet in the cache, and each column an expression over that."""

    #: what a converted file depends on besides the object.
    variant: str
    #: whether an object must be converted; else it is Parquet already.
    converts: bool

    def convert(self, source: Path, target: Path) -> None:
        """Make the Parquet file of an object."""

    def select(
        self, paths: list[tuple[Path, str]], columns: Columns, wanted: set[str]
    ) -> list[tuple[list[str], list[Path]]]:
        """
        Return how to read the wanted columns: groups of ``(select items, files)``.

        :param paths: files with the URIs of their objects, for error messages.
        :param columns: all columns that the files hold, in the table's order.
        """
