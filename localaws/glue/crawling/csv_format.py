"""Recognises CSV as Glue does: delimiter, quotes, header, column types; by built-in rules or a custom classifier's."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from localaws.glue.crawling import types
from localaws.glue.crawling.sampling import LONGEST_SAMPLE_BYTES, ObjectReader, Sample
from localaws.glue.crawling.schema import LAZY_SIMPLE, OPEN_CSV, TEXT_INPUT, TEXT_OUTPUT, Format, Found, Unrecognised
from localaws.glue.crawling.types import Column, HiveType

#: what the built-in classifier tries, in Glue's order.
DELIMITERS = (",", "|", "\t", ";", "\x01")
#: a built-in header cell is shorter than this (the last column's may be longer).
_LONGEST_HEADER = 150
#: the share of rows that must have the same number of columns for a text to be called CSV.
_REGULAR = 0.9
# One review may be longer than the csv module's default limit for a field (128 KiB).
csv.field_size_limit(LONGEST_SAMPLE_BYTES)


@dataclass(frozen=True)
class CsvOptions:
    """
    A custom classifier's settings; the defaults are the built-in classifier.

    :param delimiter: one character, or ``None`` to try all known ones.
    :param contains_header: ``PRESENT``, ``ABSENT`` or ``UNKNOWN`` (find out).
    :param header: column names that stand in for those in the object.
    :param serde: ``OpenCSVSerDe``, ``LazySimpleSerDe`` or ``None`` (as text): choose by whether a quote is named.
    """

    delimiter: str | None = None
    quote: str | None = None
    contains_header: str = "UNKNOWN"
    header: tuple[str, ...] = ()
    trim: bool = True
    allow_single_column: bool = False
    serde: str = "None"

    @property
    def custom(self) -> bool:
        """Return True if an option is set: explicit options override detection."""
        return self != CsvOptions()


@dataclass(frozen=True)
class _Table:
    """The sample cut into rows; ``width`` is the number of columns that most rows have."""

    delimiter: str
    rows: list[list[str]]
    width: int
    ragged: int

    @property
    def regularity(self) -> float:
        return 1 - self.ragged / len(self.rows)


def classify(reader: ObjectReader, options: CsvOptions | None = None) -> Found:
    """
    Infer delimiter, header and types from the sample.

    :raises Unrecognised: not CSV by the rules, or not text.
    """
    options = options or CsvOptions()
    sample = reader.sample()
    tables = _tables(sample, options)
    # One record may be longer than the sample.
    while not any(len(table.rows) > 1 for table in tables) and sample.may_grow:
        sample = reader.sample(len(sample.data) * 8)
        tables = _tables(sample, options)
    accepted = [table for table in tables if _acceptable(table, options)]
    if not accepted:
        raise Unrecognised("not CSV: no delimiter parts two or more rows into two or more columns")
    return _found(max(accepted, key=lambda table: (table.regularity, table.width)), sample, options)


def _tables(sample: Sample, options: CsvOptions) -> list[_Table]:
    text = sample.text()
    delimiters = (options.delimiter,) if options.delimiter else DELIMITERS
    tables = [_cut(text, delimiter, options.quote or '"', sample.complete) for delimiter in delimiters]
    return [table for table in tables if table]


def _cut(text: str, delimiter: str, quote: str, complete: bool) -> _Table | None:
    lines = io.StringIO(text, newline="")
    try:
        rows = [row for row in csv.reader(lines, delimiter=delimiter, quotechar=quote) if row]
    except csv.Error as error:
        raise Unrecognised(f"not CSV: {error}") from error
    if not complete and rows:
        del rows[-1]  # cut off somewhere in the middle
    if not rows:
        return None
    widths = Counter(len(row) for row in rows)
    width, regular = widths.most_common(1)[0]
    return _Table(delimiter, rows, width, len(rows) - regular)


def _acceptable(table: _Table, options: CsvOptions) -> bool:
    if options.custom:
        return table.width >= (1 if options.allow_single_column else 2)
    return table.width >= 2 and len(table.rows) >= 2 and table.regularity >= _REGULAR


def _found(table: _Table, sample: Sample, options: CsvOptions) -> Found:
    first, data = table.rows[0], table.rows[1:]
    has_header = _has_header(table, options)
    if not has_header:
        data = table.rows
    kinds = _kinds(data, table.width, options)
    columns = tuple(Column(name, kind) for name, kind in zip(_names(table, options, has_header), kinds, strict=True))
    notes = []
    if table.ragged:
        notes.append(f"{table.ragged} of {len(table.rows)} rows do not have {table.width} columns")
    if _serde(options) == LAZY_SIMPLE and _quoted(sample, table.delimiter):
        notes.append("has quoted values, which LazySimpleSerDe does not understand: use a classifier with OpenCSVSerDe")
    header_bytes = len(table.delimiter.join(first).encode()) + 1 if has_header else 0
    size = max(len(sample.data) - header_bytes, 0)
    return Found(_format(table, sample, options, has_header), columns, len(data), size, sample.complete, tuple(notes))


def _has_header(table: _Table, options: CsvOptions) -> bool:
    if options.contains_header != "UNKNOWN":
        return options.contains_header == "PRESENT"
    first, data = table.rows[0], table.rows[1:]
    if len(first) != table.width or not data:
        return False
    if options.header and [name.strip() for name in first] == [name.strip() for name in options.header]:
        return True
    cells = first if first[-1].strip() else first[:-1]
    if not cells or any(types.of_text(cell.strip()) != types.STRING for cell in cells):
        return False
    if any(len(cell) >= _LONGEST_HEADER for cell in first[:-1]) or len(set(cells)) != len(cells):
        return False
    # All strings below as well: Glue cannot tell the first row from the others.
    return any(kind not in (types.STRING, types.UNKNOWN) for kind in _kinds(data, table.width, options))


def _names(table: _Table, options: CsvOptions, has_header: bool) -> list[str]:
    given: Sequence[str] = options.header or (table.rows[0] if has_header else ())
    names = [given[index].strip() if index < len(given) else "" for index in range(table.width)]
    return types.unique(name or f"col{index}" for index, name in enumerate(names))


def _kinds(rows: list[list[str]], width: int, options: CsvOptions) -> list[HiveType]:
    kinds: list[HiveType] = [types.UNKNOWN] * width
    for row in rows:
        for index, cell in enumerate(row[:width]):
            if kinds[index] != types.STRING:
                kinds[index] = types.merge(kinds[index], types.of_text(cell.strip() if options.trim else cell))
    return kinds


def _quoted(sample: Sample, delimiter: str) -> bool:
    mark = delimiter.encode()
    return sample.data.startswith(b'"') or any(before + b'"' in sample.data for before in (mark, b"\n"))


def _serde(options: CsvOptions) -> str:
    if options.serde == "None":
        return OPEN_CSV if options.quote else LAZY_SIMPLE
    return OPEN_CSV if options.serde == "OpenCSVSerDe" else LAZY_SIMPLE


def _format(table: _Table, sample: Sample, options: CsvOptions, has_header: bool) -> Format:
    serde = _serde(options)
    if serde == OPEN_CSV:
        serde_parameters = {"quoteChar": options.quote or '"', "separatorChar": table.delimiter}
    else:
        serde_parameters = {"field.delim": table.delimiter}
    parameters = {
        "areColumnsQuoted": "true" if options.quote else "false",
        "columnsOrdered": "true",
        "delimiter": table.delimiter,
    }
    if has_header:
        parameters["skip.header.line.count"] = "1"
    return Format(
        "csv",
        sample.compression,
        serde,
        tuple(serde_parameters.items()),
        tuple(parameters.items()),
        TEXT_INPUT,
        TEXT_OUTPUT,
    )
