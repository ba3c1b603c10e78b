"""What a classifier says of one object: its format and its columns."""

from __future__ import annotations

from dataclasses import dataclass, field

from localaws.glue.crawling.types import Column

TEXT_INPUT = "org.apache.hadoop.mapred.TextInputFormat"
TEXT_OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
PARQUET_INPUT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
PARQUET_OUTPUT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
LAZY_SIMPLE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
OPEN_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
OPENX_JSON = "org.openx.data.jsonserde.JsonSerDe"
PARQUET_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"


@dataclass(frozen=True)
class Format:
    """
    How objects are encoded. Objects of unequal formats never share a table.

    :param classification: Glue's word: ``csv``, ``json``, ``parquet`` or ``UNKNOWN``.
    :param compression: ``none`` or ``gzip``: what wraps the object, not what Parquet does inside.
    :param serde: the Hive class that reads it; empty for UNKNOWN.
    :param serde_parameters: what that class is told, but for those that follow from the columns.
    :param parameters: what the table's Parameters say of the format, such as ``delimiter``.
    """

    classification: str
    compression: str = "none"
    serde: str = ""
    serde_parameters: tuple[tuple[str, str], ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    input_format: str = ""
    output_format: str = ""


UNRECOGNISED = Format("UNKNOWN")


@dataclass(frozen=True)
class Found:
    """
    A classifier's answer for one object.

    :param records: how many records the bytes that were looked at hold.
    :param record_bytes: how many bytes those records take (before compression).
    :param complete: whether those are all records of the object.
    :param notes: what the crawl's log should say of this object.
    """

    format: Format
    columns: tuple[Column, ...] = ()
    records: int = 0
    record_bytes: int = 0
    complete: bool = True
    notes: tuple[str, ...] = field(default=(), compare=False)


class Unrecognised(Exception):
    """The object is not in this classifier's format; the text says why, for the log."""
