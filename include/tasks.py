"""What several DAGs begin with: how their tasks are retried, where the reviews are from, and the features job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import task

from amazon_ml.operators.processing import ProcessingJobOperator
from include.raw import origin
from include.settings import settings

#: whether the reviews are made up, for the arguments of a DAG that has :func:`find_reviews`: every report and every
#: chart then says so.
SYNTHETIC = "{{ ti.xcom_pull(task_ids='find_reviews')['synthetic'] }}"
#: event time of a run's features, the same in all tries.
EVENT_TIME = "{{ (dag_run.logical_date or dag_run.run_after).strftime('%Y-%m-%dT%H:%M:%SZ') }}"
#: where Athena leaves the answers of a run: a folder of its own, so that a retried or parallel run never mixes its
#: answers with another's, and UNLOAD finds it empty.
ANSWERS = settings.uri("athena", "{{ run_id | replace(':', '') | replace('+', '_') }}")
#: what a deployed model is asked first: one of each sentiment.
SMOKE_REVIEWS = ["I love this product!", "OK, but not great.", "This is not the right product."]


def task_defaults(*, execution_timeout: timedelta) -> dict[str, Any]:
    """A DAG's ``default_args``. A failed job is made anew at most twice: each time costs money."""
    return {
        "owner": "ml",
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "execution_timeout": execution_timeout,
    }


def find_reviews() -> Any:
    """The task that tells where the present raw reviews came from: ``{"uri", "source", "synthetic"}``."""
    return task(task_id="find_reviews")(origin)(settings.uri("data", "origin.json"))


def features(base_model: str = settings.base_model, *, store: bool = False) -> ProcessingJobOperator:
    """
    The task that makes the three splits.

    In every DAG the same reviews and the same shares, and so the same test split: models can be compared by it.

    :param base_model: whose tokenizer makes the ids.
    :param store: whether the output ``feature_store`` is wanted too.
    """
    return ProcessingJobOperator(
        task_id="features",
        job=settings.processing_job("features"),
        inputs={"raw": settings.uri("data", "raw/")},
        outputs=["train", "validation", "test", "report", *(["feature_store"] if store else [])],
        arguments={"base-model": base_model, "max-seq-length": settings.max_seq_length, "date": EVENT_TIME},
        result="report/report.json",
    )
