"""
The reviews that a model will be judged by, to be left out of what it learns from.

The folders of the jobs that make training sets each hold a link to this module: a job sees its own folder only.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from job import BadInput
from review_body import as_in_the_table

_TEXT = "review_body"


def same(text: str) -> str:
    """What two forms of one review have in common: the transform job makes spaces of commas and line breaks."""
    return " ".join(as_in_the_table(text).casefold().split())


def read_held_out(folder: Path) -> set[str]:
    """
    The texts of the features job's test split in ``folder``, in the form of :func:`same`; none without such a folder.

    :raises BadInput: a Parquet file in it is something else.
    """
    held_out: set[str] = set()
    for part in sorted(folder.glob("*.parquet")) if folder.is_dir() else []:
        try:
            texts = pq.read_table(part, columns=[_TEXT])[_TEXT]
        except (pa.ArrowException, KeyError) as error:
            raise BadInput(f"{part.name} is no test split of the features job: {str(error).splitlines()[0]}") from error
        held_out.update(same(text) for text in texts.to_pylist())
    return held_out
