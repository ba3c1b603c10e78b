# ruff: noqa: S608 - this writes SQL: every name in it is quoted, every literal escaped, by localaws.athena.types.
"""Data files that a statement writes: Parquet, JSON lines, delimited text and CSV, from DuckDB's table ``written``."""

from __future__ import annotations

import gzip
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from localaws.athena import engine, types
from localaws.athena.errors import QueryError
from localaws.athena.sql.render import as_text
from localaws.athena.types import Type, quote, text

_BATCH = 50_000
#: a tenth larger than at the highest level, in a quarter of the time.
_GZIP_LEVEL = 4
_PARQUET_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
_TEXT_INPUT = "org.apache.hadoop.mapred.TextInputFormat"
_TEXT_OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
Columns = list[tuple[str, Type]]


@dataclass(frozen=True)
class Writer:
    """
    Writes one format.

    :param format: PARQUET, JSON, TEXTFILE or CSV.
    :param compression: NONE, GZIP, and for Parquet SNAPPY, ZSTD, LZ4.
    :param separator: between fields of text.
    """

    format: str
    compression: str
    separator: str = "\x01"
    null: str = "\\N"
    serde: str = ""

    @property
    def suffix(self) -> str:
        """How the names of the files end."""
        return ".gz" if self.format != "PARQUET" and self.compression == "GZIP" else ""

    def write(self, connection: duckdb.DuckDBPyConnection, columns: Columns, condition: str, path: Path) -> int:
        """Write the rows that meet a condition; the count of them. Without rows there is no file."""
        if self.format == "PARQUET":
            return self._write_parquet(connection, columns, condition, path)
        sql = f"SELECT {self._line(columns)} AS line FROM written WHERE {condition}"
        rows = 0
        with _open(path, self.compression) as file:
            for batch in connection.sql(engine.define(connection, sql)).to_arrow_reader(_BATCH):
                if batch.num_rows:
                    file.write("\n".join(batch.column(0).to_pylist()) + "\n")
                    rows += batch.num_rows
        return rows

    def _write_parquet(
        self, connection: duckdb.DuckDBPyConnection, columns: Columns, condition: str, path: Path
    ) -> int:
        listed = ", ".join(quote(name) for name, _ in columns)
        reader = connection.sql(f"SELECT {listed} FROM written WHERE {condition}").to_arrow_reader(_BATCH)
        schema = pa.schema([pa.field(f.name, _plain(f.type)) for f in reader.schema])
        rows, writer = 0, None
        try:
            for batch in reader:
                if batch.num_rows:
                    writer = writer or pq.ParquetWriter(path, schema, **self._parquet_compression())
                    writer.write_table(pa.Table.from_batches([batch]).cast(schema))
                    rows += batch.num_rows
        finally:
            if writer is not None:
                writer.close()
        return rows

    def _parquet_compression(self) -> dict[str, Any]:
        return {
            "compression": self.compression.lower(),
            "compression_level": _GZIP_LEVEL if self.compression == "GZIP" else None,
        }

    def _line(self, columns: Columns) -> str:
        if self.format == "JSON":
            fields = ", ".join(f"{quote(name)} := {_json(quote(name), kind)}" for name, kind in columns)
            return f"CAST(to_json(struct_pack({fields})) AS VARCHAR)"
        texts = [as_text(quote(name), kind) for name, kind in columns]
        if self.format == "CSV":
            return " || ',' || ".join(f"""'"' || replace(coalesce({t}, ''), '"', '""') || '"'""" for t in texts)
        return f" || {text(self.separator)} || ".join(f"coalesce({t}, {text(self.null)})" for t in texts)

    def table(self, name: str, columns: Columns, location: str) -> dict[str, Any]:
        """Return the Glue table for the files that this writer writes."""
        library, parameters, formats = self._serde()
        classification = {"PARQUET": "parquet", "JSON": "json"}.get(self.format, "csv")
        return {
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {
                "EXTERNAL": "TRUE",
                "classification": classification,
                "has_encrypted_data": "false",
                "transient_lastDdlTime": str(int(time.time())),
                **({"parquet.compression": self.compression} if self.format == "PARQUET" else {}),
            },
            "StorageDescriptor": {
                "Columns": [{"Name": column, "Type": types.hive(kind)} for column, kind in columns],
                "Location": location,
                "InputFormat": formats[0],
                "OutputFormat": formats[1],
                "Compressed": False,
                "NumberOfBuckets": -1,
                "SerdeInfo": {"SerializationLibrary": library, "Parameters": parameters},
            },
        }

    def _serde(self) -> tuple[str, dict[str, str], tuple[str, str]]:
        if self.format == "PARQUET":
            base = "org.apache.hadoop.hive.ql.io.parquet.MapredParquet"
            return _PARQUET_SERDE, {"serialization.format": "1"}, (f"{base}InputFormat", f"{base}OutputFormat")
        if self.format == "JSON":
            return "org.openx.data.jsonserde.JsonSerDe", {"serialization.format": "1"}, (_TEXT_INPUT, _TEXT_OUTPUT)
        parameters = {"field.delim": self.separator, "serialization.format": self.separator}
        return "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe", parameters, (_TEXT_INPUT, _TEXT_OUTPUT)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Arrow's type for the file: text without views or dictionaries."""
    if pa.types.is_large_string(kind) or str(kind) == "string_view":
        return pa.string()
    return kind


def _json(sql: str, kind: Type) -> str:
    return as_text(sql, kind) if kind.base in ("timestamp", "date", "varbinary", "time") else sql


def _open(path: Path, compression: str) -> TextIO:
    if compression == "GZIP":
        return gzip.open(path, "wt", _GZIP_LEVEL, encoding="utf-8", newline="")  # type: ignore[return-value]
    return open(path, "w", encoding="utf-8", newline="")


_COMPRESSIONS = {"PARQUET": {"GZIP", "SNAPPY", "ZSTD", "LZ4", "NONE", "UNCOMPRESSED"}}
_FORMATS = {"PARQUET", "JSON", "TEXTFILE"}


def writer(properties: dict[str, Any], default: str | None = "PARQUET") -> Writer:
    """
    Return the writer that the properties of a CTAS or an UNLOAD ask for.

    :param default: the format where they do not say; ``None`` where they must.
    :raises QueryError: a property that has no meaning, or asks for what this engine does not do.
    """
    known = {
        "format", "write_compression", "compression", "parquet_compression", "orc_compression", "field_delimiter",
        "external_location", "partitioned_by", "bucketed_by", "bucket_count", "table_type", "is_external",
        "compression_level",
    }  # fmt: skip
    unknown = sorted(set(properties) - known)
    if unknown:
        raise QueryError(
            "INVALID_TABLE_PROPERTY", f"Catalog 'awsdatacatalog' table property '{unknown[0]}' does not exist", (1, 1)
        )
    if default is None and "format" not in properties:
        raise QueryError("INVALID_TABLE_PROPERTY", "Must specify format for unload", (1, 1))
    name = str(properties.get("format", default)).upper()
    if name not in _FORMATS:
        raise QueryError("NOT_SUPPORTED", f"Writing {name} is not supported by localaws", (1, 1))
    chosen = next(
        (
            properties[key]
            for key in ("write_compression", "compression", f"{name.lower()}_compression")
            if key in properties
        ),
        "GZIP",
    )
    compression = str(chosen).upper()
    if compression not in _COMPRESSIONS.get(name, {"GZIP", "NONE"}):
        raise QueryError("NOT_SUPPORTED", f"Compression {compression} of {name} is not supported by localaws", (1, 1))
    compression = "NONE" if compression == "UNCOMPRESSED" else compression
    return Writer(name, compression, str(properties.get("field_delimiter", "\x01")))


def writer_of(table: dict[str, Any]) -> Writer:
    """
    Return how to write further files of a table.

    :raises QueryError: NOT_SUPPORTED, this engine does not write its format.
    """
    serde = table["StorageDescriptor"].get("SerdeInfo") or {}
    library = (serde.get("SerializationLibrary") or "").rsplit(".", 1)[-1].lower()
    settings = {**(table.get("Parameters") or {}), **(serde.get("Parameters") or {})}
    if library == "parquethiveserde":
        compression = settings.get("parquet.compression", settings.get("write.compression", "GZIP")).upper()
        return Writer("PARQUET", "NONE" if compression == "UNCOMPRESSED" else compression)
    if library == "jsonserde":
        return Writer("JSON", "GZIP")
    if library == "opencsvserde":
        return Writer("CSV", "NONE")
    if library in ("lazysimpleserde", ""):
        separator = settings.get("field.delim", "\x01")
        return Writer("TEXTFILE", "NONE", separator, settings.get("serialization.null.format", "\\N"))
    raise QueryError("NOT_SUPPORTED", f"Writing with SerDe {library} is not supported by localaws")
