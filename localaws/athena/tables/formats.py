"""Which format a table's or partition's files have, by its SerDe."""

from __future__ import annotations

from typing import Any

from localaws.athena.errors import QueryError
from localaws.athena.tables import json_lines, parquet, text
from localaws.athena.tables.format import Columns, Format


def format_of(descriptor: dict[str, Any], parameters: dict[str, str], columns: Columns) -> Format:
    """
    Return the format of the files that a StorageDescriptor describes.

    :raises QueryError: NOT_SUPPORTED, this engine does not read that SerDe.
    """
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
