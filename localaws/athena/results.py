"""Result files at OutputLocation: their names, the metadata beside them, and reading them back a page at a time."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from localaws.athena.types import ColumnInfo

#: the content type of what Athena writes.
OCTETS = "application/octet-stream"
_CHUNK = 1 << 20
#: from here on an upload goes in parts.
_LARGE = 16 << 20
#: ``.csv`` of a query, ``.txt`` of all else, and no file of its own (but a name for its metadata) for what writes data.
_NAMES = {"SELECT": "{id}.csv", "INSERT": "{id}", "UNLOAD": "{id}", "CREATE_TABLE_AS_SELECT": "tables/{id}"}


def location(output: str, execution: str, substatement: str) -> str:
    """Return the URI of an execution's result file, below the output location."""
    return output.rstrip("/") + "/" + _NAMES.get(substatement, "{id}.txt").format(id=execution)


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of ``s3://bucket/key``."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def upload(s3: Any, path: Path, uri: str) -> None:
    """Put a local file into S3."""
    bucket, key = split(uri)
    if path.stat().st_size >= _LARGE:
        s3.upload_file(str(path), bucket, key, ExtraArgs={"ContentType": OCTETS})
        return
    with open(path, "rb") as file:
        s3.put_object(Bucket=bucket, Key=key, Body=file, ContentType=OCTETS)


def metadata(identifier: str, columns: list[ColumnInfo], update_type: str | None, update_count: int | None) -> bytes:
    """
    Encode the metadata file beside a result: its columns in protobuf, as JDBC drivers read them.

    Field 1 is an id, 2 and 3 what a writing statement did and to how many rows, 4 a column: 1 catalog, 4 name, 5 label,
    6 type, 7 precision, 8 scale, 9 nullable (3: unknown), 10 case sensitive; a type decides which of these it has.
    """
    parts = [_bytes(1, identifier.encode())]
    if update_type is not None:
        parts += [_bytes(2, update_type.encode()), _number(3, update_count or 0)]
    for column in columns:
        body = [_bytes(1, b"hive"), _bytes(4, column.name.encode()), _bytes(5, column.name.encode())]
        body.append(_bytes(6, column.type.encode()))
        body += [_number(tag, value) for tag, value in ((7, column.precision), (8, column.scale)) if value is not None]
        body.append(_number(9, 3))
        if column.case_sensitive is not None:
            body.append(_number(10, int(column.case_sensitive)))
        parts.append(_bytes(4, b"".join(body)))
    return b"".join(parts)


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _number(tag: int, value: int) -> bytes:
    return _varint(tag << 3) + _varint(value)


def _bytes(tag: int, value: bytes) -> bytes:
    return _varint(tag << 3 | 2) + _varint(len(value)) + value


#: one field with what ends it, as :func:`.queries.write_csv` writes them.
_FIELD = re.compile(rb'(?:"((?:[^"]|"")*)")?([,\n])')


def csv_page(s3: Any, uri: str, offset: int, count: int) -> tuple[list[list[str | None]], int | None]:
    """
    ``count`` rows of a result from a byte offset on, and the offset of the row after them; ``None`` at the end.

    Reads no more of the object than it needs.
    """
    bucket, key = split(uri)
    answer = s3.get_object(Bucket=bucket, Key=key, **({"Range": f"bytes={offset}-"} if offset else {}))
    end = offset + int(answer["ContentLength"])
    rows: list[list[str | None]] = []
    row: list[str | None] = []
    with closing(answer["Body"]) as body:
        for value, separator, length in _fields(body):
            row.append(value)
            offset += length
            if separator == b"\n":
                rows.append(row)
                row = []
                if len(rows) == count:
                    break
    return rows, offset if offset < end else None


def _fields(body: Any) -> Iterator[tuple[str | None, bytes, int]]:
    """Field by field: the value, what ends it, and the count of bytes of both."""
    data, at = b"", 0
    while True:
        match = _FIELD.match(data, at)
        if match is None:
            chunk = body.read(_CHUNK)
            if not chunk:
                return
            data, at = data[at:] + chunk, 0
            continue
        value = None if match[1] is None else match[1].replace(b'""', b'"').decode()
        yield value, match[2], match.end() - at
        at = match.end()


def token(offset: int) -> str:
    """NextToken for an offset."""
    return base64.b64encode(f"at:{offset}".encode()).decode()


def offset_of(text: str) -> int:
    """
    Return the offset in a NextToken.

    :raises ValueError: the token was not issued here.
    """
    try:
        prefix, _, number = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(text) from error
    if prefix != "at" or not number.isdigit():
        raise ValueError(text)
    return int(number)
