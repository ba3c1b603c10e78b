"""The features in SageMaker Feature Store: put there, counted there by Athena, and read from there for training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, XComArg, task

from amazon_ml.operators.athena import AthenaQueryOperator
from amazon_ml.operators.feature_group import FeatureGroupOperator, FeatureIngestOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from include import paths
from include.assets import FEATURES
from include.settings import settings
from include.tasks.features import EVENT_TIME

#: of the records: https://docs.aws.amazon.com/sagemaker/latest/dg/feature-store-quotas.html has the limits.
SCHEMA = {
    "review_id": "String",
    "date": "String",
    "sentiment": "String",
    "label_id": "String",
    "input_ids": "String",
    "review_body": "String",
    "split_type": "String",
}
#: what training reads; the test split is for the evaluation, and always in S3.
LEARNED = ("train", "validation")
#: what the task of :func:`feature_group` returns; for templates.
GROUP = "ti.xcom_pull(task_ids='feature_group')"
#: the records of one run, each as it was written last.
LATEST = """
    SELECT *, row_number() OVER (
        PARTITION BY review_id ORDER BY api_invocation_time DESC, write_time DESC
    ) AS place
    FROM "{table}" WHERE "date" = '{date}'
"""


def feature_group() -> FeatureGroupOperator:
    """Return the task that makes the feature group where it is missing."""
    return FeatureGroupOperator(
        task_id="feature_group",
        name=settings.feature_group,
        features=SCHEMA,
        identifier="review_id",
        event_time="date",
        role_arn=settings.role_arn,
        offline_s3_uri=paths.FEATURE_STORE,
        description="Reviews as token ids, as many of each sentiment, in three splits",
    )


def ingest(splits: ProcessingJobOperator) -> tuple[BaseOperator, list[BaseOperator]]:
    """
    Return the task that puts the records of the features job into the group, and those that follow it.

    With ``settings.feature_ingest`` as ``offline`` a processing job writes them into the offline store in bulk, and the
    online store has those of ``settings.online_split`` alone; else each record goes into both stores by PutRecord.
    """
    source = splits.outputs["feature_store"]
    if settings.feature_ingest != "offline":
        return FeatureIngestOperator(task_id="ingest", feature_group=settings.feature_group, source=source), []
    following: list[BaseOperator] = [add_partition()]
    if settings.online_split:
        online = FeatureIngestOperator(
            task_id="ingest_online",
            feature_group=settings.feature_group,
            source=source,
            only={"split_type": settings.online_split},
            stores=["OnlineStore"],
        )
        following.append(online)
    return ingest_offline(splits), following


def ingest_offline(splits: ProcessingJobOperator) -> ProcessingJobOperator:
    """Return the task that writes the records into the offline store, in the layout of Feature Store."""
    instances = settings.features_instances
    return ProcessingJobOperator(
        task_id="ingest",
        job=settings.processing_job("offline_store", instance_count=instances),
        inputs={"records": splits.outputs["feature_store"]},
        sharded_inputs=["records"] if instances > 1 else [],
        outputs={"offline": f"{{{{ {GROUP}['s3_uri'] }}}}/", "report": f"{paths.OFFLINE_REPORTS}/"},
        arguments={
            "features": ",".join(f"{name}:{kind}" for name, kind in SCHEMA.items()),
            "event-time": "date",
        },
    )


def add_partition() -> AthenaQueryOperator:
    """Return the task that adds the partition of a run's event time to the table of the offline store."""
    moment = "(dag_run.logical_date or dag_run.run_after)"
    formats = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H"}
    values = ", ".join(f"{key} = '{{{{ {moment}.strftime('{code}') }}}}'" for key, code in formats.items())
    return AthenaQueryOperator(
        task_id="add_partition",
        query=f"ALTER TABLE `{{{{ {GROUP}['table'] }}}}` ADD IF NOT EXISTS PARTITION ({values})",
        database=f"{{{{ {GROUP}['database'] }}}}",
        workgroup=settings.work_group,
        output_location=f"{paths.ANSWERS}/add_partition/",
    )


def check_store(splits: ProcessingJobOperator, group: FeatureGroupOperator) -> XComArg:
    """Return the task that waits until Athena counts the records of each sentiment that the features job wrote."""
    waits = task.sensor(
        task_id="check_store",
        poke_interval=3,
        exponential_backoff=True,
        max_wait=timedelta(minutes=2),
        # AWS writes the offline store within 15 minutes.
        timeout=timedelta(minutes=40).total_seconds(),
        mode="reschedule",
        outlets=[FEATURES],
    )
    counted: XComArg = waits(stored)(splits.result, group.output, EVENT_TIME, f"{paths.ANSWERS}/check_store/")
    return counted


def stored(report: Mapping[str, Any], group: Mapping[str, str], date: str, answers: str) -> bool:
    """Say whether the offline store has what the features job wrote for it, and log how far it is."""
    expected = {sentiment: int(count) for sentiment, count in report["feature_store"].items()}
    latest = LATEST.format(table=group["table"], date=date)
    query = f"SELECT sentiment, count(*) FROM ({latest}) WHERE place = 1 AND NOT is_deleted GROUP BY sentiment"  # noqa: S608
    found = {sentiment: int(count) for sentiment, count in _rows(query, group["database"], answers)}
    print(f"Athena counts {json.dumps(found, sort_keys=True)} records by sentiment of {json.dumps(expected)}")
    return found == expected


def choose_source(splits: ProcessingJobOperator) -> tuple[XComArg, list[AthenaQueryOperator], dict[str, str]]:
    """
    Make the tasks by which the run's param ``features_from`` takes effect, and the channels of the training job.

    Returns the branch, for before the training and the other tasks; those tasks, for between the check of the store
    and the training; and channel -> S3 URI, templates.
    """

    @task.branch
    def features_from(params: Any = None) -> str | list[str]:
        """Choose where the training job reads its splits: S3 files, or what Athena finds in the Feature Store."""
        return [f"unload_{split}" for split in LEARNED] if params["features_from"] == "feature_store" else "train"

    channels = {}
    for split in LEARNED:
        file = f"ti.xcom_pull(task_ids='{splits.task_id}', key='output_{split}')"
        stored = f"{{% else %}}{unloaded(split)}{{% endif %}}"
        channels[split] = f"{{% if params.features_from == 's3' %}}{{{{ {file} }}}}{stored}"
    return features_from(), [unload(split) for split in LEARNED], channels


def derivations(splits: ProcessingJobOperator) -> list[dict[str, Any]]:
    """Return what Athena unloaded for the training, for the lineage: SageMaker's own knows nothing of Athena."""
    source = f"ti.xcom_pull(task_ids='{splits.task_id}', key='output_feature_store')"
    stored = f"{{% if params.features_from == 'feature_store' %}}{{{{ {source} or '' }}}}{{% endif %}}"
    return [{"uri": unloaded(split), "sources": [stored]} for split in LEARNED]


def unload(split: str) -> AthenaQueryOperator:
    """Return the task that has Athena write one split of this run's records as Parquet, for the training job."""
    latest = LATEST.format(table=f"{{{{ {GROUP}['table'] }}}}", date=EVENT_TIME)
    return AthenaQueryOperator(
        task_id=f"unload_{split}",
        query=f"""
            UNLOAD (
                SELECT CAST(label_id AS integer) AS label_id,
                       transform(split(input_ids, ' '), token -> CAST(token AS integer)) AS input_ids
                FROM ({latest}) WHERE place = 1 AND NOT is_deleted AND split_type = '{split}'
                ORDER BY review_id
            ) TO '{unloaded(split)}' WITH (format = 'PARQUET')
        """,  # noqa: S608 (nothing in it comes from people)
        database=f"{{{{ {GROUP}['database'] }}}}",
        workgroup=settings.work_group,
        output_location=f"{paths.ANSWERS}/unload_{split}/",
    )


def unloaded(split: str) -> str:
    """Return the S3 prefix of what :func:`unload` writes."""
    return f"{paths.ANSWERS}/{split}/"


def _rows(query: str, database: str, answers: str) -> list[list[str]]:
    """Return the answer to a query that gives few rows. :raises RuntimeError: it failed."""
    from airflow.providers.amazon.aws.hooks.athena import AthenaHook

    hook: Any = AthenaHook()
    place = {"OutputLocation": answers}
    found = hook.run_query(query, {"Database": database}, place, workgroup=settings.work_group)
    state = hook.poll_query_status(found, sleep_time=1)
    if state != "SUCCEEDED":
        raise RuntimeError(f"Athena query {found} {state}: {hook.get_state_change_reason(found)}")
    _, *rows = hook.get_query_results(found)["ResultSet"]["Rows"]
    return [[value.get("VarCharValue", "") for value in row["Data"]] for row in rows]
