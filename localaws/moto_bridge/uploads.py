"""Multipart uploads as rows: each part is one, and the completed object consists of the parts' files."""

from __future__ import annotations

import base64
import binascii
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, ClassVar

from moto.s3.exceptions import EntityTooSmall, InvalidPart, MalformedXML, RangeNotSatisfiable
from moto.s3.models import FakeKey, FakeMultipart
from moto.settings import S3_UPLOAD_PART_MIN_SIZE

from localaws.moto_bridge import unit
from localaws.moto_bridge.bodies import Body, compute_checksum
from localaws.moto_bridge.database import Database
from localaws.moto_bridge.objects import dumps, loads, names
from localaws.moto_bridge.unit import Unit


class Uploads:
    """Stands where moto has a bucket's ``MultipartDict``."""

    database: ClassVar[Database]

    def __init__(self) -> None:
        #: which bucket; set by whoever stores the bucket.
        self.bucket = 0

    def get(self, upload_id: str, default: Any = None) -> Any:
        """Return the upload of that id."""
        place = (self.bucket, upload_id)
        changed = unit.current().uploads
        if place in changed:
            return changed[place] or default
        with self.database.reading() as connection:
            row = connection.execute("SELECT kept FROM upload WHERE bucket = ? AND id = ?", place).fetchone()
        return loads(row[0]) if row else default

    def __getitem__(self, upload_id: str) -> Any:
        found = self.get(upload_id)
        if found is None:
            raise KeyError(upload_id)
        return found

    def __contains__(self, upload_id: str) -> bool:
        return self.get(upload_id) is not None

    def __setitem__(self, upload_id: str, upload: FakeMultipart) -> None:
        unit.current().uploads[self.bucket, upload_id] = upload
        unit.current().changed = True

    def __delitem__(self, upload_id: str) -> None:
        self[upload_id]
        unit.current().uploads[self.bucket, upload_id] = None
        unit.current().changed = True

    def values(self) -> list[Any]:
        """Return all uploads under way."""
        with self.database.reading() as connection:
            query = "SELECT kept FROM upload WHERE bucket = ? ORDER BY rowid"
            return [loads(kept) for (kept,) in connection.execute(query, (self.bucket,)).fetchall()]


class Parts(MutableMapping[int, Any]):
    """Stands where an upload of moto's has its dictionary of parts."""

    database: ClassVar[Database]

    def __init__(self, upload_id: str) -> None:
        self._upload = upload_id

    def __getitem__(self, number: int) -> Any:
        added = unit.current().parts.get((self._upload, number))
        if added is not None:
            return added
        with self.database.reading() as connection:
            query = "SELECT kept FROM part WHERE upload = ? AND number = ?"
            row = connection.execute(query, (self._upload, number)).fetchone()
        if row is None:
            raise KeyError(number)
        return loads(row[0])

    def __setitem__(self, number: int, part: Any) -> None:
        unit.current().parts[self._upload, number] = part
        unit.current().changed = True

    def __delitem__(self, number: int) -> None:
        raise NotImplementedError("a part goes with its upload")

    def __iter__(self) -> Iterator[int]:
        with self.database.reading() as connection:
            query = "SELECT number FROM part WHERE upload = ? ORDER BY number"
            return iter([number for (number,) in connection.execute(query, (self._upload,)).fetchall()])

    def __len__(self) -> int:
        return len(list(iter(self)))


class _Numbered(dict[int, FakeKey]):
    def __missing__(self, number: int) -> FakeKey:
        raise RangeNotSatisfiable


class Completed:
    """What is remembered of the upload that an object was made by: its id, and which part is where."""

    def __init__(self, upload: Any, parts: list[tuple[int, str, Body]]) -> None:
        self.id = upload.id
        self._account, self._region = upload.account_id, upload.region_name
        self._parts = parts

    @property
    def partlist(self) -> list[int]:
        """The parts' numbers."""
        return [number for number, _, _ in self._parts]

    @property
    def parts(self) -> dict[int, FakeKey]:
        """
        Return the parts as keys of their own.

        :raises RangeNotSatisfiable: on access to a part number that does not exist.
        """
        found = _Numbered()
        for number, etag, body in self._parts:
            found[number] = FakeKey(str(number), b"", self._account, self._region, etag=etag)
            found[number]._value_buffer = body  # type: ignore[assignment]
            found[number].contentsize = len(body)
        return found


def complete(upload: Any, chosen: Iterable[tuple[int, str]]) -> tuple[Body, str, tuple[str, str, int] | None]:
    """
    Make an object of an upload's parts, without reading them.

    :param chosen: the parts' numbers and ETags, in order.
    :returns: the content, the ETag, and kind, value and parts of the checksum if the upload asked for one.
    """
    parts = [_part(upload, number, etag) for number, etag in chosen]
    if not parts:
        raise MalformedXML
    if any(part.contentsize < S3_UPLOAD_PART_MIN_SIZE for part in parts[:-1]):
        raise EntityTooSmall
    etags = [part.etag.strip('"') for part in parts]
    total = hashlib.md5(binascii.unhexlify("".join(etags)), usedforsecurity=False).hexdigest()
    content = Body.joined([part._value_buffer for part in parts])
    places = [(int(part.name), part.etag.strip('"'), part._value_buffer) for part in parts]
    upload.completed = Completed(upload, places)
    return content, f"{total}-{len(parts)}", _checksum(upload, parts, content)


def _part(upload: Any, number: int, etag: str) -> Any:
    part = upload.parts.get(number)
    if part is None or part.etag.strip('"') != etag.strip('"'):
        raise InvalidPart
    return part


def _checksum(upload: Any, parts: list[Any], content: Body) -> tuple[str, str, int] | None:
    algorithm = upload.metadata.get("x-amz-checksum-algorithm")
    if not algorithm:
        return None
    kind = upload.metadata.get("x-amz-checksum-type") or ("FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE")
    if kind == "COMPOSITE":
        together = b"".join(part.own_checksum for part in parts)
        return kind, compute_checksum(together, algorithm).decode(), len(parts)
    return kind, compute_checksum(content, algorithm).decode(), 1


def sum_part(upload: Any, part: Any) -> None:
    """Note a part's own checksum, where the completed object's is made of them."""
    algorithm = upload.metadata.get("x-amz-checksum-algorithm")
    if algorithm:
        part.own_checksum = base64.b64decode(compute_checksum(part._value_buffer, algorithm))


def write(connection: sqlite3.Connection, done: Unit, before: set[str], after: set[str]) -> None:
    """Store the uploads and parts of a unit; as :func:`.objects.write_versions`."""
    for (bucket, upload_id), upload in done.uploads.items():
        if upload is None:
            before.update(remove(connection, upload_id))
            continue
        query = "INSERT INTO upload (bucket, id, kept) VALUES (?, ?, ?)"
        connection.execute(query, (bucket, upload_id, dumps(upload)))
    for (upload_id, number), part in done.parts.items():
        query = "SELECT files FROM part WHERE upload = ? AND number = ?"
        for (files,) in connection.execute(query, (upload_id, number)).fetchall():
            before.update(files.split())
        query = "INSERT OR REPLACE INTO part (upload, number, files, kept) VALUES (?, ?, ?, ?)"
        connection.execute(query, (upload_id, number, " ".join(names(part)), dumps(part)))
        after.update(names(part))


def remove(connection: sqlite3.Connection, upload_id: str) -> list[str]:
    """Forget an upload and its parts; the files that they referred to."""
    rows = connection.execute("SELECT files FROM part WHERE upload = ?", (upload_id,)).fetchall()
    connection.execute("DELETE FROM part WHERE upload = ?", (upload_id,))
    connection.execute("DELETE FROM upload WHERE id = ?", (upload_id,))
    return [name for (files,) in rows for name in files.split()]
