"""The data set of labels that people gave, which the human_labels job writes, a file for each batch."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from job import BadInput

#: label -1, 0, 1; votes and workers in the same order; confidence 0 to 1; labelled_at is ISO 8601, of the last vote;
#: share is "uncertain" or "control"; predicted_label and probability are what the endpoint said.
SCHEMA = pa.schema(
    [
        ("review_id", pa.string()),
        ("label", pa.int8()),
        ("votes", pa.list_(pa.int8())),
        ("workers", pa.list_(pa.string())),
        ("confidence", pa.float64()),
        ("labelled_at", pa.string()),
        ("batch", pa.string()),
        ("share", pa.string()),
        ("predicted_label", pa.int8()),
        ("probability", pa.float64()),
    ]
)
LABELS = (-1, 0, 1)


def read_labels(folder: Path) -> dict[str, int]:
    """
    Return review_id -> label, the one that was given last; nothing where there is no such folder.

    :raises BadInput: a file is damaged or none of this data set, or a label is not one of -1, 0, 1.
    """
    latest: dict[str, tuple[str, str, int]] = {}
    for path in sorted(folder.rglob("*.parquet")) if folder.is_dir() else []:
        try:
            table = pq.read_table(path, columns=["review_id", "label", "labelled_at", "batch"])
        except (pa.ArrowException, OSError, KeyError) as error:
            raise BadInput(f"{path.name} is not a file of human labels: {str(error).splitlines()[0]}") from error
        for name, label, when, batch in zip(*(column.to_pylist() for column in table.columns), strict=True):
            if label not in LABELS:
                raise BadInput(f"{path.name}: the label {label} of review {name} is not one of -1, 0, 1")
            latest[name] = max(latest.get(name, ("", "", 0)), (when, batch, label))
    return {name: label for name, (_, _, label) in latest.items()}
