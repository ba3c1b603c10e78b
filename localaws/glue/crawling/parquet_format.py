"""Recognises Parquet by its footer, the only part of the object that is read."""

from __future__ import annotations

import io

import pyarrow as pa
from pyarrow import parquet

from localaws.glue.crawling import types
from localaws.glue.crawling.sampling import ObjectReader
from localaws.glue.crawling.schema import PARQUET_INPUT, PARQUET_OUTPUT, PARQUET_SERDE, Format, Found, Unrecognised
from localaws.glue.crawling.types import Array, Column, HiveType, Map, Primitive, Struct

_MAGIC = b"PAR1"
#: 4 bytes footer length and the magic, at the very end.
_TAIL = 8
_LONGEST_FOOTER = 64 << 20
_FORMAT = Format(
    "parquet",
    serde=PARQUET_SERDE,
    serde_parameters=(("serialization.format", "1"),),
    input_format=PARQUET_INPUT,
    output_format=PARQUET_OUTPUT,
)

_PRIMITIVES: dict[pa.DataType, str] = {
    pa.bool_(): "boolean",
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.uint8(): "smallint",
    pa.uint16(): "int",
    pa.uint32(): "bigint",
    pa.uint64(): "bigint",
    pa.float16(): "float",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    pa.large_string(): "string",
    pa.string_view(): "string",
    pa.binary(): "binary",
    pa.large_binary(): "binary",
    pa.date32(): "date",
    pa.null(): "string",
}


def classify(reader: ObjectReader) -> Found:
    """
    Read the schema and the row count from the footer.

    :raises Unrecognised: no Parquet, or a broken one.
    """
    if reader.size < len(_MAGIC) + _TAIL or reader.part(0, len(_MAGIC)) != _MAGIC:
        raise Unrecognised("not Parquet")
    tail = reader.part(reader.size - _TAIL, _TAIL)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or not 0 < length <= min(_LONGEST_FOOTER, reader.size - _TAIL - len(_MAGIC)):
        raise Unrecognised("a broken Parquet file: it starts like one and has no footer at its end")
    footer = reader.part(reader.size - _TAIL - length, length + _TAIL)
    try:
        metadata = parquet.read_metadata(io.BytesIO(_MAGIC + footer))
        schema = metadata.schema.to_arrow_schema()
    except (pa.ArrowException, OSError) as error:
        raise Unrecognised(f"a broken Parquet file: {error}") from error
    names = types.unique(schema.names)
    columns = tuple(Column(name, hive_type(field.type)) for name, field in zip(names, schema, strict=True))
    return Found(_FORMAT, columns, records=metadata.num_rows, record_bytes=reader.size)


def hive_type(kind: pa.DataType) -> HiveType:
    """Return the Hive type that Glue writes for an Arrow type."""
    if kind in _PRIMITIVES:
        return Primitive(_PRIMITIVES[kind])
    if pa.types.is_decimal(kind):
        return Primitive(f"decimal({kind.precision},{kind.scale})")
    if pa.types.is_timestamp(kind):
        return Primitive("timestamp")
    if pa.types.is_dictionary(kind):
        return hive_type(kind.value_type)
    if pa.types.is_map(kind):
        return Map(hive_type(kind.key_type), hive_type(kind.item_type))
    if pa.types.is_struct(kind):
        return Struct(tuple((field.name, hive_type(field.type)) for field in kind))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return Array(hive_type(kind.value_type))
    # Hive has no type for a time of day or a duration: the reader sees the number or the bytes beneath it.
    return Primitive("binary" if pa.types.is_fixed_size_binary(kind) else "bigint")
