"""Who is told when a run fails, or takes too long: an SNS topic, where the settings name one."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from include.settings import Settings, settings

_ARN = re.compile(r"arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+(\.fifo)?")

#: Airflow runs it in the DAG processor, with the run and, where a task failed, its last task instance.
FAILED: dict[str, Any] = {
    "subject": "{{ (dag.dag_id + ' failed')[:100] }}",
    "message": "DAG {{ dag.dag_id }}, run {{ run_id }}: failed ({{ reason }})."
    "{% if ti is defined %} Last task: {{ ti.task_id }}, try {{ ti.try_number }}.{% endif %}",
}
#: Airflow runs it in the triggerer, with what its API tells of the run.
LATE: dict[str, Any] = {
    "subject": "{{ (dag_run.dag_id + ' is late')[:100] }}",
    "message": "DAG {{ dag_run.dag_id }}, run {{ dag_run.dag_run_id }}: is {{ dag_run.state }} and was to be done by "
    "{{ deadline.deadline_time }}.",
}


def alerts(dag_id: str, settings: Settings = settings) -> dict[str, Any]:
    """
    Return the arguments of a DAG that tell people of its runs; none without ``REVIEWS_ALERT_TOPIC``.

    :raises ValueError: the topic is not one, a deadline is not a number of minutes, or nobody would hear of it.
    """
    minutes = deadlines(settings.deadlines)
    if not settings.alert_topic:
        if minutes:
            raise ValueError("REVIEWS_DEADLINE_MINUTES is set and nobody would be told: set REVIEWS_ALERT_TOPIC too")
        return {}
    if not _ARN.fullmatch(settings.alert_topic):
        raise ValueError(f"REVIEWS_ALERT_TOPIC must be the ARN of an SNS topic, and is {settings.alert_topic!r}")
    told: dict[str, Any] = {"on_failure_callback": _notifier(settings, FAILED)}
    if limit := minutes.get(dag_id, minutes.get("")):
        told["deadline"] = _deadline(settings, limit)
    return told


def deadlines(text: str) -> dict[str, int]:
    """
    Return the minutes that a run may take from its start, by DAG; under "" those of all others.

    :param text: such as ``360``, or ``360 human_review=10080``.
    :raises ValueError: it is something else.
    """
    found: dict[str, int] = {}
    for word in text.replace(",", " ").split():
        dag_id, _, minutes = word.rpartition("=")
        if not minutes.isdecimal() or int(minutes) == 0:
            raise ValueError(
                f"REVIEWS_DEADLINE_MINUTES must be a whole number of minutes above 0, or dag=minutes, and has {word!r}"
            )
        found[dag_id] = int(minutes)
    return found


def _notifier(settings: Settings, words: dict[str, Any]) -> Any:
    # Imported where it is needed: it brings boto3, and most deployments have no topic.
    from airflow.providers.amazon.aws.notifications.sns import SnsNotifier

    return SnsNotifier(**_topic(settings), **words)


def _deadline(settings: Settings, minutes: int) -> Any:
    from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
    from airflow.sdk.definitions.callback import AsyncCallback
    from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=minutes),
        callback=AsyncCallback(SnsNotifier, {**_topic(settings), **LATE}),
        name=f"not done after {minutes} minutes",
    )


def _topic(settings: Settings) -> dict[str, Any]:
    return {"target_arn": settings.alert_topic, "region_name": settings.alert_topic.split(":")[3]}
