"""S3's objects as rows: what moto takes for a bucket's dictionary of keys reads them, and a commit writes them."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar

from moto.s3.models import FakeDeleteMarker, FakeKey

from localaws.moto_bridge import unit
from localaws.moto_bridge.database import Database
from localaws.moto_bridge.unit import Unit

SCHEMA = """
CREATE TABLE IF NOT EXISTS bucket (id INTEGER PRIMARY KEY, kept BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS object (
    id INTEGER PRIMARY KEY,
    bucket INTEGER NOT NULL,
    name BLOB NOT NULL,
    marker INTEGER NOT NULL,
    size INTEGER NOT NULL,
    files TEXT NOT NULL,
    kept BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS object_name ON object (bucket, name, id, marker, size);
CREATE TABLE IF NOT EXISTS upload (
    bucket INTEGER NOT NULL, id TEXT NOT NULL, kept BLOB NOT NULL, PRIMARY KEY (bucket, id)
);
CREATE TABLE IF NOT EXISTS part (
    upload TEXT NOT NULL,
    number INTEGER NOT NULL,
    files TEXT NOT NULL,
    kept BLOB NOT NULL,
    PRIMARY KEY (upload, number)
);
CREATE TABLE IF NOT EXISTS tag (arn TEXT PRIMARY KEY, kept BLOB NOT NULL);
"""


def encoded(name: str) -> bytes:
    """Encode a key as it is stored and compared: S3 sorts by bytes of UTF-8."""
    return name.encode("utf-8", "surrogatepass")


def decoded(name: bytes) -> str:
    """Decode what :func:`encoded` gave."""
    return name.decode("utf-8", "surrogatepass")


def dumps(value: Any) -> bytes:
    """Encode one of moto's objects for its row."""
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def loads(data: bytes) -> Any:
    """Decode what :func:`dumps` gave; the rows are this program's, in a folder that only its owner writes to."""
    return pickle.loads(data)  # noqa: S301


@dataclass
class Versions:
    """The versions of one key, oldest first: as they are stored, and as the request wants them."""

    rows: list[tuple[int, bytes]]
    stored: list[Any]
    wanted: list[Any]


class Keys:
    """Stands where moto has a bucket's ``_VersionedKeyStore``."""

    database: ClassVar[Database]

    def __init__(self) -> None:
        #: which bucket; set by whoever stores the bucket.
        self.bucket = 0

    def _versions(self, name: str) -> Versions:
        loaded: dict[tuple[int, bytes], Versions] = unit.current().versions
        place = (self.bucket, encoded(name))
        if place not in loaded:
            with self.database.reading() as connection:
                rows = connection.execute(
                    "SELECT id, kept FROM object WHERE bucket = ? AND name = ? ORDER BY id", place
                ).fetchall()
            stored = [loads(kept) for _, kept in rows]
            loaded[place] = Versions(rows, stored, list(stored))
        return loaded[place]

    def __contains__(self, name: str) -> bool:
        return bool(self._versions(name).wanted)

    def __getitem__(self, name: str) -> Any:
        wanted = self._versions(name).wanted
        if not wanted:
            raise KeyError(name)
        return wanted[-1]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the latest version."""
        wanted = self._versions(name).wanted
        return wanted[-1] if wanted else default

    def getlist(self, name: str, default: Any = None) -> Any:
        """Return all versions, oldest first."""
        wanted = self._versions(name).wanted
        return list(wanted) if wanted else default

    def __setitem__(self, name: str, value: Any) -> None:
        self._versions(name).wanted.append(value)
        unit.current().changed = True

    def setlist(self, name: str, versions: Iterable[Any]) -> None:
        """Replace all versions. The tags of those whose ids are gone go with them."""
        known = self._versions(name)
        now = list(versions)
        ids = {version.version_id for version in now}
        self._untag(version for version in known.wanted if version.version_id not in ids)
        known.wanted = now
        unit.current().changed = True

    def pop(self, name: str) -> None:
        """
        Remove all versions.

        :raises KeyError: there are none.
        """
        known = self._versions(name)
        if not known.wanted:
            raise KeyError(name)
        self._untag(known.wanted)
        known.wanted = []
        unit.current().changed = True

    @staticmethod
    def _untag(versions: Iterable[Any]) -> None:
        tags = Tags()
        for version in versions:
            if isinstance(version, FakeKey):
                tags.pop(version.arn, None)

    def __bool__(self) -> bool:
        with self.database.reading() as connection:
            query = "SELECT EXISTS (SELECT 1 FROM object WHERE bucket = ?)"
            return bool(connection.execute(query, (self.bucket,)).fetchone()[0])

    def __len__(self) -> int:
        with self.database.reading() as connection:
            query = "SELECT count(DISTINCT name) FROM object WHERE bucket = ?"
            return int(connection.execute(query, (self.bucket,)).fetchone()[0])

    def item_size(self) -> int:
        """Return the bytes of all versions."""
        with self.database.reading() as connection:
            query = "SELECT coalesce(sum(size), 0) FROM object WHERE bucket = ?"
            return int(connection.execute(query, (self.bucket,)).fetchone()[0])


@dataclass
class _Tagged:
    stored: bytes | None
    tags: dict[str, str | None] | None


class Tags(MutableMapping[str, dict[str, str | None]]):
    """Stands where moto's tagging service of S3 has its dictionary: an ARN's tags are a row."""

    database: ClassVar[Database]

    def _entry(self, arn: str) -> _Tagged:
        loaded = unit.current().tags
        if arn not in loaded:
            with self.database.reading() as connection:
                row = connection.execute("SELECT kept FROM tag WHERE arn = ?", (arn,)).fetchone()
            loaded[arn] = _Tagged(row[0], loads(row[0])) if row else _Tagged(None, None)
        found: _Tagged = loaded[arn]
        return found

    def __getitem__(self, arn: str) -> dict[str, str | None]:
        tags = self._entry(arn).tags
        if tags is None:
            raise KeyError(arn)
        return tags

    def __setitem__(self, arn: str, tags: dict[str, str | None]) -> None:
        self._entry(arn).tags = tags

    def __delitem__(self, arn: str) -> None:
        self[arn]
        self._entry(arn).tags = None

    def __iter__(self) -> Iterator[str]:
        with self.database.reading() as connection:
            return iter([arn for (arn,) in connection.execute("SELECT arn FROM tag").fetchall()])

    def __len__(self) -> int:
        return len(list(iter(self)))


def write_versions(connection: sqlite3.Connection, done: Unit, before: set[str], after: set[str]) -> None:
    """
    Store what a unit wants of each key.

    :param before: takes the names of the files that the changed rows referred to.
    :param after: takes the names of the files that they refer to now.
    """
    for place, versions in done.versions.items():
        rows = {id(version): row for version, row in zip(versions.stored, versions.rows, strict=True)}
        for version in versions.wanted:
            known = rows.pop(id(version), None)
            _write_version(connection, place, version, known, after)
        for number, _ in rows.values():
            connection.execute("DELETE FROM object WHERE id = ?", (number,))
        before.update(name for version in versions.stored for name in names(version))


def names(version: Any) -> list[str]:
    """Return the files of a version; a delete marker has none."""
    if isinstance(version, FakeDeleteMarker):
        return []
    found: list[str] = version._value_buffer.names
    return found


def _write_version(
    connection: sqlite3.Connection,
    place: tuple[int, bytes],
    version: Any,
    known: tuple[int, bytes] | None,
    after: set[str],
) -> None:
    files = names(version)
    after.update(files)
    kept = dumps(version)
    if known is None:
        size = version.contentsize if isinstance(version, FakeKey) else 0
        connection.execute(
            "INSERT INTO object (bucket, name, marker, size, files, kept) VALUES (?, ?, ?, ?, ?, ?)",
            (*place, isinstance(version, FakeDeleteMarker), size, " ".join(files), kept),
        )
    elif known[1] != kept:
        connection.execute("UPDATE object SET kept = ? WHERE id = ?", (kept, known[0]))


def write_tags(connection: sqlite3.Connection, done: Unit) -> None:
    """Store the tags that a unit has changed."""
    for arn, entry in done.tags.items():
        if not entry.tags:
            if entry.stored is not None:
                connection.execute("DELETE FROM tag WHERE arn = ?", (arn,))
            continue
        kept = dumps(entry.tags)
        if kept != entry.stored:
            connection.execute("INSERT OR REPLACE INTO tag (arn, kept) VALUES (?, ?)", (arn, kept))
