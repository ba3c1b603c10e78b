"""Which format a table's or partition's files have, by its SerDe, and what each format must be able to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from localaws.athena.errors import QueryError
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
        How to read the wanted columns: groups of ``(select items, files)``.

        :param paths: files with the URIs of their objects, for error messages.
        :param columns: all columns that the files hold, in the table's order.
        """


def format_of(descriptor: dict[str, Any], parameters: dict[str, str], columns: Columns) -> Format:
    """
    The format of the files that a StorageDescriptor describes.

    :raises QueryError: NOT_SUPPORTED, this engine does not read that SerDe.
    """
    from localaws.athena.tables import json_lines, parquet, text

    serde = descriptor.get("SerdeInfo") or {}
    library = serde.get("SerializationLibrary") or ""
    settings = {**parameters, **(descriptor.get("Parameters") or {}), **(serde.get("Parameters") or {})}
    name = library.rsplit(".", 1)[-1].lower()
    if name == "opencsvserde":
        return text.OpenCsv(settings, len(columns))
    if name in ("lazysimpleserde", ""):
        return text.Delimited(settings, len(columns))
    if name == "jsonserde":
        return json_lines.JsonLines(settings, columns, openx="openx" in library)
    if name in ("parquethiveserde", "parquetserde"):
        return parquet.Parquet()
    raise QueryError("NOT_SUPPORTED", f"SerDe {library} is not supported by localaws")
