"""The features job, the same in every DAG."""

from __future__ import annotations

from amazon_ml.operators.processing import ProcessingJobOperator
from include import paths
from include.reviews.origin import expected_table
from include.settings import settings
from include.tasks.find_reviews import LABELS

#: event time of a run's features, the same in all tries.
EVENT_TIME = "{{ (dag_run.logical_date or dag_run.run_after).strftime('%Y-%m-%dT%H:%M:%SZ') }}"


def features(
    base_model: str = settings.base_model, text: str = settings.text, *, store: bool = False
) -> ProcessingJobOperator:
    """
    Return the task that makes the three splits.

    For a DAG that has the task ``find_reviews``. Every DAG takes the same reviews and the same shares, and so has the
    same test split: models can be compared by it. Labels that people gave count instead of the ratings in training.

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
