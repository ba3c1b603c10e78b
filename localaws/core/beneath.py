"""
Files in a folder that somebody else fills, such as a job's ``/opt/ml``, reached without leaving that folder.

A link that a job leaves means something else outside of its sandbox: ``/opt/ml/output/failure -> /etc/passwd`` would be
read by the supervisor, with the rights of the supervisor. So links are followed by this module and never by the kernel.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

#: as many links as Linux follows in one path.
_MAX_LINKS = 40


class LeadsOut(ValueError):
    """A path or a link leads out of its folder, or through a loop of links."""


def resolve(path: str, readlink: Callable[[str], str | None], roots: Sequence[str] = ()) -> str:
    """
    Return where a relative path leads, by links, as a path that has none.

    :param readlink: the target of a path that is a link, else ``None``.
    :param roots: what the folder is called in absolute links.
    :raises LeadsOut: at any step, even if a later step comes back.
    """
    done: list[str] = []
    left = deque(path.split("/"))
    links = 0
    while left:
        part = left.popleft()
        if part in ("", "."):
            continue
        if part == "..":
            if not done:
                raise LeadsOut(path)
            done.pop()
            continue
        done.append(part)
        if (target := readlink("/".join(done))) is None:
            continue
        links += 1
        if links > _MAX_LINKS:
            raise LeadsOut(path)
        done.pop()
        if target.startswith("/"):
            target = _below(target, roots)
            done.clear()
        left.extendleft(reversed(target.split("/")))
    return "/".join(done)


def _below(target: str, roots: Sequence[str]) -> str:
    for root in roots:
        if target == root or target.startswith(f"{root}/"):
            return target.removeprefix(root)
    raise LeadsOut(target)


@dataclass(frozen=True)
class Tree:
    """
    A folder, and how far links in it may lead.

    :param root: the real folder that no link leads out of.
    :param inner: the folder itself, relative to ``root``; may be or lie behind a link.
    :param seen_as: what ``root`` is called in the links of who filled it (``/opt/ml``).
    """

    root: Path
    inner: str = ""
    seen_as: str = ""

    @property
    def exists(self) -> bool:
        """Return True if the folder is there, by links that do not lead out."""
        try:
            return (self.root / self.resolve(self.inner)).is_dir()
        except LeadsOut:
            return False

    def resolve(self, path: str) -> str:
        """
        Return where ``path``, relative to the root, leads.

        :raises LeadsOut: out of the root.
        """

        def readlink(relative: str) -> str | None:
            full = self.root / relative
            return os.readlink(full) if full.is_symlink() else None  # noqa: PTH115 - as it is, not made a Path

        return resolve(path, readlink, [str(self.root), *filter(None, [self.seen_as])])

    def names(self) -> Iterator[str]:
        """Yield the path in the folder of all that is below it, see :func:`walk`."""
        yield from walk(self.root / self.resolve(self.inner))

    def files(self) -> list[tuple[str, str]]:
        """
        Return the files below the folder: path in the folder, and path from the root by no link.

        A link counts as the file that it leads to. Pipes, devices and links to folders do not count.

        :raises LeadsOut: a link leads out of the root, or nowhere.
        """
        found = []
        folder = self.resolve(self.inner)
        for name in sorted(self.names()):
            path = f"{folder}/{name}".lstrip("/")
            if (self.root / path).is_symlink():
                path = self._target(name, path)
            if (self.root / path).is_file():
                found.append((name, path))
        return found

    def _target(self, name: str, path: str) -> str:
        link = (self.root / path).readlink()
        try:
            found = self.resolve(path)
        except LeadsOut as error:
            raise LeadsOut(f"{name} is a link that leads out of its folder: {link}") from error
        if not (self.root / found).exists():
            raise LeadsOut(f"{name} is a link that leads nowhere: {link}")
        return found

    def open(self, path: str) -> BufferedReader:
        """Open a file by its path from the root, see :func:`open_file`."""
        return open_file(self.root, path)

    def read_text(self, limit: int) -> str | None:
        """Return the beginning of ``inner``, a text file; ``None`` where there is none, or none in the root."""
        try:
            with self.open(self.resolve(self.inner)) as file:
                return file.read(limit).decode("utf-8", "replace")
        except (FileNotFoundError, LeadsOut):
            return None


def open_file(root: Path, path: str) -> BufferedReader:
    """
    Open a regular file for reading.

    :param path: relative to ``root``, resolved: no part of it may be a link.
    :raises LeadsOut: a part of it is a link, or it is a pipe, a device or a folder.
    :raises FileNotFoundError: it is not there.
    """
    *parents, name = path.split("/")
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parents:
            inner = _open(part, os.O_RDONLY | os.O_DIRECTORY, directory)
            os.close(directory)
            directory = inner
        # O_NONBLOCK: to open a pipe would wait for who writes to it.
        descriptor = _open(name or ".", os.O_RDONLY | os.O_NONBLOCK, directory)
    finally:
        os.close(directory)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LeadsOut(f"{path} is a pipe, a device or a folder")
    return os.fdopen(descriptor, "rb")


def _open(name: str, flags: int, directory: int) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        raise
    except OSError as error:
        # ELOOP or ENOTDIR for a link, ENXIO for a socket.
        raise LeadsOut(f"{name} cannot be opened as what it was: {error.strerror}") from error


def walk(folder: Path) -> Iterator[str]:
    """
    Yield the relative path of all that is below a folder, parents first; links are not entered.

    A job may have left folders and files that their owner may not read: it can read them here.
    """
    left = [""]
    while left:
        path = left.pop()
        try:
            _unlock(folder / path, 0o700)
            with os.scandir(folder / path) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            # A job that still runs has deleted it this moment.
            continue
        for entry in found:
            inner = f"{path}/{entry.name}".lstrip("/")
            yield inner
            if entry.is_dir(follow_symlinks=False):
                left.append(inner)
            elif entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):
                    _unlock(folder / inner, 0o400)


def _unlock(path: Path, bits: int) -> None:
    mode = path.lstat().st_mode
    if mode & bits != bits and not stat.S_ISLNK(mode):
        path.chmod(stat.S_IMODE(mode) | bits)


def remove(folder: Path) -> None:
    """
    Remove a folder of a job, if it is there, also where its owner may not enter what a job left.

    :raises subprocess.CalledProcessError: it cannot be removed.
    """
    if not folder.exists():
        return
    try:
        shutil.rmtree(folder)
    except (OSError, RecursionError):
        # Closed folders, or thousands of them one in another: both programs take a tree of any depth.
        subprocess.run(["chmod", "-R", "u+rwx", str(folder)], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["rm", "-rf", "--", str(folder)], check=True)
