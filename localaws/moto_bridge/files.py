"""The folder of S3's contents: files are made under new names, never changed, and removed when nobody reads them."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import threading
import uuid
from collections import deque
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger("localaws.moto")

#: seconds that a removal waits for others to go with it.
_PAUSE = 0.2


class Hold:
    """While it exists, files that were referred to when it was made stay; answers that read files keep one."""

    def __init__(self, held: dict[int, None], number: int) -> None:
        self._held = held
        self._number = number
        held[number] = None

    def __del__(self) -> None:
        # No lock: the garbage collector may come here at any line of any thread.
        self._held.pop(self._number, None)


class Files:
    """
    Makes files, and removes those that no committed transaction refers to any more.

    :param folder: where they are; on the same file system as the spooled uploads.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._numbers = itertools.count()
        self._held: dict[int, None] = {}
        self._dead: deque[tuple[int, str]] = deque()
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._remove_dead, name="moto-files", daemon=True)
        self._thread.start()

    def path(self, name: str) -> Path:
        """Return where a file is."""
        return self.folder / name

    def hold(self) -> Hold:
        """Keep what is referred to from now on."""
        return Hold(self._held, next(self._numbers))

    def write(self, data: bytes) -> str:
        """Write a new file with this content; return its name."""
        name = _new_name()
        with open(self.folder / name, "xb", buffering=0) as file:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
        return name

    def take(self, path: Path) -> str:
        """Move a file of another folder into this one; return its new name."""
        name = _new_name()
        path.replace(self.folder / name)
        return name

    def link(self, name: str) -> str:
        """Make a second file of the same content; return its name."""
        new = _new_name()
        try:
            os.link(self.folder / name, self.folder / new)
        except OSError:
            # No hard links on this file system, or too many of this file.
            shutil.copyfile(self.folder / name, self.folder / new)
        return new

    def cut(self, name: str, start: int, size: int) -> str:
        """Write a new file with a stretch of another one; return its name."""
        new = _new_name()
        with open(self.folder / name, "rb") as source, open(self.folder / new, "xb") as target:
            while size:
                sent = os.sendfile(target.fileno(), source.fileno(), start, size)
                if not sent:
                    raise OSError(f"{name} is shorter than it was")
                start, size = start + sent, size - sent
        return new

    def discard(self, names: Iterable[str]) -> None:
        """Remove files that nothing refers to any more, once nobody reads them."""
        number = next(self._numbers)
        self._dead.extend((number, name) for name in names)
        self._wake.set()

    def names(self) -> list[str]:
        """Return all files that there are."""
        return [entry.name for entry in os.scandir(self.folder)]

    def close(self) -> None:
        """Remove what is dead, and end."""
        self._closing.set()
        self._wake.set()
        self._thread.join()
        self._held.clear()
        self._remove_unread()

    def _remove_dead(self) -> None:
        while not self._closing.is_set():
            # Somebody may still read what could not be removed at the last turn.
            self._wake.wait(_PAUSE if self._dead else None)
            self._wake.clear()
            self._remove_unread()
            self._closing.wait(_PAUSE)

    def _remove_unread(self) -> None:
        oldest = min(list(self._held), default=None)
        while self._dead and (oldest is None or self._dead[0][0] < oldest):
            _, name = self._dead.popleft()
            try:
                (self.folder / name).unlink(missing_ok=True)
            except OSError:
                log.exception("%s could not be removed", self.folder / name)


def _new_name() -> str:
    return uuid.uuid4().hex
