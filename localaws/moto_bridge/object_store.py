"""S3 on disk: each request's changes are one transaction, committed before the answer."""

from __future__ import annotations

import itertools
import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from moto.core.common_models import BaseModel
from moto.s3 import models, responses
from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, FakeMultipart, S3Backend, s3_backends

from localaws.gateway.protocol.http import FileBody, HttpRequest, HttpResponse
from localaws.moto_bridge import object_lists, objects, unit, uploads
from localaws.moto_bridge.bodies import Body, Borrowed, body_of, compute_checksum, spooled
from localaws.moto_bridge.database import Database
from localaws.moto_bridge.files import Files
from localaws.moto_bridge.locks import ObjectLocks
from localaws.moto_bridge.unit import Unit

log = logging.getLogger("localaws.moto")

#: contents of more bytes leave as files and not through memory.
_SMALL = 1024**2


class ObjectStore:
    """Buckets, objects and uploads, between moto's code and the database."""

    def __init__(self, database: Database, files: Files) -> None:
        self._database, self._files = database, files
        self._locks = ObjectLocks()
        #: bucket's name -> its id and what of it is stored.
        self._buckets: dict[str, tuple[int, bytes]] = {}
        self._ids = itertools.count(1)
        Body.files = files
        for owner in (objects.Keys, objects.Tags, uploads.Uploads, uploads.Parts):
            owner.database = database  # type: ignore[attr-defined]

    def restore(self) -> None:
        """Give moto its buckets; objects are read when they are asked for. What a killed server left goes."""
        present = self._files.names()
        with self._database.reading() as connection:
            rows = connection.execute("SELECT id, kept FROM bucket ORDER BY id").fetchall()
        for number, kept in rows:
            bucket: Any = objects.loads(kept)
            bucket.keys.bucket = bucket.multiparts.bucket = number
            s3_backends[bucket.account_id][bucket.partition].buckets[bucket.name] = bucket
            s3_backends.bucket_accounts[bucket.name] = (bucket.partition, bucket.account_id)
            self._buckets[bucket.name] = (number, kept)
        self._ids = itertools.count(max((number for number, _ in rows), default=0) + 1)
        threading.Thread(target=self._sweep, args=(present,), name="moto-sweep", daemon=True).start()

    def _sweep(self, present: list[str]) -> None:
        """Remove files that were made for requests which never ended; those made since are not ``present``."""
        needed: set[str] = set()
        try:
            with self._database.reading() as connection:
                for table in ("object", "part"):
                    query = f"SELECT files FROM {table} WHERE files != ''"  # noqa: S608
                    needed.update(name for (files,) in connection.execute(query).fetchall() for name in files.split())
        except sqlite3.Error:
            log.exception("what a killed server left in %s could not be removed", self._files.folder)
            return
        self._files.discard(name for name in present if name not in needed)

    def answer(
        self, service: str, operation: str, request: HttpRequest, call: Callable[[], HttpResponse], *, reading: bool
    ) -> HttpResponse:
        """Let moto answer, and commit what it changed of S3 first."""
        bucket, key = _place(request) if service == "s3" else ("", "")
        with self._lock(operation, bucket, key, reading=reading), unit.begun(operation, request.upload) as done:
            # Files that a concurrent request replaces stay until this one has opened them.
            hold = self._files.hold()
            try:
                response = call()
                # A refusal changes nothing, though moto may notice what is wrong when it is half done.
                if done.changed or not reading:
                    self._commit(done, bucket, key, refused=response.status >= 400)
            except BaseException:
                self._files.discard(done.made)
                raise
            del hold
            return response

    def _lock(self, operation: str, bucket: str, key: str, *, reading: bool) -> AbstractContextManager[None]:
        if reading or not bucket:
            return nullcontext()
        if not key:
            return self._locks.bucket(bucket)
        lock = self._locks.part if operation in ("UploadPart", "UploadPartCopy") else self._locks.key
        return lock(bucket, key)

    def _commit(self, done: Unit, bucket: str, key: str, *, refused: bool) -> None:
        before: set[str] = set()
        after: set[str] = set()
        kept = None
        if not refused and (done.changed or done.tags or done.versions or not key):
            with self._database.writing() as connection:
                if bucket and not (key and bucket in self._buckets):
                    kept = self._write_bucket(connection, bucket, before)
                uploads.write(connection, done, before, after)
                objects.write_versions(connection, done, before, after)
                objects.write_tags(connection, done)
        self._note_bucket(bucket, kept)
        self._files.discard((before | done.made) - after)

    def _write_bucket(self, connection: sqlite3.Connection, name: str, before: set[str]) -> tuple[int, bytes] | None:
        place = s3_backends.bucket_accounts.get(name)
        bucket: Any = s3_backends[place[1]][place[0]].buckets.get(name) if place else None
        known = self._buckets.get(name)
        if known and (bucket is None or bucket.keys.bucket != known[0]):
            before.update(_remove_bucket(connection, known[0]))
        if bucket is None:
            return None
        if not bucket.keys.bucket:
            bucket.keys.bucket = bucket.multiparts.bucket = next(self._ids)
        kept = (bucket.keys.bucket, objects.dumps(bucket))
        if kept != known:
            connection.execute("INSERT OR REPLACE INTO bucket (id, kept) VALUES (?, ?)", kept)
        return kept

    def _note_bucket(self, name: str, kept: tuple[int, bytes] | None) -> None:
        if kept:
            self._buckets[name] = kept
        elif name and name not in s3_backends.bucket_accounts:
            self._buckets.pop(name, None)


def _place(request: HttpRequest) -> tuple[str, str]:
    bucket, _, key = request.path.lstrip("/").partition("/")
    return unquote(bucket), unquote(key)


def _remove_bucket(connection: sqlite3.Connection, number: int) -> list[str]:
    """Forget a bucket and the uploads that were not completed; the files that they referred to."""
    ids = connection.execute("SELECT id FROM upload WHERE bucket = ?", (number,)).fetchall()
    files = [name for (upload_id,) in ids for name in uploads.remove(connection, upload_id)]
    connection.execute("DELETE FROM bucket WHERE id = ?", (number,))
    return files


# --- moto's code, changed ------------------------------------------------------------------------------------------


def install() -> None:
    """Have moto's S3 keep nothing in memory but its buckets."""
    # moto keeps every object that it ever made in a list, for its dashboard: deleted ones would never be freed.
    BaseModel.__new__ = _untracked  # type: ignore[method-assign,assignment]
    for owner, name, value in (
        (models, "_VersionedKeyStore", objects.Keys),
        (models, "MultipartDict", uploads.Uploads),
        (models, "tempfile", _TemporaryFiles),
        (FakeBucket, "__getstate__", _without("keys", "multiparts")),
        (FakeBucket, "__setstate__", _restore_bucket),
        (FakeKey, "__getstate__", _key_state),
        (FakeKey, "__setstate__", _restore_key),
        (FakeKey, "value", property(_value, _set_value)),
        (FakeKey, "etag", property(_etag)),
        (FakeKey, "dispose", lambda self, garbage=False: None),
        (FakeDeleteMarker, "__getstate__", _marker_state),
        (FakeMultipart, "__init__", _begin_upload),
        (FakeMultipart, "__getstate__", _without("parts")),
        (FakeMultipart, "__setstate__", _restore_upload),
        (FakeMultipart, "partlist", property(lambda self: sorted(self.parts), lambda self, value: None)),
        (FakeMultipart, "complete", uploads.complete),
        (FakeMultipart, "set_part", _set_part),
        (FakeMultipart, "dispose", lambda self: None),
        (S3Backend, "__init__", _begin_backend),
        (S3Backend, "put_object", _put_object),
        (S3Backend, "upload_part", _upload_part),
        (S3Backend, "list_objects", object_lists.list_objects),
        (S3Backend, "list_objects_v2", object_lists.list_objects_v2),
        (S3Backend, "list_object_versions", object_lists.list_object_versions),
        (S3Backend, "delete_bucket", _delete_bucket),
        (responses, "compute_checksum", compute_checksum),
        (responses.S3Response, "_get_checksum", _get_checksum),
    ):
        setattr(owner, name, value)
    del FakeKey.__del__


_original_begin_upload = FakeMultipart.__init__
_original_set_part = FakeMultipart.set_part
_original_begin_backend = S3Backend.__init__
_original_put_object = S3Backend.put_object
_original_upload_part = S3Backend.upload_part
_original_delete_bucket = S3Backend.delete_bucket
_original_get_checksum = responses.S3Response._get_checksum


class _TemporaryFiles:
    """Stands in moto's S3 module where the standard library's ``tempfile`` was."""

    SpooledTemporaryFile = Body


def _untracked(cls: type, *_: Any, **__: Any) -> Any:
    return object.__new__(cls)


def _without(*names: str) -> Callable[[Any], dict[str, Any]]:
    def state(value: Any) -> dict[str, Any]:
        return {name: kept for name, kept in vars(value).items() if name not in names}

    return state


def _restore_bucket(bucket: Any, state: dict[str, Any]) -> None:
    vars(bucket).update(state, keys=objects.Keys(), multiparts=uploads.Uploads())


def _key_state(key: Any) -> dict[str, Any]:
    state = {name: value for name, value in vars(key).items() if name != "lock" and value is not None}
    if isinstance(key.multipart, FakeMultipart):
        state["multipart"] = key.multipart.completed  # type: ignore[attr-defined]
    return state


#: the attributes of a key whose value was ``None``, and so is not in its row.
_NONE = dict.fromkeys(
    (
        *("acl", "website_redirect_location", "multipart", "bucket_name", "_storage_class", "_expiry", "_etag"),
        *("_version_id", "_status", "encryption", "kms_key_id", "bucket_key_enabled"),
        *("lock_mode", "lock_legal_status", "lock_until"),
        *("checksum_algorithm", "checksum_value", "checksum_type", "checksum_parts"),
    )
)


def _restore_key(key: Any, state: dict[str, Any]) -> None:
    vars(key).update(_NONE, lock=threading.Lock())
    vars(key).update(state)


def _value(key: Any) -> bytes | FileBody | Borrowed:
    body: Body = key._value_buffer
    operation = unit.current().operation
    if operation in ("CopyObject", "UploadPartCopy"):
        return Borrowed(body, 0, len(body), key.etag.strip('"'))
    if operation == "GetObject" and len(body) > _SMALL:
        return body.opened()
    body.seek(0)
    return body.read()


def _set_value(key: Any, value: Any) -> None:
    body = body_of(value)
    key._value_buffer = body
    key.contentsize = len(body)
    if key._etag is None:
        key._etag = body.md5


def _etag(key: Any) -> str:
    if key._etag is None:
        key._etag = key._value_buffer.digest()
    return f'"{key._etag}"'


def _marker_state(marker: Any) -> dict[str, Any]:
    # moto asks whether a delete marker lies upon another, and nothing else of what it lies upon.
    stub = object.__new__(FakeDeleteMarker) if isinstance(marker.key, FakeDeleteMarker) else None
    if stub is not None:
        stub.key = None  # type: ignore[assignment]
    return {**vars(marker), "key": stub}


def _begin_upload(upload: Any, *given: Any, **named: Any) -> None:
    _original_begin_upload(upload, *given, **named)
    upload.parts = uploads.Parts(upload.id)
    upload.initiated = datetime.now(UTC)


def _restore_upload(upload: Any, state: dict[str, Any]) -> None:
    vars(upload).update(state, parts=uploads.Parts(state["id"]))


def _set_part(upload: Any, part_id: int, value: Any) -> FakeKey:
    part = _original_set_part(upload, part_id, value)
    uploads.sum_part(upload, part)
    return part


def _begin_backend(backend: Any, *given: Any, **named: Any) -> None:
    _original_begin_backend(backend, *given, **named)
    backend.tagger.tags = objects.Tags()


def _put_object(backend: Any, bucket_name: str, key_name: str, value: Any, *given: Any, **named: Any) -> FakeKey:
    if unit.current().operation == "PutObject":
        value = spooled() or value
    elif unit.current().operation == "CopyObject":
        # The copy was not made by an upload in parts, and has files of its own.
        named["multipart"] = None
    return _original_put_object(backend, bucket_name, key_name, value, *given, **named)


def _upload_part(backend: Any, bucket_name: str, multipart_id: str, part_id: int, value: Any) -> FakeKey:
    content: Any = spooled() or value
    return _original_upload_part(backend, bucket_name, multipart_id, part_id, content)


def _delete_bucket(backend: Any, bucket_name: str) -> FakeBucket | None:
    removed = _original_delete_bucket(backend, bucket_name)
    if removed:
        backend.tagger.delete_all_tags_for_resource(removed.arn)
    return removed


def _get_checksum(response: Any, headers: dict[str, Any]) -> tuple[str, str | None]:
    algorithm = response.headers.get("x-amz-sdk-checksum-algorithm", "")
    body = spooled()
    if not (body and algorithm) or response.headers.get(f"x-amz-checksum-{algorithm.lower()}"):
        return _original_get_checksum(response, headers)
    value = compute_checksum(body, algorithm).decode()
    headers[f"x-amz-checksum-{algorithm.lower()}"] = value
    return algorithm, value
