"""
The reviews that a model will be judged by, to be left out of what it learns from.

The folders of the jobs that make training sets each hold a link to this module: a job sees its own folder only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from job import BadInput
from review_table import folded, read_reviews


@dataclass(frozen=True)
class HeldOut:
    """Reviews of the test split, by id, and their bodies: a customer may have sent the same text twice."""

    ids: frozenset[str] = field(default_factory=frozenset)
    bodies: frozenset[str] = field(default_factory=frozenset)

    def has(self, review_id: str, body: str) -> bool:
        """Return whether a review is in the split, or has the text of one that is."""
        return bool(self.ids) and (review_id in self.ids or folded(body) in self.bodies)


def read_held_out(folder: Path, files: Sequence[Path]) -> HeldOut:
    """
    Return the reviews of the features job's test split; none without such a folder.

    :param folder: of the split's Parquet parts.
    :param files: of the reviews table, where the bodies are.
    :raises BadInput: a Parquet file in ``folder`` is something else, or its reviews are not in the table.
    """
    ids: set[str] = set()
    for part in sorted(folder.glob("*.parquet")) if folder.is_dir() else []:
        try:
            ids.update(pq.read_table(part, columns=["review_id"])["review_id"].to_pylist())
        except (pa.ArrowException, KeyError) as error:
            raise BadInput(
                f"{part.name} is not a test split of the features job: {str(error).splitlines()[0]}"
            ) from error
    if not ids:
        return HeldOut()
    bodies = {review_id: body for review_id, body in read_reviews(files, ("review_id", "body")) if review_id in ids}
    missing = len(ids) - len(bodies)
    if missing:
        raise BadInput(f"{missing} of {len(ids)} reviews of the test split are not in the reviews table: run features")
    return HeldOut(frozenset(ids), frozenset(map(folded, bodies.values())))
