"""JSON, an object a line: scalars to Parquet of text, arrays, maps and structs to what they are."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from localaws.athena import types
from localaws.athena.errors import QueryError
from localaws.athena.tables import text, values
from localaws.athena.tables.format import Columns
from localaws.athena.types import Type

_NESTED = ("array", "map", "row")


class JsonLines:
    """
    The JSON SerDes: names match without regard to case, what a line does not have is NULL.

    :param openx: OpenX's SerDe, which has ``ignore.malformed.json``, ``mapping.*`` and ``dots.in.keys``.
    """

    converts = True

    def __init__(self, settings: dict[str, str], columns: Columns, *, openx: bool) -> None:
        self.columns = columns
        self.skip = int(settings.get("skip.header.line.count") or 0)
        self.ignore_malformed = openx and settings.get("ignore.malformed.json", "").lower() == "true"
        self.lenient = settings.get("use.null.for.invalid.data", "").lower() == "true"
        self.dots = openx and settings.get("dots.in.keys", "").lower() == "true"
        self.sensitive = openx and settings.get("case.insensitive", "true").lower() == "false"
        prefix = "mapping."
        self.mapping = {k[len(prefix) :].lower(): v for k, v in settings.items() if openx and k.startswith(prefix)}
        shape = [[name, types.hive(kind)] for name, kind in columns]
        self.variant = json.dumps(
            ["json", shape, self.skip, self.ignore_malformed, self.dots, self.sensitive, sorted(self.mapping.items())]
        )

    def convert(self, source: Path, target: Path) -> None:
        """
        Make the Parquet file.

        :raises QueryError: HIVE_CURSOR_ERROR, a line is not a JSON object.
        """
        schema = pa.schema(
            [(f"f{i}", arrow(kind)) for i, (_, kind) in enumerate(self.columns)] or [("f0", pa.string())]
        )
        with pq.ParquetWriter(target, schema, compression="lz4") as writer:
            for block in text.blocks(source, self.skip):
                writer.write_table(self._table(block.decode("utf-8", "replace"), schema))

    def _table(self, block: str, schema: pa.Schema) -> pa.Table:
        columns: list[list[Any]] = [[] for _ in schema]
        for line in block.split("\n")[:-1]:
            if not line.strip():
                continue
            record = self._record(line)
            if record is None:
                continue
            for column, (name, kind) in zip(columns, self.columns, strict=False):
                column.append(convert(record.get(self._key(name)), kind))
        return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)

    def _key(self, name: str) -> str:
        mapped = self.mapping.get(name, name)
        return mapped if self.sensitive else mapped.lower()

    def _record(self, line: str) -> dict[str, Any] | None:
        try:
            record = json.loads(line, parse_float=Decimal)
            if not isinstance(record, dict):
                raise ValueError("not an object")
        except ValueError as error:
            if self.ignore_malformed:
                return None
            raise QueryError("HIVE_CURSOR_ERROR", f"Row is not a valid JSON Object - JSONException: {error}") from error
        if self.dots:
            record = {key.replace(".", "_"): value for key, value in record.items()}
        return record if self.sensitive else {key.lower(): value for key, value in record.items()}

    def select(
        self, paths: list[tuple[Path, str]], columns: Columns, wanted: set[str]
    ) -> list[tuple[list[str], list[Path]]]:
        """Return one group; scalars are parsed where they are read."""
        items = []
        for index, (name, kind) in enumerate(columns):
            if name in wanted:
                column = f"f{index}"
                sql = column if kind.base in _NESTED else values.json_value(column, kind, index, lenient=self.lenient)
                items.append(f"CAST({sql} AS {types.duckdb(kind)}) AS {types.quote(name)}")
        return [(items, [path for path, _ in paths])]


def arrow(kind: Type, *, outermost: bool = True) -> pa.DataType:
    """Return the Arrow type that carries a column; scalars are text and parsed later."""
    if kind.base == "array":
        return pa.list_(arrow(kind.element, outermost=False))
    if kind.base == "map":
        return pa.map_(pa.string(), arrow(kind.args[1], outermost=False))
    if kind.base == "row":
        return pa.struct([(types.row_field(kind, i), arrow(t, outermost=False)) for i, (_, t) in enumerate(kind.args)])
    return pa.string()


def convert(value: Any, kind: Type) -> Any:
    """Convert a parsed JSON value to :func:`arrow`'s type. A value of the wrong shape becomes NULL."""
    if value is None:
        return None
    if kind.base == "array":
        return [convert(item, kind.element) for item in value] if isinstance(value, list) else None
    if kind.base == "map":
        return [(key, convert(item, kind.args[1])) for key, item in value.items()] if isinstance(value, dict) else None
    if kind.base == "row":
        if not isinstance(value, dict):
            return None
        lowered = {key.lower(): item for key, item in value.items()}
        return {name: convert(lowered.get(str(name).lower()), part) for name, part in kind.args}
    if isinstance(value, str | Decimal):
        return str(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=float)
