"""``model.tar.gz`` and its kin: packed the same for the same content, and unpacked only where they should be."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath


class ArchiveError(ValueError):
    """The archive is broken, or one of its members is not to be trusted; the message names it."""


def extract(archive: Path, into: Path) -> None:
    """
    Unpack a tar file, compressed or not, into a folder, which is made if need be.

    Nothing is written where a member is absolute, climbs out by ``..``, links to anything outside, or is neither file,
    folder nor link. Owners and set-user-id bits are not kept.

    :raises ArchiveError: as above, or the file is no tar file or is cut short.
    """
    into.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as tar:
            members = tar.getmembers()
            _read_to_the_end(tar)
            for member in members:
                _check(member, archive.name)
            # The filter follows links already written, which the names alone do not show.
            tar.extractall(into, members, filter="data")
    except tarfile.FilterError as error:
        raise ArchiveError(f"{archive.name}: {error}") from error
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ArchiveError(f"{archive.name} is not a whole tar archive: {error}") from error


def _read_to_the_end(tar: tarfile.TarFile) -> None:
    """The tar may be whole and its compression not: the checksum comes after all that tarfile reads."""
    if tar.fileobj is not None:
        while tar.fileobj.read(1 << 20):
            pass


def _check(member: tarfile.TarInfo, archive: str) -> None:
    if _escapes(PurePosixPath(member.name)):
        raise ArchiveError(f"{archive}: the member {member.name!r} would be written outside of its folder")
    if member.issym() and _escapes(PurePosixPath(member.name).parent / member.linkname):
        raise ArchiveError(f"{archive}: the link {member.name!r} leads outside, to {member.linkname!r}")
    if member.islnk() and _escapes(PurePosixPath(member.linkname)):
        raise ArchiveError(f"{archive}: the link {member.name!r} leads outside, to {member.linkname!r}")
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        raise ArchiveError(f"{archive}: the member {member.name!r} is a device or a pipe")


def _escapes(path: PurePosixPath) -> bool:
    depth = 0
    for part in path.parts:
        depth += -1 if part == ".." else 1
        if depth < 0 or part.startswith("/"):
            return True
    return False


def pack(folders: Path | Sequence[Path], archive: Path) -> None:
    """
    Pack what is in a folder (not the folder itself) into a ``.tar.gz``, which appears whole or not at all.

    Names are in order, and times, owners and names of owners are blank: equal content gives equal bytes. A link to
    something inside stays a link; of a file outside, the content is packed. Of several folders the contents are packed
    together; where two have a file of the same name, that of the first counts.

    :raises ArchiveError: a link leads to a folder outside or to nothing, or a member is a device, a pipe or a socket.
    """
    roots = [folders] if isinstance(folders, Path) else list(folders)
    members = {path.relative_to(root).as_posix(): (path, root) for root in reversed(roots) for path in root.rglob("*")}
    partial = archive.with_name(archive.name + ".part")
    with (
        open(partial, "wb") as raw,
        # Level 1: weights hardly compress, and this is three times as fast as the default.
        gzip.GzipFile("", "wb", 1, raw, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for _, (path, root) in sorted(members.items()):
            _add(tar, path, root)
    partial.replace(archive)


def _add(tar: tarfile.TarFile, path: Path, folder: Path) -> None:
    name = path.relative_to(folder).as_posix()
    if path.is_symlink():
        if not path.exists():
            raise ArchiveError(f"{name} is a link to {str(path.readlink())!r}, where there is nothing")
        inside = path.resolve().is_relative_to(folder.resolve())
        if not inside and path.is_dir():
            raise ArchiveError(f"{name} is a link to a folder outside, {str(path.readlink())!r}")
        if inside:
            link = _blank(tarfile.TarInfo(name))
            link.type = tarfile.SYMTYPE
            link.linkname = os.path.relpath(path.resolve(), path.parent.resolve())
            tar.addfile(link)
            return
    status = path.stat()
    member = _blank(tarfile.TarInfo(name))
    if stat.S_ISDIR(status.st_mode):
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(member)
    elif stat.S_ISREG(status.st_mode):
        member.size, member.mode = status.st_size, 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        with open(path, "rb") as file:
            tar.addfile(member, file)
    else:
        raise ArchiveError(f"{name} is a device, a pipe or a socket")


def _blank(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = 0
    member.mode = 0o644
    return member
