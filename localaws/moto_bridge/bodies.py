"""The contents of S3 objects: small ones in their row, others in files, in place of moto's buffers in memory."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from moto.core.compat import HAS_CRT
from moto.s3 import utils

from localaws.gateway.protocol.http import FileBody, Segment, Upload
from localaws.moto_bridge import unit
from localaws.moto_bridge.files import Files

#: contents of up to this many bytes are kept in the row of their object.
INLINE = 4096
_BLOCK = 1 << 20


class Body:
    """
    What an object consists of: bytes, or one file after another.

    It has the part of a temporary file's interface that moto's S3 keys use. It never changes once it is written; what
    replaces it is another one.
    """

    #: where all files of this process are.
    files: ClassVar[Files]

    def __init__(self, max_size: int = 0) -> None:
        self.data = b""
        self.pieces: list[tuple[str, int]] = []
        #: the digest, where it is known without reading.
        self.md5: str | None = None
        self._position = 0

    @classmethod
    def of(cls, data: bytes) -> Body:
        """Keep these bytes."""
        made = cls()
        if len(data) <= INLINE:
            made.data = bytes(data)
        else:
            made.pieces = [(_noted(cls.files.write(data)), len(data))]
        return made

    @classmethod
    def taken(cls, upload: Upload) -> Body:
        """Keep a file that is on disk already."""
        made = cls()
        made.pieces = [(_noted(cls.files.take(upload.path)), upload.size)]
        made.md5 = upload.md5.hex()
        return made

    @classmethod
    def joined(cls, bodies: list[Body]) -> Body:
        """Return the bodies joined, without a copy: the files are those of the parts."""
        made = cls()
        if all(not body.pieces for body in bodies):
            return cls.of(b"".join(body.data for body in bodies))
        for body in bodies:
            made.pieces += body.pieces or ([(_noted(cls.files.write(body.data)), len(body.data))] if body.data else [])
        return made

    def __len__(self) -> int:
        return sum(size for _, size in self.pieces) if self.pieces else len(self.data)

    @property
    def names(self) -> list[str]:
        """The files that it needs."""
        return [name for name, _ in self.pieces]

    def opened(self) -> FileBody:
        """Return all of it, to be read later: the files stay for as long as the answer needs them."""
        segments = [Segment(self.files.path(name), 0, size) for name, size in self.pieces]
        return FileBody(segments, self.files.hold())

    def blocks(self) -> Iterator[bytes]:
        """Return all of it, block by block."""
        if not self.pieces:
            yield self.data
        for name, _ in self.pieces:
            with open(self.files.path(name), "rb") as file:
                while block := file.read(_BLOCK):
                    yield block

    def digest(self) -> str:
        """Return the MD5 of all of it."""
        if self.md5 is None:
            hashed = hashlib.md5(usedforsecurity=False)
            for block in self.blocks():
                hashed.update(block)
            self.md5 = hashed.hexdigest()
        return self.md5

    # --- as moto uses it -------------------------------------------------------------------------------------

    def seek(self, position: int) -> int:
        """Go back to the start."""
        self._position = position
        return position

    def read(self, size: int = -1) -> bytes:
        """Return all bytes, once: moto reads until nothing comes."""
        if self._position:
            return b""
        self._position = 1
        return self.data if not self.pieces else b"".join(self.blocks())

    def close(self) -> None:
        """Keep the files: the transaction that forgets them removes them."""

    def __getstate__(self) -> tuple[bytes, list[tuple[str, int]]]:
        return self.data, self.pieces

    def __setstate__(self, state: tuple[bytes, list[tuple[str, int]]]) -> None:
        self.data, self.pieces = state
        self.md5 = None
        self._position = 0


class Borrowed:
    """
    A stretch of another object, as the value of a copy of it: nothing is read.

    :param etag: of the object, where the stretch is all of it.
    """

    def __init__(self, body: Body, start: int, size: int, etag: str = "") -> None:
        self.body, self._start, self._size, self._etag = body, start, size, etag

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> Borrowed:
        start, stop, _ = part.indices(self._size)
        return Borrowed(self.body, self._start + start, max(0, stop - start))

    def blocks(self) -> Iterator[bytes]:
        """Return all of the object that it is a stretch of."""
        return self.body.blocks()

    def copied(self) -> Body:
        """Copy into a body of its own, of links to the same files where they are wanted whole."""
        if not self.body.pieces:
            return Body.of(self.body.data[self._start : self._start + self._size])
        made = Body()
        at = 0
        for name, size in self.body.pieces:
            start, stop = max(self._start, at), min(self._start + self._size, at + size)
            if (start, stop) == (at, at + size):
                made.pieces.append((_noted(Body.files.link(name)), size))
            elif start < stop:
                made.pieces.append((_noted(Body.files.cut(name, start - at, stop - start)), stop - start))
            at += size
        if self._etag and "-" not in self._etag:
            made.md5 = self._etag
        return made


def spooled() -> Body | None:
    """Take the body of the present request, if it is on disk already: its file becomes one of ours."""
    request = unit.current()
    if request.upload and request.body is None:
        request.body = Body.taken(request.upload)
    body: Body | None = request.body
    return body


def _noted(name: str) -> str:
    # Where the request fails nothing will refer to the file.
    unit.current().made.add(name)
    return name


def body_of(value: Any) -> Body:
    """Return what moto gives a key as its value, as a body."""
    if isinstance(value, Body):
        return value
    if isinstance(value, Borrowed):
        return value.copied()
    return Body.of(value.encode() if isinstance(value, str) else value)


def compute_checksum(body: Any, algorithm: str, encode_base64: bool = True) -> bytes:
    """moto's function of that name, which reads a body block by block."""
    if isinstance(body, bytes | bytearray):
        return bytes(utils.compute_checksum(bytes(body), algorithm, encode_base64))
    digest = _digest(body.blocks(), algorithm)
    return base64.b64encode(digest) if encode_base64 else digest


def _digest(blocks: Iterator[bytes], algorithm: str) -> bytes:
    if algorithm in ("SHA1", "SHA256"):
        hashed = hashlib.new(algorithm, usedforsecurity=False)
        for block in blocks:
            hashed.update(block)
        return hashed.digest()
    update, size = _running(algorithm)
    value = 0
    for block in blocks:
        value = update(block, value)
    return value.to_bytes(size, "big")


def _running(algorithm: str) -> tuple[Callable[[bytes, int], int], int]:
    """Return a running checksum and its length. Without the module for one moto takes CRC32."""
    if algorithm == "CRC64NVME" and HAS_CRT:
        from awscrt import checksums

        return checksums.crc64nvme, 8
    if algorithm == "CRC32C":
        try:
            import crc32c
        except ImportError:
            return binascii.crc32, 4
        return crc32c.crc32c, 4
    return binascii.crc32, 4
