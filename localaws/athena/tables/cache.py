"""S3 objects kept locally by bucket, key and ETag, and what was made of them: bounded, nothing in use removed."""

from __future__ import annotations

import hashlib
import os
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws.athena.errors import QueryError

_MEBIBYTE = 1 << 20
#: the most that the cache may hold between queries; one query may go beyond it for its own inputs.
LIMIT_BYTES = int(os.environ.get("LOCALAWS_ATHENA_CACHE_MB", "4096")) * _MEBIBYTE


@dataclass(frozen=True)
class S3Object:
    """One object of a table."""

    bucket: str
    key: str
    etag: str
    size: int

    @property
    def uri(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"


class Cache:
    """
    A folder of files made from S3 objects.

    :param folder: where; created when needed.
    :param s3: a boto3 S3 client.
    """

    def __init__(self, folder: Path, s3: Any, limit: int = LIMIT_BYTES) -> None:
        self.folder = folder
        self._s3 = s3
        self._limit = limit
        self._lock = threading.Lock()
        self._pins: Counter[Path] = Counter()
        self._making: dict[Path, threading.Lock] = {}

    @contextmanager
    def session(self) -> Iterator[Session]:
        """For one query: what it takes from the cache stays there until the end."""
        session = Session(self)
        try:
            yield session
        finally:
            self._release(session.files)
            self.evict()

    def path(self, item: S3Object, variant: str) -> Path:
        """Return where the file of an object in a variant lies."""
        name = hashlib.sha256(f"{item.bucket}\n{item.key}\n{item.etag}\n{variant}".encode()).hexdigest()
        return self.folder / f"{name}.parquet"

    def pin(self, path: Path) -> None:
        """Keep a file until :meth:`_release`."""
        with self._lock:
            self._pins[path] += 1

    def _release(self, files: set[Path]) -> None:
        with self._lock:
            self._pins.subtract(files)
            self._pins += Counter()

    def make(self, path: Path, maker: Callable[[Path], None]) -> None:
        """Make ``path`` unless it is there: whole or not at all, and once when several queries want it."""
        with self._lock:
            lock = self._making.setdefault(path, threading.Lock())
        with lock:
            if not path.exists():
                self.folder.mkdir(parents=True, exist_ok=True)
                partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
                try:
                    maker(partial)
                    partial.replace(path)
                finally:
                    partial.unlink(missing_ok=True)
            os.utime(path)
        with self._lock:
            self._making.pop(path, None)

    def download(self, item: S3Object, path: Path) -> None:
        """
        Fetch an object, which must still be the one that was listed.

        :raises QueryError: HIVE_CANNOT_OPEN_SPLIT, it is gone or was replaced meanwhile.
        """
        try:
            answer = self._s3.get_object(Bucket=item.bucket, Key=item.key)
        except ClientError as error:
            raise QueryError("HIVE_CANNOT_OPEN_SPLIT", f"Error opening Hive split {item.uri}: {error}") from error
        if answer["ETag"] != item.etag:
            raise QueryError(
                "HIVE_CANNOT_OPEN_SPLIT", f"Error opening Hive split {item.uri}: the object was changed", retryable=True
            )
        with open(path, "wb") as file:
            for block in answer["Body"].iter_chunks(_MEBIBYTE):
                file.write(block)

    def evict(self) -> None:
        """Remove what was used longest ago until the rest is within the limit."""
        if not self.folder.is_dir():
            return
        with self._lock:
            found = [(path, path.stat()) for path in self.folder.glob("*.parquet")]
            total = sum(status.st_size for _, status in found)
            for path, status in sorted(found, key=lambda pair: pair[1].st_mtime):
                if total <= self._limit:
                    break
                if not self._pins[path]:
                    path.unlink(missing_ok=True)
                    total -= status.st_size

    def sweep(self) -> None:
        """At start: remove what a killed server left half made."""
        for partial in self.folder.glob("*.part"):
            partial.unlink(missing_ok=True)


class Session:
    """The cache as one query sees it."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self.files: set[Path] = set()

    def file(self, item: S3Object, variant: str, convert: Callable[[Path, Path], None] | None) -> Path:
        """
        Return the local file of an object.

        :param variant: what else the file depends on: a SerDe and its settings.
        :param convert: makes it from the downloaded object (source, target); ``None`` if the file is the object itself.
        """
        path = self._cache.path(item, variant)
        if path not in self.files:
            self._cache.pin(path)
            self.files.add(path)

        def make(partial: Path) -> None:
            if convert is None:
                self._cache.download(item, partial)
                return
            raw = partial.with_suffix(".raw")
            try:
                self._cache.download(item, raw)
                convert(raw, partial)
            finally:
                raw.unlink(missing_ok=True)

        self._cache.make(path, make)
        return path


def list_objects(s3: Any, location: str) -> list[S3Object]:
    """
    List the objects under ``s3://bucket/prefix`` as Hive sees a folder, without markers and empty or hidden objects.

    :raises QueryError: HIVE_FILESYSTEM_ERROR, there is no such bucket, or it is not a location in S3.
    """
    bucket, prefix = split_location(location)
    found = []
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", ()):
                if item["Size"] and not hidden(item["Key"][len(prefix) :]):
                    found.append(S3Object(bucket, item["Key"], item["ETag"], item["Size"]))
    except ClientError as error:
        raise QueryError("HIVE_FILESYSTEM_ERROR", f"Failed to list directory: {location}: {error}") from error
    return found


def split_location(location: str) -> tuple[str, str]:
    """
    Bucket and prefix of a folder; the prefix ends with a slash, or is empty.

    :raises QueryError: HIVE_INVALID_METADATA, it is not in S3.
    """
    scheme, _, rest = location.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme not in ("s3", "s3a", "s3n") or not bucket:
        raise QueryError("HIVE_INVALID_METADATA", f"Table location is not in S3: {location}")
    return bucket, f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""


def hidden(relative: str) -> bool:
    """Return True if a key below a table's location is hidden: a marker, or a part begins with ``_`` or ``.``."""
    return relative.endswith("/") or any(part.startswith(("_", ".")) for part in relative.split("/"))
