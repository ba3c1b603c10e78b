"""The features job, the same in every DAG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amazon_ml.hooks.s3 import split
from amazon_ml.operators.processing import ProcessingJobOperator
from include import paths
from include.reviews.origin import expected_table
from include.settings import settings
from include.tasks import shards
from include.tasks.find_reviews import LABELS

if TYPE_CHECKING:
    from airflow.sdk import Context

#: event time of a run's features, the same in all tries.
EVENT_TIME = "{{ (dag_run.logical_date or dag_run.run_after).strftime('%Y-%m-%dT%H:%M:%SZ') }}"


class FeaturesOperator(ProcessingJobOperator):
    """
    Run the features job; its result is the report of all instances together.

    :raises NotCovered: by their manifests, the instances have not taken each review of the table exactly once.
    """

    def summarise(self, description: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Check the manifests before anybody reads the splits."""
        found = super().summarise(description, context)
        manifests = self._documents(found["outputs"]["manifest"])
        shards.check(manifests, self.arguments["reviews-sha256"], int(self.arguments["reviews-rows"]))
        self.log.info("%d instances took each of %s reviews once", len(manifests), self.arguments["reviews-rows"])
        found["result"] = shards.merged([found["result"], *self._documents(found["outputs"]["report"], "report-")])
        context["ti"].xcom_push(key="result", value=found["result"])
        return found

    def _documents(self, uri: str, name: str = "") -> list[Any]:
        """Return the JSON documents below an S3 prefix, those whose names begin with ``name``."""
        bucket, prefix = split(f"{uri.rstrip('/')}/{name}")
        objects = self.hook.s3.list_objects(bucket, prefix)
        return [self.hook.s3.read_json(f"s3://{bucket}/{each['Key']}") for each in objects]


def features(
    base_model: str = settings.base_model, text: str = settings.text, *, store: bool = False
) -> FeaturesOperator:
    """
    Return the task that makes the three splits.

    For a DAG that has the task ``find_reviews``. Every DAG takes the same reviews and the same shares, and so has the
    same test split: models can be compared by it. Labels that people gave count instead of the ratings in training.

    With ``settings.features_instances`` above 1 each instance reads parts of its own. The test split then has another
    size: no text is in two splits, and one that occurs in two parts can be in its split twice.

    :param base_model: whose tokenizer makes the ids.
    :param text: what a model reads of a review.
    :param store: whether the output ``feature_store`` is wanted too.
    """
    instances = settings.features_instances
    return FeaturesOperator(
        task_id="features",
        job=settings.processing_job("features", instance_count=instances),
        inputs={"reviews": paths.REVIEWS, "labels": LABELS},
        optional_inputs=["labels"],
        sharded_inputs=["reviews"] if instances > 1 else [],
        outputs=["train", "validation", "test", "report", "manifest", *(["feature_store"] if store else [])],
        arguments={
            "base-model": base_model,
            "text": text,
            "max-seq-length": settings.max_seq_length,
            "date": EVENT_TIME,
            **expected_table("find_reviews"),
        },
        result="report/report.json",
    )
