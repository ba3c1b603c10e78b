"""Model archives: ``model.tar.gz`` with the model, and ``code/inference.py`` to serve it."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

from job import BadInput


def unpack(folder: Path, target: Path) -> None:
    """Unpack the one model archive. :raises BadInput: there is none, or it is damaged or points elsewhere."""
    archives = sorted(folder.rglob("*.tar.gz")) if folder.is_dir() else []
    if len(archives) != 1:
        raise BadInput(f"there must be one model archive (.tar.gz) in {folder}; there are {len(archives)}")
    try:
        with tarfile.open(archives[0]) as archive:
            archive.extractall(target, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BadInput(f"the model archive {archives[0].name} cannot be unpacked: {error}") from error
    if not (target / "code" / "inference.py").exists():
        raise BadInput(f"the model archive {archives[0].name} has no code/inference.py")


def pack(folder: Path, archive: Path) -> None:
    """Pack the content of ``folder``; the same content gives the same bytes."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
        member.mode = 0o644
        return member

    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with (
        archive.open("wb") as raw,
        # Weights hardly compress.
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for path in files:
            tar.add(path, str(path.relative_to(folder)), filter=plain)
