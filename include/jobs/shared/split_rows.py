"""The test split that the features job writes, for jobs that need a column or two of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from job import BadInput


def rows(folder: Path, *columns: str) -> Iterator[tuple[Any, ...]]:
    """
    Yield these columns of each review of the split; nothing where there is no Parquet part.

    :raises BadInput: a part is not one of the features job's.
    """
    for part in sorted(folder.glob("*.parquet")) if folder.is_dir() else []:
        try:
            table = pq.read_table(part, columns=list(columns))
            found = [table[column].to_pylist() for column in columns]
        except (pa.ArrowException, KeyError) as error:
            raise BadInput(
                f"{part.name} is not a test split of the features job: {str(error).splitlines()[0]}"
            ) from error
        yield from zip(*found, strict=True)
