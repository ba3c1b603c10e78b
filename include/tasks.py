"""What several DAGs begin with: how their tasks are retried, where the reviews are from, and the features job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import TaskGroup, task

from amazon_ml.operators.processing import ProcessingJobOperator
from amazon_ml.retry import FailureBudget
from include import paths
from include.reviews.upload import expected_table, is_empty, origin_of_table
from include.settings import settings

#: whether the reviews are made up, for the arguments of a DAG that has :func:`find_reviews`: every report and every
#: chart then says so.
SYNTHETIC = "{{ ti.xcom_pull(task_ids='find_reviews')['synthetic'] }}"
#: S3 prefix of the labels that people gave, "" where there are none.
LABELS = "{{ ti.xcom_pull(task_ids='find_reviews')['labels'] }}"
#: failures of its own that a task is tried again after, and tries that it may lose to what runs it.
FAILURES, LOST_TRIES = 2, 20
#: event time of a run's features, the same in all tries.
EVENT_TIME = "{{ (dag_run.logical_date or dag_run.run_after).strftime('%Y-%m-%dT%H:%M:%SZ') }}"
#: what a deployed model is asked first: one of each sentiment.
SMOKE_REVIEWS = ["I love this product!", "OK, but not great.", "This is not the right product."]


def task_defaults(*, execution_timeout: timedelta) -> dict[str, Any]:
    """
    A DAG's ``default_args``.

    A failed job is followed by another at most twice, since each costs money. Tries that are lost to a killed process
    or to an Airflow component that is away cost nothing: the next one finds the job, or its result.
    """
    return {
        "owner": "ml",
        "retries": LOST_TRIES,
        "retry_policy": FailureBudget(retries=FAILURES),
        "retry_delay": timedelta(seconds=10),
        "execution_timeout": execution_timeout,
    }


def stage(name: str) -> TaskGroup:
    """
    Return a group for the tasks of one stage: a box of that name in the graph of the UI.

    The tasks keep their plain ids, which are in the names of their jobs.
    """
    # A group cannot have the id of a task, such as "train".
    return TaskGroup(f"stage_{name}", group_display_name=name, prefix_group_id=False)


def find_reviews() -> Any:
    """
    The task that tells where the present reviews came from, and which table was made of them.

    Returns what :func:`include.reviews.upload.origin_of_table` does, and ``labels``: the S3 prefix of what people have
    said of reviews, "" where nobody was asked yet. Fails where S3 has other reviews than were ingested last.
    """
    return task(task_id="find_reviews")(reviews_and_labels)(paths.ORIGIN, paths.TABLE, paths.HUMAN_LABELS)


def reviews_and_labels(note: str, table_note: str, labels: str) -> dict[str, Any]:
    """Return what :func:`find_reviews` does, from these places in S3."""
    return {**origin_of_table(note, table_note), "labels": "" if is_empty(labels) else labels}


def features(
    base_model: str = settings.base_model, text: str = settings.text, *, store: bool = False
) -> ProcessingJobOperator:
    """
    The task that makes the three splits.

    For a DAG that has :func:`find_reviews`. In every DAG the same reviews and the same shares, and so the same test
    split: models can be compared by it. What people have labelled is trained on as they say.

    :param base_model: whose tokenizer makes the ids.
    :param text: what a model reads of a review.
    :param store: whether the output ``feature_store`` is wanted too.
    """
    return ProcessingJobOperator(
        task_id="features",
        job=settings.processing_job("features"),
        inputs={"reviews": paths.REVIEWS, "labels": LABELS},
        optional_inputs=["labels"],
        outputs=["train", "validation", "test", "report", *(["feature_store"] if store else [])],
        arguments={
            "base-model": base_model,
            "text": text,
            "max-seq-length": settings.max_seq_length,
            "date": EVENT_TIME,
            **expected_table("find_reviews"),
        },
        result="report/report.json",
    )
