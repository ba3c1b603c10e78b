"""Reads raw review files row by row: flat memory, whatever the size, and no row lost without being counted."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from job import BadInput

SENTIMENT_BY_RATING = {1: -1, 2: -1, 3: 0, 4: 1, 5: 1}

# One field may hold a long review, but a quote that is never closed must not swallow the rest of the file.
LARGEST_FIELD = 16 * 1024 * 1024

# Bytes that are not UTF-8 arrive as lone surrogates (PEP 383); so do NULs, which the csv module of Python 3.10 refuses.
NUL = "\udc00"
UNDECODABLE = re.compile("[\udc00-\udcff]")

NOT_CSV = {
    b"PK\x03\x04": "a zip or Excel file",
    b"\x1f\x8b": "a gzip file",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF file",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"\x89PNG": "a PNG image",
}


@dataclass
class Drops:
    """Rows left out, counted by reason, with the place of the first of each kind."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, place: str) -> None:
        """Count one row; ``place`` is ``file:row``, row 1 being the first after the header."""
        self.counts[reason] += 1
        self.first.setdefault(reason, place)

    def lines(self) -> list[str]:
        """Return a line for each reason, for the log."""
        return [f"dropped {n} rows: {reason} (first: {self.first[reason]})" for reason, n in self.counts.items()]


@dataclass(frozen=True)
class Row:
    """A raw row: the values by column name, and where it stands (``file:row``)."""

    values: dict[str, str]
    place: str

    def blank(self, columns: Sequence[str]) -> str | None:
        """Return the first of ``columns`` that is blank here, or None."""
        if all(map(str.strip, map(self.values.__getitem__, columns))):
            return None
        return next(column for column in columns if not self.values[column].strip())

    def sentiment(self) -> int | None:
        """Return -1, 0 or 1 for 1-2, 3, 4-5 stars; None when the rating is no whole number from 1 to 5."""
        try:
            rating = float(self.values["Rating"])
        except ValueError:
            return None
        return SENTIMENT_BY_RATING.get(int(rating)) if rating in SENTIMENT_BY_RATING else None


def count_rows(path: Path) -> str:
    """Return how many rows a file has, for messages."""
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            return str(max(0, sum(1 for fields in csv.reader(text) if fields) - 1))
    except csv.Error:
        return "uncountable"


def input_files(folder: Path) -> list[Path]:
    """Return all files below ``folder``, sorted; hidden ones and macOS's archive leftovers aside."""
    if not folder.is_dir():
        raise BadInput(f"the input folder {folder} does not exist")
    below = [path for path in folder.rglob("*") if path.is_file()]
    files = sorted(
        path for path in below if not any(p.startswith((".", "__MACOSX")) for p in path.relative_to(folder).parts)
    )
    if not files:
        raise BadInput(f"there is no file in the input folder {folder}")
    return files


def read_rows(files: Sequence[Path], required: Sequence[str], drops: Drops) -> Iterator[Row]:
    """
    Yield the rows of ``files``, one after the other.

    Rows that hold a NUL, bytes that are not UTF-8, or another number of fields than the header are counted in
    ``drops``. :raises BadInput: a file is empty, is no CSV, or lacks one of the ``required`` columns.
    """
    csv.field_size_limit(LARGEST_FIELD)
    for path in files:
        yield from _read_file(path, required, drops)


def _read_file(path: Path, required: Sequence[str], drops: Drops) -> Iterator[Row]:
    _refuse_other_formats(path)
    nul = _has_nul(path)
    with _open(path) as text:
        header = _header(path, next(csv.reader(_lines(text, nul)), []), required)
    _refuse_unclosed(path, nul)
    with _open(path) as text:
        reader = csv.reader(_lines(text, nul))
        next(reader)
        for number, fields in enumerate(reader, start=1):
            if not fields:
                continue  # an empty line is no row
            place = f"{path.name}:{number}"
            fault = _fault(fields, len(header))
            if fault:
                drops.add(fault, place)
            else:
                yield Row(dict(zip(header, fields, strict=True)), place)


def _refuse_unclosed(path: Path, nul: bool) -> None:
    """
    Refuse a file in which a quotation mark is not closed: the rows behind it, up to the next mark, would be one field.

    Told by the mark that seems to close it lines below: it opens another field, so that text follows and no comma.
    Within one line such text is a quotation inside a review, and swallows nothing.

    :raises BadInput: names the line that the row begins in.
    """
    with _open(path) as text:
        reader = csv.reader(_lines(text, nul), strict=True)
        while True:
            start = reader.line_num
            try:
                if next(reader, None) is None:
                    return
            except csv.Error as error:
                if reader.line_num - start > 1 or "expected after" not in str(error):
                    raise BadInput(
                        f"{path.name}, line {start + 1}: a quotation mark is not closed ({error})"
                    ) from error


def _open(path: Path) -> IO[str]:
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _lines(text: IO[str], nul: bool) -> Iterable[str]:
    """Return the lines with NULs replaced; as they are without one, since a generator takes as long as the reading."""
    return (line.replace("\0", NUL) for line in text) if nul else text


def _has_nul(path: Path) -> bool:
    with path.open("rb") as binary:
        return any(b"\0" in block for block in iter(lambda: binary.read(1 << 16), b""))


def _refuse_other_formats(path: Path) -> None:
    with path.open("rb") as binary:
        head = binary.read(4)
    if not head.strip():
        raise BadInput(f"{path.name} is empty")
    for magic, kind in NOT_CSV.items():
        if head.startswith(magic):
            raise BadInput(f"{path.name} is {kind}, not a CSV in UTF-8")


def _header(path: Path, header: list[str], required: Sequence[str]) -> list[str]:
    missing = [column for column in required if column not in header]
    if missing:
        found = ", ".join(repr(column)[:60] for column in header[:20])
        raise BadInput(f"{path.name} lacks the columns {', '.join(missing)}; its first line has: {found}")
    twice = [column for column, n in Counter(header).items() if n > 1]
    if twice:
        raise BadInput(f"{path.name} has the column {twice[0]!r} more than once")
    return header


def _fault(fields: list[str], width: int) -> str | None:
    if len(fields) != width:
        return "another number of fields than the header"
    for value in fields:
        if not value.isascii() and UNDECODABLE.search(value):
            return "a NUL byte" if NUL in value else "bytes that are not UTF-8"
    return None
