"""The code that a job runs: read once, named by its content, and put to S3 under that name."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

#: a source folder is scripts. More than this is data or a virtual environment that got in by mistake.
MAX_BYTES = 50 * 1024 * 1024


@dataclass(frozen=True)
class SourceFolder:
    """
    The files of a folder and of its dependencies, by their path in the container's folder with ``/``.

    The digest is of names and contents only, so the same code has the same address in S3 from whatever machine, at
    whatever time, and is uploaded once.
    """

    files: dict[str, bytes]

    @classmethod
    def read(cls, folder: str | Path, entry_point: str, dependencies: Iterable[str | Path] = ()) -> SourceFolder:
        """
        Read a folder and its dependencies; hidden files and Python's caches are left out.

        :param folder: its content is at the top.
        :param entry_point: script, by its path in ``folder``.
        :param dependencies: files and folders from elsewhere, each put at the top under its own name.
        :raises ValueError: folder, entry point or a dependency is missing, two have one name, or more than 50 MiB.
        """
        root = Path(folder)
        if not root.is_dir():
            raise ValueError(f"source_dir is not a folder: {root}")
        paths = dict(_paths(root))
        if entry_point not in paths:
            raise ValueError(f"source_dir has no {entry_point}: {root}")
        owners: dict[str, Path] = dict.fromkeys((name.partition("/")[0] for name in paths), root)
        for dependency in map(Path, dependencies):
            name = dependency.name
            if name in owners:
                raise ValueError(f"dependency {dependency}: {name} is in {owners[name]} too")
            owners[name] = dependency.parent
            paths |= _dependency(dependency)
        if sum(path.stat().st_size for path in paths.values()) > MAX_BYTES:
            raise ValueError(f"source_dir and dependencies hold more than {MAX_BYTES >> 20} MiB: {root}")
        return cls({name: path.read_bytes() for name, path in paths.items()})

    @cached_property
    def digest(self) -> str:
        """Return 16 hexadecimal digits of a hash of names and contents."""
        total = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            total.update(f"{len(name)} {name} {len(content)} ".encode() + content)
        return total.hexdigest()[:16]

    def tarball(self) -> bytes:
        """Pack the files as a ``tar.gz``: the same bytes for the same files."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, content in sorted(self.files.items()):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                member.mode = 0o644
                tar.addfile(member, io.BytesIO(content))
        return gzip.compress(packed.getvalue(), mtime=0)


def _paths(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files below a folder, by their path in it with ``/``."""
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in relative.parts):
            yield relative.as_posix(), path


def _dependency(path: Path) -> dict[str, Path]:
    """
    Return the files of a dependency, by their path in the container's folder.

    :raises ValueError: there is no such file or folder, or its path does not end with a name.
    """
    if path.name not in {"", ".."}:
        if path.is_file():
            return {path.name: path}
        if path.is_dir():
            return {f"{path.name}/{name}": file for name, file in _paths(path)}
    raise ValueError(f"dependency is neither a file nor a folder: {path}")
