"""
A reader of tar files that takes no member on trust.

Python's tarfile reads headers of any size into memory, and how it guards against hostile members differs from one
release to the next. This one knows what ``tar``, Python and the SageMaker SDK write (ustar, GNU, pax), and refuses the
rest by name.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

BLOCK = 512
#: bytes of a header that carries a long name, or pax records: paths have at most 4,096.
_MAX_EXTENSION = 1 << 16
_MAX_NAME, _MAX_PART, _MAX_DEPTH = 4096, 255, 100


class Kind(enum.Enum):
    """What a member is; there are no others."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    HARD_LINK = "hard link"


_KINDS = {
    **dict.fromkeys((b"0", b"\0", b"7"), Kind.FILE),
    b"5": Kind.FOLDER,
    b"2": Kind.LINK,
    b"1": Kind.HARD_LINK,
}
_REFUSED = {b"3": "a device", b"4": "a device", b"6": "a pipe", b"S": "a sparse file", b"M": "a part of a file"}
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL = b"L", b"K", b"x", b"g"


class TarError(ValueError):
    """The member is of a kind that is refused; the message names it."""


class BrokenTar(ValueError):
    """It is no tar file, or not a whole one."""


class Source(Protocol):
    """Where the bytes come from."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""


@dataclass(frozen=True)
class Member:
    """
    A member, by its header.

    :param path: relative, and without ``.`` and empty parts; empty for the root itself.
    :param target: what a link leads to, as it stands.
    :param size: bytes of a file's content.
    """

    path: str
    kind: Kind
    size: int
    target: str
    executable: bool


class TarReader:
    """Iterate over the members; :meth:`read` gives the content of the present one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = 0
        self._padding = 0

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes of the present member's content, none at its end."""
        content = self._exactly(min(size, self._left))
        self._left -= len(content)
        return content

    def __iter__(self) -> Iterator[Member]:
        first = True
        while (header := self._source.read(BLOCK)) and any(header):
            if len(header) < BLOCK:
                header += self._exactly(BLOCK - len(header))
            yield self._member(header)
            first = False
            while self.read(1 << 20):
                pass
            self._exactly(self._padding)
            self._padding = 0
        if first and not header:
            raise BrokenTar("it is empty")

    def _member(self, header: bytes) -> Member:
        records: dict[str, str] = {}
        while (kind := _checked(header)[156:157]) in (_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL):
            records |= self._extension(header, kind)
            header = self._exactly(BLOCK)
        name = records.get("path") or _name(header)
        if kind not in _KINDS:
            raise TarError(f"the member {name!r} is {_REFUSED.get(kind, f'of the unknown type {kind!r}')}")
        if any(key.startswith("GNU.sparse.") for key in records):
            raise TarError(f"the member {name!r} is a sparse file")
        found = Kind.FOLDER if kind == b"\0" and name.endswith("/") else _KINDS[kind]
        size = _size(records["size"]) if "size" in records else _number(header[124:136])
        self._left = size if found is Kind.FILE else 0
        self._padding = -self._left % BLOCK
        target = records.get("linkpath") or _text(header[157:257])
        if "\0" in target or len(target) > _MAX_NAME:
            raise TarError(f"the link {name!r} has a target that is not a path")
        return Member(_clean(name), found, self._left, target, bool(_number(header[100:108]) & 0o100))

    def _extension(self, header: bytes, kind: bytes) -> dict[str, str]:
        size = _number(header[124:136])
        if size > _MAX_EXTENSION:
            raise TarError(f"a header of {size} bytes: names and attributes may have {_MAX_EXTENSION}")
        content = self._exactly(size)
        self._exactly(-size % BLOCK)
        if kind in (_LONG_NAME, _LONG_LINK):
            key = "path" if kind == _LONG_NAME else "linkpath"
            return {key: _decode(content.removesuffix(b"\0"))}
        records = _records(content)
        if kind == _PAX_GLOBAL:
            if not records.keys().isdisjoint(("path", "linkpath", "size")):
                raise TarError("a global header names one path for all members")
            return {}
        return records

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size and (part := self._source.read(size)):
            parts.append(part)
            size -= len(part)
        if size:
            raise BrokenTar("it ends within a member")
        return b"".join(parts)


def _checked(header: bytes) -> bytes:
    total = sum(header[:148]) + 8 * ord(" ") + sum(header[156:])
    if total != _number(header[148:156]):
        raise BrokenTar("a header's checksum is wrong")
    return header


def _name(header: bytes) -> str:
    name = _text(header[:100])
    # Only POSIX's form has a prefix there: GNU's has times.
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _clean(name: str) -> str:
    """Return the path of a member; refuse one that leaves its folder."""
    if "\0" in name:
        raise TarError(f"the member {name!r} has a name that is not a path")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise TarError(f"the member {name!r} would be written outside of its folder")
    sizes = [len(part.encode("utf-8", "surrogateescape")) for part in parts]
    if max(sizes, default=0) > _MAX_PART or sum(sizes) + len(sizes) > _MAX_NAME or len(sizes) > _MAX_DEPTH:
        raise TarError(f"the member {name[:60]!r}... has a name that is too long or too deep")
    return "/".join(parts)


def _text(field: bytes) -> str:
    return _decode(field.partition(b"\0")[0])


def _decode(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _number(field: bytes) -> int:
    """Octal digits, or GNU's binary form for what does not fit."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0") or b"0"
    try:
        value = int(digits, 8)
    except ValueError as error:
        raise BrokenTar("a header's number is malformed") from error
    if value < 0:
        raise BrokenTar("a header's number is negative")
    return value


def _size(digits: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise BrokenTar(f"a size is not a number: {digits[:20]!r}")
    return int(digits)


def _records(content: bytes) -> dict[str, str]:
    """Parse the ``length key=value`` records of a pax header."""
    found = {}
    while content.strip(b"\0"):
        digits, blank, _ = content[:12].partition(b" ")
        length = int(digits) if blank and digits.isdigit() else 0
        record, content = content[:length], content[length:]
        key, equals, value = record[len(digits) + 1 :].partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise BrokenTar("a pax header is malformed")
        found[_decode(key)] = _decode(value[:-1])
    return found
