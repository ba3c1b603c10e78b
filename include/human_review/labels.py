"""What people said becomes a data set: merged, reported, in S3 with its table and in Feature Store, and announced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow.sdk import Metadata, TriggerRule, chain, task

from amazon_ml.operators.athena import AthenaQueryOperator
from amazon_ml.operators.feature_group import FeatureGroupOperator, FeatureIngestOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from include import paths
from include.assets import HUMAN_LABELS
from include.human_review.plan import BATCH, PLACE, REPORTS
from include.settings import settings
from include.tasks import reports
from include.tasks.find_reviews import SYNTHETIC

#: a batch's file of the data set.
FILE = f"{paths.HUMAN_LABELS}{BATCH}.parquet"
FEATURE_GROUP = f"{settings.feature_group}-human-labels"
#: of the records; columns as the human_labels job writes them.
SCHEMA = {
    "review_id": "String",
    "label": "Integral",
    "votes": "String",
    "workers": "String",
    "confidence": "Fractional",
    "labelled_at": "String",
    "batch": "String",
    "share": "String",
    "predicted_label": "Integral",
    "probability": "Fractional",
}
TABLE = f"""
    CREATE EXTERNAL TABLE IF NOT EXISTS human_labels (
        review_id string, label tinyint, votes array<tinyint>, workers array<string>, confidence double,
        labelled_at string, batch string, share string, predicted_label tinyint, probability double
    )
    STORED AS PARQUET
    LOCATION '{paths.HUMAN_LABELS}'
"""
#: asset events that are looked through for a batch.
_EVENTS = 1000


def merge_answers() -> ProcessingJobOperator:
    """Return the task that makes labels of the answers of all rounds: a new file of the data set, and the report."""
    return ProcessingJobOperator(
        task_id="labels",
        job=settings.processing_job("human_labels"),
        inputs={"selected": f"{PLACE}/selected/", "answers": f"{PLACE}/answers/"},
        outputs={"labels": paths.HUMAN_LABELS, "report": f"{REPORTS}/labels/"},
        arguments={"batch": BATCH, "method": "{{ params.method }}", "synthetic": SYNTHETIC},
        result="report/report.json",
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
    )


def publish(labels: ProcessingJobOperator) -> tuple[Any, Any]:
    """
    Make the tasks from the report to the Asset; the first and the last of them.

    Without a new label there is no Asset event.
    """
    shown = task(task_id="show")(reports.show)(f"{REPORTS}/labels/report.md")
    anything = task.short_circuit(task_id="new_labels", ignore_downstream_trigger_rules=True)(is_new)(labels.result)
    table = AthenaQueryOperator(
        task_id="table",
        query=TABLE,
        database=settings.database,
        workgroup=settings.work_group,
        output_location=f"{paths.ANSWERS}/human_labels/",
    )
    group = FeatureGroupOperator(
        task_id="feature_group",
        name=FEATURE_GROUP,
        features=SCHEMA,
        identifier="review_id",
        event_time="labelled_at",
        role_arn=settings.role_arn,
        offline_s3_uri=paths.FEATURE_STORE,
        description="What people said of reviews that the model was not sure of",
    )
    ingest = FeatureIngestOperator(task_id="ingest", feature_group=FEATURE_GROUP, source=FILE)
    announced = task(task_id="announce", inlets=[HUMAN_LABELS], outlets=[HUMAN_LABELS])(announce)(BATCH, labels.result)
    chain(labels, shown, anything, [table, group])
    chain(group, ingest)
    chain([table, ingest], announced)
    return shown, announced


def is_new(report: Mapping[str, Any]) -> bool:
    """Say whether the batch has a label: without one nothing is announced, and nothing trained."""
    print(f"{report['labelled']} reviews of {report['asked']} have a label")
    return bool(report["labelled"])


def announce(batch: str, report: Mapping[str, Any], inlet_events: Any = None) -> Iterator[Metadata]:
    """
    Update the Asset, which sets off the training: once for each batch, however often the task is cleared.

    :param inlet_events: Airflow's, the events of the Asset so far.
    :raises AirflowSkipException: the batch was announced before.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    before = inlet_events[HUMAN_LABELS].ascending(False).limit(_EVENTS)
    if any(event.extra.get("batch") == batch for event in before):
        raise AirflowSkipException(f"batch {batch} was announced before")
    yield Metadata(HUMAN_LABELS, extra={"batch": batch, "labels": report["labelled"], "synthetic": report["synthetic"]})
