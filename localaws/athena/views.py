"""Views as Athena keeps them in Glue: the query, as JSON in base64, in a comment that Presto once defined."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from localaws.athena import types
from localaws.athena.errors import QueryError
from localaws.athena.types import Type

_BEGIN, _END = "/* Presto View: ", " */"


@dataclass(frozen=True)
class Definition:
    """A view: its SQL, the database that its unqualified names are in, its columns."""

    sql: str
    database: str | None
    columns: list[tuple[str, Type]]


def is_view(table: dict[str, Any]) -> bool:
    """Return True if a Glue table is a view."""
    return table.get("TableType") == "VIRTUAL_VIEW"


def decode(table: dict[str, Any]) -> Definition:
    """
    Return the definition in a Glue table that is a view.

    :raises QueryError: INVALID_VIEW, it was not made by Athena.
    """
    text = table.get("ViewOriginalText") or ""
    try:
        if not text.startswith(_BEGIN):
            raise ValueError("no Presto view")
        body = json.loads(base64.b64decode(text[len(_BEGIN) :].removesuffix(_END)))
        columns = [(column["name"].lower(), parse_trino(column["type"])) for column in body["columns"]]
        return Definition(body["originalSql"], body.get("schema"), columns)
    except (ValueError, KeyError, binascii.Error) as error:
        name = f"{table.get('DatabaseName')}.{table.get('Name')}"
        raise QueryError("INVALID_VIEW", f"Invalid view JSON: {name}") from error


def encode(definition: Definition) -> str:
    """ViewOriginalText of a definition."""
    body = {
        "originalSql": definition.sql,
        "catalog": "awsdatacatalog",
        "schema": definition.database,
        "columns": [{"name": name, "type": _without_precision(kind)} for name, kind in definition.columns],
    }
    return _BEGIN + base64.b64encode(json.dumps(body).encode()).decode() + _END


def _without_precision(kind: Type) -> str:
    return str(kind).replace("timestamp(3)", "timestamp").replace("time(3)", "time")


def parse_trino(name: str) -> Type:
    """
    Parse a type in Trino's spelling, such as ``array(row(a integer, b varchar))``.

    :raises ValueError: it is not one.
    """
    from sqlglot.errors import ParseError

    from localaws.athena.sql.expressions import data_type
    from localaws.athena.sql.parse import parse

    try:
        cast = parse(f"SELECT CAST(NULL AS {name})").expressions[0]
        return data_type(cast.args["to"], cast)
    except (ParseError, QueryError) as error:
        raise ValueError(f"not a type: {name}") from error


def glue_columns(definition: Definition) -> list[dict[str, str]]:
    """Return the columns of a view as its Glue table lists them."""
    return [{"Name": name, "Type": _hive(kind)} for name, kind in definition.columns]


def _hive(kind: Type) -> str:
    try:
        return types.hive(kind)
    except QueryError:
        # A view may have a column of a type that no table can: Glue is told that it is text.
        return "string"
