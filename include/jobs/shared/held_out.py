"""The reviews that a model will be judged by, to be left out of what it learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from job import BadInput
from review_table import folded, read_reviews
from split_rows import rows


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
    ids = {review_id for (review_id,) in rows(folder, "review_id")}
    if not ids:
        return HeldOut()
    bodies = {review_id: body for review_id, body in read_reviews(files, ("review_id", "body")) if review_id in ids}
    missing = len(ids) - len(bodies)
    if missing:
        raise BadInput(f"{missing} of {len(ids)} reviews of the test split are not in the reviews table: run features")
    return HeldOut(frozenset(ids), frozenset(map(folded, bodies.values())))
