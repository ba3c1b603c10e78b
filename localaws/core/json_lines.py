"""Files of lines that only grow: what was appended is on disk, and whole."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def append(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """
    Append records, a line of JSON each, on disk when this returns.

    The folder and the file are the owner's alone. What a crash has left of a line is ended first.

    :raises OSError: the disk is full, or the file cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        lines = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)
        text = (("\n" if torn else "") + lines).encode()
        # One write: lines of two appends at once do not mix.
        if os.write(handle, text) != len(text):
            raise OSError(f"{path}: only a part was written")
        os.fsync(handle)
    finally:
        os.close(handle)
    if new:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
