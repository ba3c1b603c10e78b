"""Make ``model.tar.gz`` and ``output.tar.gz``: the same bytes for the same content."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from localaws.core.archive import ArchiveError
from localaws.core.beneath import LeadsOut, Tree
from localaws.core.deflate import BLOCK, GzipWriter


def pack(trees: Path | Sequence[Tree], archive: Path) -> None:
    """
    Pack what is in a folder (not the folder itself) into a ``.tar.gz``, which appears whole or not at all.

    Names are in order, and times, owners and names of owners are blank: equal content gives equal bytes. A link to
    something inside stays a link. Of a file outside, but in the tree's root, the content is packed. Of several folders
    the contents are packed together; where two have a file of the same name, that of the first counts.

    :raises ArchiveError: a link leads to a folder outside, out of its root or to nothing, or a member is a device, a
        pipe or a socket.
    """
    given = [Tree(trees)] if isinstance(trees, Path) else list(trees)
    members = {name: tree for tree in reversed(given) if tree.exists for name in tree.names()}
    folders = {tree: tree.resolve(tree.inner) for tree in members.values()}
    partial = archive.with_name(archive.name + ".part")
    with (
        open(partial, "wb") as raw,
        GzipWriter(raw) as compressed,
        tarfile.TarFile(None, "w", compressed, tarfile.PAX_FORMAT, copybufsize=BLOCK) as tar,  # type: ignore[arg-type]
    ):
        for name, tree in sorted(members.items(), key=lambda item: item[0]):
            _add(tar, name, tree, folders[tree])
    partial.replace(archive)


def _add(tar: tarfile.TarFile, name: str, tree: Tree, folder: str) -> None:
    path = f"{folder}/{name}".lstrip("/")
    full = tree.root / path
    member = tarfile.TarInfo(name)
    member.mtime, member.mode = 0, 0o644
    if full.is_symlink():
        _add_link(tar, member, tree, folder)
    elif full.is_dir():
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(member)
    elif full.is_file():
        with tree.open(path) as file:
            _add_file(tar, member, file)
    else:
        raise ArchiveError(f"{name} is a device, a pipe or a socket")


def _add_link(tar: tarfile.TarFile, member: tarfile.TarInfo, tree: Tree, folder: str) -> None:
    path = Path(folder, member.name)
    shown = f"{member.name} is a link to {str((tree.root / path).readlink())!r}"
    try:
        found = tree.resolve(str(path))
    except LeadsOut as error:
        raise ArchiveError(f"{shown}, which is outside of {tree.seen_as or 'its folder'}") from error
    full = tree.root / found
    if not full.exists():
        raise ArchiveError(f"{shown}, where there is nothing")
    if Path(found).is_relative_to(folder):
        member.type = tarfile.SYMTYPE
        member.linkname = os.path.relpath(full, tree.root / path.parent)
        tar.addfile(member)
        return
    if not full.is_file():
        raise ArchiveError(f"{shown}, a folder outside")
    with tree.open(found) as file:
        _add_file(tar, member, file)


def _add_file(tar: tarfile.TarFile, member: tarfile.TarInfo, file: BinaryIO) -> None:
    status = os.fstat(file.fileno())
    member.size, member.mode = status.st_size, 0o755 if status.st_mode & 0o100 else 0o644
    tar.addfile(member, file)
