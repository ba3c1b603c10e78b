"""The folder of code that a job runs: read once, named by its content, and put to S3 under that name."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

#: a source folder is scripts. More than this is data or a virtual environment that got in by mistake.
MAX_BYTES = 50 * 1024 * 1024


@dataclass(frozen=True)
class SourceFolder:
    """
    The files of a folder, by their path in it with ``/``.

    The digest is of names and contents only, so the same code has the same address in S3 from whatever machine, at
    whatever time, and is uploaded once.
    """

    files: dict[str, bytes]

    @classmethod
    def read(cls, folder: str | Path, entry_point: str) -> SourceFolder:
        """
        Read a folder; hidden files and Python's caches are left out.

        :raises ValueError: no such folder, no such entry point in it, or more than 50 MiB.
        """
        root = Path(folder)
        if not root.is_dir():
            raise ValueError(f"source_dir is not a folder: {root}")
        files: dict[str, bytes] = {}
        size = 0
        for path in sorted(root.rglob("*")):
            relative = path.relative_to(root)
            if not path.is_file() or any(part.startswith(".") or part == "__pycache__" for part in relative.parts):
                continue
            size += path.stat().st_size
            if size > MAX_BYTES:
                raise ValueError(f"source_dir holds more than {MAX_BYTES >> 20} MiB: {root}")
            files[relative.as_posix()] = path.read_bytes()
        if entry_point not in files:
            raise ValueError(f"source_dir has no {entry_point}: {root}")
        return cls(files)

    @cached_property
    def digest(self) -> str:
        """Of names and contents, 16 hexadecimal digits."""
        total = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            total.update(f"{len(name)} {name} {len(content)} ".encode() + content)
        return total.hexdigest()[:16]

    def tarball(self) -> bytes:
        """The files as a ``tar.gz``: the same bytes for the same files."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, content in sorted(self.files.items()):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                member.mode = 0o644
                tar.addfile(member, io.BytesIO(content))
        return gzip.compress(packed.getvalue(), mtime=0)
