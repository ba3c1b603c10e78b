"""What an instance read and took of the reviews: for who checks that all instances together took each review once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from expectation import sha256
from splitting import Share


def manifest(share: Share, files: Sequence[Path], taken: int, written: Path | None) -> dict[str, Any]:
    """
    Return the manifest of an instance.

    :param files: of the table, that it has read.
    :param taken: reviews of these that were its own.
    :param written: folder of its outputs, None where there is none.
    """
    return {
        "host": share.host,
        "hosts": share.hosts,
        "sharded": share.sharded,
        "share": {"index": share.index, "of": share.of},
        "inputs": [_told(path, path.name) for path in files],
        "rows": taken,
        "outputs": [_told(path, str(path.relative_to(written))) for path in sorted(written.rglob("*.parquet"))]
        if written
        else [],
    }


def _told(path: Path, name: str) -> dict[str, Any]:
    return {"name": name, "sha256": sha256(path), "rows": pq.read_metadata(path).num_rows}
