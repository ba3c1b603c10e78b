"""The last step of the ingest: the table counts as many reviews as were uploaded, by whoever counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow.sdk import Metadata

from include import paths
from include.assets import REVIEWS
from include.reviews.origin import note_table


def check_counts(
    transformed: dict[str, Any], drawn: dict[str, Any], raw: dict[str, Any], parts: dict[str, int]
) -> Iterator[Metadata]:
    """
    Update the Asset ``reviews`` if all count the same: who uploaded the reviews, the job that cleaned them, and Athena.

    :param transformed: the transform job's report, ``drawn`` that of the charts, which are drawn from Athena's answers.
    :param raw: what the upload returned.
    :param parts: S3 URI of each part of the table -> its rows.
    :raises ValueError: two counts differ.
    """
    if transformed["rows_in"] != raw["rows"]:
        raise ValueError(f"{raw['rows']} rows were uploaded, and the transform job read {transformed['rows_in']}")
    for count in ("rows", "by_sentiment", "by_category"):
        if transformed[count] != drawn[count]:
            raise ValueError(f"{count}: the transform job wrote {transformed[count]}, Athena reads {drawn[count]}")
    note_table(parts, paths.TABLE, made=transformed["table"], raw=raw)
    print(f"{drawn['rows']} reviews, counted alike by the transform job and by Athena: {drawn['by_sentiment']}")
    yield Metadata(REVIEWS, extra={"rows": drawn["rows"], "synthetic": raw["synthetic"], "source": raw["source"]})
