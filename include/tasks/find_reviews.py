"""The task that nearly all DAGs begin with, and what the others learn from it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import task

from include import paths
from include.reviews.origin import is_empty, origin_of_table
from include.tasks import costs

#: whether the reviews are made up, for the arguments of a DAG that has :func:`find_reviews`: every report and every
#: chart then says so.
SYNTHETIC = "{{ ti.xcom_pull(task_ids='find_reviews')['synthetic'] }}"
#: S3 prefix of the labels that people gave, "" where there are none.
LABELS = "{{ ti.xcom_pull(task_ids='find_reviews')['labels'] }}"


def find_reviews() -> Any:
    """
    Return the task that tells where the present reviews came from, and which table was made of them.

    Its result is that of :func:`include.reviews.origin.origin_of_table`, and ``labels``: the S3 prefix of what people
    have said of reviews, "" where nobody was asked yet. It fails where S3 has other reviews than were ingested last,
    and where the run is to cost more than its param ``max_cost``. Its log has the estimate.
    """
    return task(task_id="find_reviews")(found_reviews)(paths.ORIGIN, paths.TABLE, paths.HUMAN_LABELS)


def found_reviews(note: str, table_note: str, labels: str, params: Any = None, dag: Any = None) -> dict[str, Any]:
    """
    Return what :func:`find_reviews` does, from these places in S3, and log what the run is expected to cost.

    :param params: of the run, which Airflow gives.
    :param dag: of the run, which Airflow gives.
    """
    found = reviews_and_labels(note, table_note, labels)
    costs.check(dag, params, found["table"]["rows"])
    return found


def reviews_and_labels(note: str, table_note: str, labels: str) -> dict[str, Any]:
    """Return what :func:`find_reviews` does, from these places in S3."""
    return {**origin_of_table(note, table_note), "labels": "" if is_empty(labels) else labels}
