"""moto's state on disk: what was answered is there before the answer."""

from __future__ import annotations

import copyreg
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import moto
from joserfc.jwk import RSAKey

from localaws.gateway.protocol.http import HttpRequest, HttpResponse
from localaws.moto_bridge import objects, records, series
from localaws.moto_bridge.database import Database
from localaws.moto_bridge.files import Files
from localaws.moto_bridge.object_store import ObjectStore
from localaws.moto_bridge.records import Records

log = logging.getLogger("localaws.moto")

#: what the folder holds; another number than the folder's means that this code cannot read it.
_FORMAT = 2
#: an operation that begins with none of these may change something.
_READING = ("BatchGet", "Describe", "Filter", "Get", "Head", "List", "Search", "Select")
#: whose operations issue credentials, whatever they are called.
_ISSUING = ("sts",)


class StateError(Exception):
    """What is on disk cannot be used; the text says what to do about it."""


class State:
    """
    Keeps what moto's backends hold in ``<folder>/moto.db`` and, for larger objects of S3, in files beside it.

    :param services: moto's names of the services to keep.
    """

    def __init__(self, folder: Path, services: list[str]) -> None:
        self._folder = folder
        self._services = [service for service in services if service != "s3"]
        self._database: Database
        self._files: Files
        self._objects: ObjectStore
        self._records: Records
        copyreg.pickle(RSAKey, _reduce_key)

    def restore(self) -> None:
        """
        Read what an earlier process wrote, and remove what it left half done.

        :raises StateError: it was written by another version of moto, or is damaged.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._check_version()
        path = self._folder / "moto.db"
        try:
            self._database = Database(path, objects.SCHEMA + records.SCHEMA + series.SCHEMA)
            self._files = Files(self._folder / "s3")
            self._objects = ObjectStore(self._database, self._files)
            self._records = Records(self._database, self._services)
            self._objects.restore()
            self._records.restore()
        except Exception as error:
            raise StateError(
                f"The saved state in {path} cannot be read ({type(error).__name__}: {error})."
                " Start afresh with `make reset` (python -m localaws reset)."
            ) from error

    def answer(
        self, service: str, operation: str, request: HttpRequest, call: Callable[[], HttpResponse]
    ) -> HttpResponse:
        """Let moto answer; what it has changed is on disk when this returns."""
        reading = operation.startswith(_READING) and service not in _ISSUING

        def kept() -> HttpResponse:
            return self._objects.answer(service, operation, request, call, reading=reading)

        if reading or service == "s3":
            return kept()
        with self._records.changing():
            return kept()

    def stop(self) -> None:
        """Close the files."""
        self._files.close()
        self._database.close()

    def _check_version(self) -> None:
        path = self._folder / "version.json"
        present = {"format": _FORMAT, "moto": moto.__version__}
        if not path.exists():
            _replace(path, json.dumps(present).encode())
            return
        written = json.loads(path.read_text())
        if written != present:
            raise StateError(
                f"The saved S3, Glue, IAM and other state in {self._folder} was written by moto {written.get('moto')}"
                f" (format {written.get('format')}); this is moto {moto.__version__} (format {_FORMAT})."
                " Start afresh with `make reset` (python -m localaws reset), or install that version again."
            )


def _reduce_key(key: RSAKey) -> tuple[Any, tuple[Any]]:
    # Cognito's signing key holds a handle of the cryptography library, which does not pickle.
    return RSAKey.import_key, (key.as_dict(private=True),)


def _replace(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)
