"""CSV and delimited text: lines to Parquet of strings, once; types, as each SerDe has them, when a column is read."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from localaws.athena.tables import values
from localaws.athena.tables.format import Columns
from localaws.athena.types import quote

_BLOCK = 16 << 20
Row = list[str]


def blocks(source: Path, skip: int) -> Iterator[bytes]:
    """
    Yield the file, decompressed, in blocks of whole lines ending with LF, without its first ``skip`` lines.

    CR LF and a lone CR end a line as LF does.
    """
    rest = b""
    with pa.input_stream(source, compression=_compression(source)) as stream:
        while True:
            block = stream.read(_BLOCK)
            if not block:
                break
            rest += block
            if rest.endswith(b"\r"):
                # Its LF may come with the next block.
                continue
            rest = _unix(rest)
            end = rest.rfind(b"\n") + 1
            block, rest = rest[:end], rest[end:]
            skip, block = _skip(skip, block)
            if block:
                yield block
    if rest:
        skip, block = _skip(skip, _unix(rest) if rest.endswith((b"\n", b"\r")) else _unix(rest) + b"\n")
        if block:
            yield block


def _unix(block: bytes) -> bytes:
    return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in block else block


def _skip(skip: int, block: bytes) -> tuple[int, bytes]:
    while skip and block:
        end = block.find(b"\n") + 1
        block, skip = block[end or len(block) :], skip - 1
    return skip, block


_MAGIC = {b"\x1f\x8b": "gzip", b"BZ": "bz2", b"(\xb5\x2f\xfd": "zstd"}


def _compression(source: Path) -> str | None:
    """By the first bytes: the cache's name of a file says nothing."""
    with open(source, "rb") as file:
        start = file.read(4)
    return next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)


class _Text:
    """What both SerDes for text share."""

    converts = True
    escape: str | None = None

    def __init__(self, settings: dict[str, str], width: int, kind: str) -> None:
        self.width = max(width, 1)
        self.skip = int(settings.get("skip.header.line.count") or 0)
        self.variant = json.dumps([kind, self.width, self.skip, *self.dialect()])

    def dialect(self) -> list[Any]:
        """Return the settings that decide how a line is split."""
        raise NotImplementedError

    def split(self, line: str) -> Row:
        """Split one line into its fields."""
        raise NotImplementedError

    def fast(self, block: bytes) -> pa_csv.ParseOptions | None:
        """Return how Arrow can split this block with the same result; ``None`` where it cannot."""
        raise NotImplementedError

    def convert(self, source: Path, target: Path) -> None:
        """Make a Parquet file with a string column for each column of the table."""
        schema = pa.schema([(f"f{index}", pa.string()) for index in range(self.width)])
        with pq.ParquetWriter(target, schema, compression="lz4", use_dictionary=True) as writer:
            for block in blocks(source, self.skip):
                writer.write_table(self._table(block, schema))

    def _table(self, block: bytes, schema: pa.Schema) -> pa.Table:
        mark = self.escape.encode() if self.escape else None
        blank = self.width > 1 and (b"\n\n" in block or block.startswith(b"\n"))
        if not blank and (mark is None or mark not in block):
            return self._plain_table(block, schema)
        # Only lines in which something is escaped, and empty ones, need the careful way.
        lines = block.split(b"\n")[:-1]
        careful = np.array([not line or (mark is not None and mark in line) for line in lines])
        plain = b"".join(line + b"\n" for line, odd in zip(lines, careful, strict=True) if not odd)
        rows = (self.split(line.decode("utf-8", "replace")) for line in itertools.compress(lines, careful))
        parts = [self._plain_table(plain, schema)] if plain else []
        both = pa.concat_tables([*parts, _columns(rows, self.width, schema)])
        order = np.empty(len(lines), dtype=np.int64)
        order[np.concatenate([np.flatnonzero(~careful), np.flatnonzero(careful)])] = np.arange(len(lines))
        return both.take(pa.array(order))

    def _plain_table(self, block: bytes, schema: pa.Schema) -> pa.Table:
        """Parse a block in which nothing is escaped."""
        options = self.fast(block)
        if options is None:
            rows: Iterable[Row] = (self.split(line) for line in _decoded(block))
            return _columns(rows, self.width, schema)
        try:
            return pa_csv.read_csv(
                pa.BufferReader(block),
                pa_csv.ReadOptions(column_names=schema.names, block_size=len(block) + 1, use_threads=False),
                options,
                pa_csv.ConvertOptions(column_types=schema, strings_can_be_null=False),
            )
        except pa.ArrowInvalid:
            # Lines of different lengths, or bytes that are not UTF-8.
            return _columns((self.split(line) for line in _decoded(block)), self.width, schema)


def _decoded(block: bytes) -> list[str]:
    return block.decode("utf-8", "replace").split("\n")[:-1]


def _columns(rows: Iterable[Row], width: int, schema: pa.Schema) -> pa.Table:
    columns: list[list[str | None]] = [[] for _ in range(width)]
    for row in rows:
        for index, column in enumerate(columns):
            column.append(row[index] if index < len(row) else None)
    return pa.table([pa.array(column, pa.string()) for column in columns], schema=schema)


class OpenCsv(_Text):
    """
    OpenCSVSerDe: quotes and escapes, a line is a row, and a value that its column's type cannot hold fails the query.
    """

    def __init__(self, settings: dict[str, str], width: int) -> None:
        self.separator = _character(settings.get("separatorChar"), ",")
        self.quote = _character(settings.get("quoteChar"), '"')
        self.escape = _character(settings.get("escapeChar"), "\\")
        if self.escape == self.quote:
            self.escape = None
        self.lenient = settings.get("use.null.for.invalid.data", "").lower() == "true"
        super().__init__(settings, width, "csv")

    def dialect(self) -> list[Any]:
        """Separator, quote and escape."""
        return [self.separator, self.quote, self.escape]

    def fast(self, block: bytes) -> pa_csv.ParseOptions | None:
        """Arrow does where quotes stand only around whole fields of one line."""
        if not (self.separator.isascii() and self.quote.isascii()):
            return None
        quoted = self.quote.encode() in block
        if quoted and not _regular(block, self.separator, self.quote):
            return None
        return pa_csv.ParseOptions(
            delimiter=self.separator, quote_char=self.quote if quoted else False, ignore_empty_lines=False
        )

    def split(self, line: str) -> Row:
        """As the opencsv library does, to the letter."""
        if self.quote not in line and (self.escape is None or self.escape not in line):
            return line.split(self.separator)
        fields, current, quoted, index = [], [], False, 0
        while index < len(line):
            character = line[index]
            following = line[index + 1 : index + 2]
            if character == self.escape:
                # An escape that escapes nothing is dropped.
                if quoted and following and following in (self.quote, self.escape):
                    current.append(following)
                    index += 1
            elif character == self.quote:
                if quoted and following == self.quote:
                    current.append(following)
                    index += 1
                else:
                    if self._embedded(line, index):
                        current.append(character)
                    quoted = not quoted
            elif character == self.separator and not quoted:
                fields.append("".join(current))
                current = []
            else:
                current.append(character)
            index += 1
        return [*fields, "".join(current)]

    def _embedded(self, line: str, index: int) -> bool:
        return (
            index > 2 and line[index - 1] != self.separator and line[index + 1 : index + 2] not in ("", self.separator)
        )

    def select(
        self, paths: list[tuple[Path, str]], columns: Columns, wanted: set[str]
    ) -> list[tuple[list[str], list[Path]]]:
        """Return one group; a column's text is parsed where it is read."""
        items = [
            f"{values.csv_value(f'f{index}', kind, index, lenient=self.lenient)} AS {quote(name)}"
            for index, (name, kind) in enumerate(columns)
            if name in wanted
        ]
        return [(items, [path for path, _ in paths])]


def _regular(block: bytes, separator: str, quote_character: str) -> bool:
    """
    Return True if quotes are only where a simple reader expects them.

    Each opens right behind a separator or line break (or the quote before it), closes right before one, and does so
    within its line.
    """
    data = np.frombuffer(block, dtype=np.uint8)
    quotes = np.flatnonzero(data == ord(quote_character))
    if len(quotes) % 2:
        return False
    opening, closing = quotes[0::2], quotes[1::2]
    borders = (ord(separator), ord("\n"))
    before = np.where(opening > 0, data[opening - 1], ord("\n"))
    after = data[np.minimum(closing + 1, len(data) - 1)]
    doubled_before = np.zeros(len(opening), dtype=bool)
    doubled_before[1:] = opening[1:] == closing[:-1] + 1
    doubled_after = np.zeros(len(closing), dtype=bool)
    doubled_after[:-1] = doubled_before[1:]
    if not (np.isin(before, borders) | doubled_before).all() or not (np.isin(after, borders) | doubled_after).all():
        return False
    breaks = np.flatnonzero(data == ord("\n"))
    # A line break between an opening quote and its closing one would stand inside a field.
    return bool((np.searchsorted(breaks, opening) == np.searchsorted(breaks, closing)).all())


def _character(value: str | None, default: str) -> str:
    """Return a one-character setting, which may be written as ``\\t`` or ``\\u0001``."""
    if not value:
        return default
    if len(value) > 1:
        value = {"\\t": "\t", "\\\\": "\\", "\\n": "\n"}.get(value, value)
        if value.startswith("\\u"):
            value = chr(int(value[2:6], 16))
        elif value.isdigit():
            value = chr(int(value))
    return value[0]


class Delimited(_Text):
    """LazySimpleSerDe: fields between delimiters, quotes mean nothing, a value that does not fit its type is NULL."""

    def __init__(self, settings: dict[str, str], width: int) -> None:
        self.delimiter = _character(settings.get("field.delim") or settings.get("serialization.format"), "\x01")
        if self.delimiter == "1" and "field.delim" not in settings:
            # serialization.format = 1 is what Hive writes for its default.
            self.delimiter = "\x01"
        escape = settings.get("escape.delim")
        self.escape = _character(escape, "\\") if escape else None
        self.null = settings.get("serialization.null.format", "\\N")
        self.separators = [
            _character(settings.get("collection.delim") or settings.get("colelction.delim"), "\x02"),
            _character(settings.get("mapkey.delim"), "\x03"),
            *(chr(code) for code in range(4, 9)),
        ]
        super().__init__(settings, width, "delimited")

    def dialect(self) -> list[Any]:
        """Delimiter and escape."""
        return [self.delimiter, self.escape]

    def fast(self, block: bytes) -> pa_csv.ParseOptions | None:
        """Arrow does, with any ASCII delimiter."""
        if not self.delimiter.isascii():
            return None
        return pa_csv.ParseOptions(delimiter=self.delimiter, quote_char=False, ignore_empty_lines=False)

    def split(self, line: str) -> Row:
        """Return fields between delimiters that are not escaped."""
        if self.escape is None or self.escape not in line:
            return line.split(self.delimiter)
        return next(csv.reader([line], delimiter=self.delimiter, escapechar=self.escape, quoting=csv.QUOTE_NONE), [""])

    def select(
        self, paths: list[tuple[Path, str]], columns: Columns, wanted: set[str]
    ) -> list[tuple[list[str], list[Path]]]:
        """Return one group; a column's text is parsed where it is read."""
        items = [
            f"{values.lazy_value(f'f{index}', kind, self.null, self.separators)} AS {quote(name)}"
            for index, (name, kind) in enumerate(columns)
            if name in wanted
        ]
        return [(items, [path for path, _ in paths])]


Converter = Callable[[Path, Path], None]
