"""The contents of S3 objects as files, in place of moto's buffers in memory and unnamed temporary files."""

from __future__ import annotations

import copyreg
import threading
import uuid
from collections import deque
from pathlib import Path
from typing import Any, ClassVar

from moto.core.common_models import BaseModel
from moto.s3 import models as s3_models
from moto.s3.responses import S3Response
from moto.s3.utils import _VersionedKeyStore

from localaws.wire.http import FileBody


class Bodies:
    """
    The folder of the files, and which of them nobody needs any more.

    A body that moto closes is only noted. Its file goes when a snapshot that does not know it is on disk: until then a
    ``kill -9`` would leave the older snapshot as the truth, and that one still refers to it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # No lock: moto's keys close their bodies when they are freed, which the garbage collector may do at any line
        # of any thread, of one that holds such a lock too.
        self._dead: deque[str] = deque()
        folder.mkdir(parents=True, exist_ok=True)

    def discard(self, name: str) -> None:
        """Note that a body is not needed any more."""
        self._dead.append(name)

    def take_dead(self) -> list[str]:
        """What was noted since the last call."""
        return [self._dead.popleft() for _ in range(len(self._dead))]

    def take_back(self, names: list[str]) -> None:
        """Note again what was taken and not removed."""
        self._dead.extend(names)

    def remove(self, names: list[str]) -> None:
        """Delete the files of dead bodies."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def sweep(self, alive: set[str]) -> None:
        """Delete every file that is not one of ``alive``: what a killed server left behind."""
        self.remove([path.name for path in self.folder.iterdir() if path.name not in alive])


class Body:
    """
    The part of a temporary file's interface that moto's S3 keys use, on a file that outlives the process.

    No file is held open: a bucket may hold more objects than a process may open files.
    """

    #: where all bodies of this process are.
    bodies: ClassVar[Bodies]
    #: names that were met while unpickling: the bodies that the restored state refers to.
    restored: ClassVar[set[str]] = set()

    def __init__(self, max_size: int = 0) -> None:
        self._position = 0
        self._name = ""
        self._owned = True

    def seek(self, position: int) -> int:
        """Move; only from the start."""
        self._position = position
        return position

    def read(self, size: int = -1) -> bytes:
        """Bytes from the present position on."""
        if not self._name:
            return b""
        with open(self.bodies.folder / self._name, "rb") as file:
            file.seek(self._position)
            data = file.read(size)
        self._position += len(data)
        return data

    @property
    def size(self) -> int:
        """Its length."""
        return (self.bodies.folder / self._name).stat().st_size if self._name else 0

    def opened(self) -> FileBody:
        """All of it, to be read later: the open file stays readable when the body is replaced or removed meanwhile."""
        size = self.size
        return FileBody(open(self.bodies.folder / self._name, "rb"), 0, size)

    def truncate(self) -> None:
        """
        Start anew, whatever the position: moto only ever empties a buffer to write it whole.

        The bytes that follow go to another file, because the last snapshot may refer to this one.
        """
        self.close()
        self._name, self._owned = "", True

    def write(self, data: bytes) -> int:
        """Append."""
        if not self._name:
            self._name = uuid.uuid4().hex
        with open(self.bodies.folder / self._name, "ab") as file:
            return file.write(data)

    def close(self) -> None:
        """Not needed any more."""
        if self._name and self._owned:
            self.bodies.discard(self._name)
            self._owned = False

    def __deepcopy__(self, memo: dict[int, Any]) -> Body:
        # moto copies whole keys to list their versions: such a copy reads the same file and never removes it.
        twin = Body()
        twin._name, twin._owned = self._name, False
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self._name, "owned": self._owned}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._position = 0
        self._name, self._owned = state["name"], state["owned"]
        if self._name:
            self.restored.add(self._name)


class _TemporaryFiles:
    """Stands in moto's S3 module where the standard library's ``tempfile`` was."""

    SpooledTemporaryFile = Body


def install(bodies: Bodies) -> None:
    """Have moto keep S3's contents in ``bodies``, and pickle its keys without them."""
    Body.bodies = bodies
    copyreg.pickle(_VersionedKeyStore, _reduce_versions)  # type: ignore[arg-type]
    # moto keeps every object that it ever made in a list, for its dashboard: deleted ones would never be freed.
    for owner, name, value in (
        (s3_models, "tempfile", _TemporaryFiles),
        (s3_models.FakeKey, "__getstate__", _key_state),
        (s3_models.FakeKey, "__setstate__", _restore_key),
        (s3_models.FakeKey, "value", property(_value, _fset)),
        (S3Response, "get_object", _get_object),
        (BaseModel, "__new__", _untracked),
    ):
        setattr(owner, name, value)


#: moto's own, before they are replaced.
_original_get_object = S3Response.get_object
_fset = vars(s3_models.FakeKey)["value"].fset
#: whether the thread answers a GetObject, and so wants a large body as a file and not in memory.
_answering = threading.local()
_SMALL = 1024**2


def _get_object(response: S3Response) -> Any:
    _answering.get_object = True
    try:
        return _original_get_object(response)
    finally:
        _answering.get_object = False


def _value(key: Any) -> bytes | FileBody:
    with key.lock:
        body: Body = key._value_buffer
        if getattr(_answering, "get_object", False) and body.size > _SMALL:
            return body.opened()
        body.seek(0)
        return body.read()


def _untracked(cls: type, *_: Any, **__: Any) -> Any:
    return object.__new__(cls)


def _reduce_versions(store: _VersionedKeyStore) -> tuple[Any, tuple[Any]]:
    # Its items() gives the latest version of each key only: a plain pickle would lose all the others.
    return _restore_versions, (dict(dict.items(store)),)


def _restore_versions(versions: dict[str, list[Any]]) -> _VersionedKeyStore:
    store = _VersionedKeyStore()
    dict.update(store, versions)
    return store


def _key_state(key: Any) -> dict[str, Any]:
    return {name: value for name, value in key.__dict__.items() if name != "lock"}


def _restore_key(key: Any, state: dict[str, Any]) -> None:
    key.__dict__.update(state)
    key.lock = threading.Lock()
