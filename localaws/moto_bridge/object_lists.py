"""The lists of S3's objects, page by page out of the index: moto's own read all keys of the bucket for each page."""

from __future__ import annotations

import base64
import binascii
import itertools
import sqlite3
from collections.abc import Iterator
from typing import Any

from moto.s3.exceptions import InvalidContinuationToken, MethodNotAllowed
from moto.s3.models import FakeDeleteMarker, FakeTableStorageBucket

from localaws.moto_bridge.objects import Keys, decoded, encoded, loads

#: names that are read at once: after a common prefix, and at most.
_LEAST, _MOST = 16, 1000

Row = tuple[int, bytes, int]


def list_objects(
    _: Any, bucket: Any, prefix: str | None, delimiter: str | None, marker: str | None, max_keys: int | None
) -> tuple[list[Any], list[str], bool, str | None]:
    """As moto's method of that name. Keys and common prefixes count together, as AWS counts them."""
    items, more = _page(bucket, prefix, delimiter, marker, max_keys)
    keys, prefixes = _split(items)
    last = items[-1] if more and items else None
    return keys, prefixes, more, last if last is None or isinstance(last, str) else last.name


def list_objects_v2(
    _: Any,
    bucket: Any,
    prefix: str | None,
    delimiter: str | None,
    continuation_token: str | None,
    start_after: str | None,
    max_keys: int,
) -> tuple[list[Any], bool, str | None]:
    """As moto's method of that name; a token is the last item, so that it outlives this process."""
    after = _of_token(continuation_token) if continuation_token else start_after
    items, more = _page(bucket, prefix, delimiter, after, max_keys)
    if not (more and items):
        return items, False, None
    last = items[-1] if isinstance(items[-1], str) else items[-1].name
    return items, True, base64.urlsafe_b64encode(encoded(last)).decode()


def _of_token(token: str) -> str:
    try:
        return decoded(base64.b64decode(token, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise InvalidContinuationToken from error


def _split(items: list[Any]) -> tuple[list[Any], list[str]]:
    return [item for item in items if not isinstance(item, str)], [item for item in items if isinstance(item, str)]


def _page(
    bucket: Any, prefix: str | None, delimiter: str | None, after: str | None, most: int | None
) -> tuple[list[Any], bool]:
    """Return up to ``most`` keys and common prefixes (strings), in order, and whether there are others."""
    if isinstance(bucket, FakeTableStorageBucket):
        raise MethodNotAllowed
    if most == 0:
        return [], False
    place = (bucket.keys.bucket, encoded(prefix or ""), encoded(delimiter or ""))
    with Keys.database.snapshot() as connection:
        items = _Scan(connection, *place, live=True).items(encoded(after or ""))
        found = list(itertools.islice(items, None if most is None else most + 1))
        page = found[:most]
        objects = _loaded(connection, [item[0] for item in page if isinstance(item, tuple)])
    return [decoded(item) if isinstance(item, bytes) else objects[item[0]] for item in page], len(found) > len(page)


def _loaded(connection: sqlite3.Connection, numbers: list[int]) -> dict[int, Any]:
    found = {}
    for start in range(0, len(numbers), _MOST):
        some = numbers[start : start + _MOST]
        query = f"SELECT id, kept FROM object WHERE id IN ({', '.join('?' * len(some))})"  # noqa: S608
        found.update({number: loads(kept) for number, kept in connection.execute(query, some).fetchall()})
    return found


class _Scan:
    """
    Goes through a bucket's keys in order.

    :param live: leave out the keys whose latest version is a delete marker.
    """

    def __init__(
        self, connection: sqlite3.Connection, bucket: int, prefix: bytes, delimiter: bytes, *, live: bool
    ) -> None:
        self._bucket, self._prefix, self._delimiter = bucket, prefix, delimiter
        self._end = _successor(prefix)
        self._live, self._connection = live, connection

    def items(self, after: bytes) -> Iterator[bytes | Row]:
        """Yield common prefixes, and rows of the others, beyond ``after``."""
        start, size = max(after + b"\0", self._prefix) if after else self._prefix, _MOST
        if self._delimiter:
            size = _LEAST
        while True:
            rows = self._rows(start, size)
            resume: bytes | None = rows[-1][1] + b"\0" if len(rows) == size else None
            size = min(4 * size, _MOST)
            for row in rows:
                common = self._common(row[1])
                if not common:
                    yield row
                    continue
                if common > after:
                    yield common
                resume, size = _successor(common), _LEAST
                break
            if resume is None:
                return
            start = resume

    def _common(self, name: bytes) -> bytes:
        if not self._delimiter:
            return b""
        at = name.find(self._delimiter, len(self._prefix))
        return name[: at + len(self._delimiter)] if at >= 0 else b""

    def _rows(self, start: bytes, most: int) -> list[Row]:
        end = "" if self._end is None else " AND name < ?"
        places: list[Any] = [self._bucket, start] if self._end is None else [self._bucket, start, self._end]
        having = "HAVING marker = 0 " if self._live else ""
        query = (
            f"SELECT max(id), name, marker FROM object WHERE bucket = ? AND name >= ?{end}"  # noqa: S608
            f" GROUP BY name {having}ORDER BY name LIMIT ?"
        )
        found: list[Row] = self._connection.execute(query, (*places, most)).fetchall()
        return found


def _successor(prefix: bytes) -> bytes | None:
    """Return the least key beyond all that begin with ``prefix``; ``None`` if there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


def list_object_versions(
    backend: Any,
    bucket_name: str,
    delimiter: str | None = None,
    key_marker: str | None = None,
    max_keys: int | None = 1000,
    prefix: str = "",
    version_id_marker: str | None = None,
) -> tuple[list[Any], list[str], list[Any], str | None, str | None]:
    """As moto's method of that name: versions, common prefixes, delete markers, and where the next page begins."""
    keys = backend.get_bucket(bucket_name).keys
    most = 1000 if max_keys is None else max_keys
    with Keys.database.snapshot() as connection:
        scan = _Scan(connection, keys.bucket, encoded(prefix or ""), encoded(delimiter or ""), live=False)
        found = list(itertools.islice(_versions(scan, keys, key_marker, version_id_marker), most + 1))
    page = found[:most]
    prefixes = [item for item in page if isinstance(item, str)]
    markers = [item for item in page if isinstance(item, FakeDeleteMarker)]
    versions = [item for item in page if not isinstance(item, str | FakeDeleteMarker)]
    if len(found) <= most or not page:
        return versions, prefixes, markers, None, None
    last = page[-1]
    key, version_id = (last, None) if isinstance(last, str) else (last.name, last.version_id)
    return versions, prefixes, markers, key, version_id


def _versions(scan: _Scan, keys: Keys, key_marker: str | None, version_id: str | None) -> Iterator[Any]:
    """Return versions, the latest of each key first, and common prefixes as strings, beyond the markers."""
    if key_marker and version_id:
        versions = _latest_first(keys, key_marker)
        rest = itertools.dropwhile(lambda version: str(version.version_id) != version_id, versions)
        yield from itertools.islice(rest, 1, None)
    for item in scan.items(encoded(key_marker or "")):
        if isinstance(item, bytes):
            yield decoded(item)
        else:
            yield from _latest_first(keys, decoded(item[1]))


def _latest_first(keys: Keys, name: str) -> Iterator[Any]:
    for index, version in enumerate(reversed(keys.getlist(name, []))):
        version.is_latest = index == 0
        yield version
