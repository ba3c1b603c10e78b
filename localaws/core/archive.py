"""
Unpack ``model.tar.gz``, ``sourcedir.tar.gz`` and their kin, which anybody may have made.

Every member is created by us, in a folder that was opened without following links; links come last, once it is known
where each of them leads. So the same holds on every Python, whatever its tarfile does.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from localaws.core import beneath
from localaws.core.tar import BrokenTar, Kind, Member, TarError, TarReader

_CHUNK = 1 << 20
_GIB = 1 << 30
#: what may come out whatever the ratio.
_RATIO_FROM = 256 << 20
#: bytes of the disk that an archive may not take.
_KEPT_FREE = 1 << 29


class ArchiveError(ValueError):
    """The archive is broken, too large, or one of its members is not to be trusted; the message names it."""


@dataclass(frozen=True)
class Limits:
    """
    What one archive may become; the settings of the same names raise it.

    :param members: LOCALAWS_ARCHIVE_MEMBERS.
    :param size: bytes; LOCALAWS_ARCHIVE_GIB.
    :param ratio: LOCALAWS_ARCHIVE_RATIO: how much larger than the archive, once 256 MiB have come out. Weights and text
        are below 20; deflate itself ends at 1,032.
    """

    members: int = 100_000
    size: int = 64 * _GIB
    ratio: float = 200

    @classmethod
    def from_environment(cls) -> Limits:
        """Read the settings."""
        return cls(
            int(os.environ.get("LOCALAWS_ARCHIVE_MEMBERS", cls.members)),
            int(float(os.environ.get("LOCALAWS_ARCHIVE_GIB", cls.size / _GIB)) * _GIB),
            float(os.environ.get("LOCALAWS_ARCHIVE_RATIO", cls.ratio)),
        )


def extract(archive: Path, into: Path) -> None:
    """
    Unpack a tar file, gzipped or not, into a folder, which is made if need be. All of it comes, or nothing.

    Files, folders, hard links to files before them, and links that lead to somewhere in the archive are unpacked.
    Owners and modes are not kept, but for a file being executable.

    :raises ArchiveError: a member is anything else or would be written outside, the limits are exceeded, or the file is
        no whole tar archive.
    """
    into.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=into.parent))
    try:
        with _naming(archive.name), open(archive, "rb") as raw:
            _Unpacking(scratch, _Metered(raw, archive, into)).run()
            for entry in sorted(scratch.iterdir()):
                entry.rename(into / entry.name)
    finally:
        shutil.rmtree(scratch)


@contextlib.contextmanager
def _naming(archive: str) -> Iterator[None]:
    try:
        yield
    except (TarError, _TooLarge) as error:
        raise ArchiveError(f"{archive}: {error}") from error
    except (BrokenTar, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ArchiveError(f"{archive} is not a whole tar archive: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG):
            raise ArchiveError(f"{archive} cannot be unpacked: {error.strerror}: {error.filename}") from error
        raise


class _TooLarge(ValueError):
    pass


class _Metered:
    """The plain bytes of an archive, as far as the limits allow."""

    def __init__(self, raw: BinaryIO, archive: Path, into: Path) -> None:
        self.limits = Limits.from_environment()
        self._packed = archive.stat().st_size
        self._room = shutil.disk_usage(into).free - _KEPT_FREE
        self._out = 0
        compressed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        self._plain: BinaryIO = gzip.GzipFile(fileobj=raw) if compressed else raw  # type: ignore[assignment]

    def read(self, size: int, /) -> bytes:
        content = self._plain.read(size)
        self._out += len(content)
        if self._out > self.limits.size:
            raise _TooLarge(
                f"more than {self.limits.size / _GIB:g} GiB come out of it: LOCALAWS_ARCHIVE_GIB sets the limit"
            )
        if self._out > _RATIO_FROM and self._out > self.limits.ratio * self._packed:
            raise _TooLarge(
                f"more than {self.limits.ratio:g} times its {self._packed} bytes come out of it, as of a decompression "
                "bomb: LOCALAWS_ARCHIVE_RATIO sets the limit"
            )
        return content

    def reserve(self, size: int) -> None:
        """Make sure that the disk holds another file."""
        self._room -= size
        if self._room < 0:
            raise _TooLarge(
                f"its files do not fit on the disk, of which {_KEPT_FREE >> 20} MiB stay free: make room there"
            )


class _Unpacking:
    """One archive on its way into an empty folder."""

    def __init__(self, folder: Path, source: _Metered) -> None:
        self._folder = folder
        self._source = source
        self._reader = TarReader(source)
        self._kinds: dict[str, Kind] = {}
        self._links: dict[str, str] = {}

    def run(self) -> None:
        for number, member in enumerate(self._reader, start=1):
            if number > self._source.limits.members:
                raise _TooLarge(
                    f"it has more than {self._source.limits.members} members: LOCALAWS_ARCHIVE_MEMBERS sets the limit"
                )
            if member.path:
                self._enter(member)
        # The tar may be whole and its compression not: the checksum comes after all that a tar reader needs.
        while self._source.read(_CHUNK):
            pass
        self._link()

    def _enter(self, member: Member) -> None:
        parent, _, name = member.path.rpartition("/")
        with self._opened(parent) as directory:
            before = self._kinds.get(member.path)
            if before is Kind.FOLDER or (before and member.kind is Kind.FOLDER):
                if member.kind is not before:
                    raise TarError(f"the member {member.path!r} is there twice, as a folder and as something else")
                return
            if before in (Kind.FILE, Kind.HARD_LINK):
                # As tar has it, the later one counts.
                os.unlink(name, dir_fd=directory)
            self._links.pop(member.path, None)
            self._kinds[member.path] = member.kind
            if member.kind is Kind.FOLDER:
                os.mkdir(name, 0o755, dir_fd=directory)
            elif member.kind is Kind.FILE:
                self._write(member, name, directory)
            elif member.kind is Kind.LINK:
                self._links[member.path] = member.target
            else:
                self._hard_link(member, name, directory)

    @contextlib.contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        """Open a folder of the archive, made if need be, as a descriptor that no link led to."""
        directory = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        done = ""
        try:
            for part in filter(None, path.split("/")):
                done = f"{done}/{part}".lstrip("/")
                kind = self._kinds.setdefault(done, Kind.FOLDER)
                if kind is not Kind.FOLDER:
                    raise TarError(f"the member {path!r} lies below a {kind.value}")
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=directory)
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
                os.close(directory)
                directory = inner
            yield directory
        finally:
            os.close(directory)

    def _write(self, member: Member, name: str, directory: int) -> None:
        self._source.reserve(member.size)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o755 if member.executable else 0o644, dir_fd=directory)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            while content := self._reader.read(_CHUNK):
                file.write(content)

    def _hard_link(self, member: Member, name: str, directory: int) -> None:
        target = "/".join(part for part in member.target.split("/") if part not in ("", "."))
        if self._kinds.get(target) is not Kind.FILE:
            raise TarError(f"the hard link {member.path!r} leads outside, or not to an earlier file: {member.target!r}")
        parent, _, other = target.rpartition("/")
        with self._opened(parent) as source:
            os.link(other, name, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
        self._kinds[member.path] = Kind.FILE

    def _link(self) -> None:
        for path, target in self._links.items():
            try:
                beneath.resolve(path, self._links.get)
            except beneath.LeadsOut as error:
                raise TarError(f"the link {path!r} leads outside, to {target!r}") from error
        for path, target in self._links.items():
            parent, _, name = path.rpartition("/")
            with self._opened(parent) as directory:
                os.symlink(target, name, dir_fd=directory)
