"""moto's state on disk: written shortly after every change, read at start."""

from __future__ import annotations

import copyreg
import importlib
import io
import json
import logging
import pickle
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import moto
from joserfc.jwk import RSAKey
from moto.backends import get_backend

from localaws.moto_bridge.bodies import Bodies, Body

log = logging.getLogger("localaws.moto")

#: what the files hold; another number than a file's means that this code cannot read it.
_FORMAT = 1
#: the longest time between a change and its being on disk, unless a snapshot itself takes longer.
_MOST_DELAY = 0.9
#: keeping requests waiting for longer than this, in seconds, is worth a line in the log.
_LONG_PAUSE = 1.0
#: changes that come in quick succession share a snapshot.
_LEAST_DELAY = 0.1


class StateError(Exception):
    """What is on disk cannot be used; the text says what to do about it."""


class SharedLock:
    """Many may hold it at once, or one alone; who waits to be alone goes first."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._sharing = 0
        self._alone = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold it together with others."""
        with self._condition:
            self._condition.wait_for(lambda: not self._alone)
            self._sharing += 1
        try:
            yield
        finally:
            with self._condition:
                self._sharing -= 1
                self._condition.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold it with nobody else."""
        with self._condition:
            self._condition.wait_for(lambda: not self._alone)
            self._alone = True
            self._condition.wait_for(lambda: self._sharing == 0)
        try:
            yield
        finally:
            with self._condition:
                self._alone = False
                self._condition.notify_all()


class State:
    """
    Keeps a file a service, ``<folder>/<service>.pickle``, in step with moto's backends.

    :param services: moto's names of the services to keep.
    """

    def __init__(self, folder: Path, services: list[str], bodies: Bodies) -> None:
        self.lock = SharedLock()
        self._folder = folder
        self._services = services
        self._bodies = bodies
        self._changed: set[str] = set()
        self._condition = threading.Condition()
        self._stopping = False
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._keep_writing, name="moto-state", daemon=True)
        copyreg.pickle(RSAKey, _reduce_key)

    def restore(self) -> None:
        """
        Read what an earlier process wrote, and remove what it left half done.

        :raises StateError: it was written by another version of moto, or is damaged.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        for part in self._folder.glob("*.part"):
            part.unlink()
        self._check_version()
        Body.restored.clear()
        for service in self._services:
            path = self._folder / f"{service}.pickle"
            if path.exists():
                _install(service, _load(path))
        self._bodies.sweep(Body.restored)

    def start(self) -> None:
        """Write changes from now on."""
        self._thread.start()

    def changed(self, *services: str) -> None:
        """Note that the backends of these services may have changed."""
        with self._condition:
            self._changed.update(services)
            self._condition.notify_all()

    def stop(self) -> None:
        """Write what is not yet written, and end."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        self._thread.join()
        self.write()

    def write(self) -> None:
        """Bring the files of all changed services up to date, now."""
        with self._writing:
            with self._condition:
                services, self._changed = sorted(self._changed), set()
            if services:
                self._write(services)

    def _write(self, services: list[str]) -> None:
        """
        Write all that can be written; :raises Exception: the first of what could not, which stays changed.

        In this process: one that is forked off would inherit the locks of threads that it does not have, and the fork
        itself can wait for ever for a thread that computes in a numerical library.
        """
        failures: dict[str, Exception] = {}
        pickles = {}
        began = time.monotonic()
        with self.lock.alone():
            dead = self._bodies.take_dead()
            for service in services:
                with _noting(service, failures):
                    pickles[service] = _dump(service)
        seconds = time.monotonic() - began
        if seconds > _LONG_PAUSE:
            log.warning("requests waited %.1f s for the state of %s", seconds, ", ".join(services))
        for service, data in pickles.items():
            with _noting(service, failures):
                _replace(self._folder / f"{service}.pickle", data)
        if failures:
            self.changed(*failures)
            # What is on disk may still refer to them.
            self._bodies.take_back(dead)
            raise next(iter(failures.values()))
        self._bodies.remove(dead)

    def _keep_writing(self) -> None:
        delay = _LEAST_DELAY
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._changed or self._stopping)
                if self._stopping:
                    return
                self._condition.wait_for(lambda: self._stopping, delay)
            started = time.monotonic()
            try:
                self.write()
            except Exception:
                log.exception("the state of moto could not be written; the next attempt follows")
                delay = _MOST_DELAY
            else:
                # A state that takes long to write is written less often.
                delay = min(_MOST_DELAY, max(_LEAST_DELAY, 10 * (time.monotonic() - started)))

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


@contextmanager
def _noting(service: str, failures: dict[str, Exception]) -> Iterator[None]:
    """One service's failure must not keep the others from being written."""
    try:
        yield
    except Exception as failure:
        failure.add_note(f"in the state of {service}")
        failures[service] = failure


def _dump(service: str) -> bytes:
    backends: Any = get_backend(service)  # type: ignore[call-overload]
    state = {
        "backends": {account: dict(regions.items()) for account, regions in backends.items()},
        "bucket_accounts": getattr(backends, "bucket_accounts", None),
    }
    buffer = io.BytesIO()
    pickle.Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(state)
    return buffer.getvalue()


def _load(path: Path) -> dict[str, Any]:
    try:
        # The file is ours: made by this program, in a folder that only its owner writes to.
        state: dict[str, Any] = pickle.loads(path.read_bytes())  # noqa: S301
    except Exception as error:
        raise StateError(
            f"The saved state in {path} cannot be read ({type(error).__name__}: {error})."
            " Start afresh with `make reset` (python -m localaws reset)."
        ) from error
    return state


def _install(service: str, state: dict[str, Any]) -> None:
    importlib.import_module(f"moto.{service}")
    backends: Any = get_backend(service)  # type: ignore[call-overload]
    for account, regions in state["backends"].items():
        for region, backend in regions.items():
            backends[account][region] = backend
    if state["bucket_accounts"]:
        backends.bucket_accounts.update(state["bucket_accounts"])


def _replace(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)
