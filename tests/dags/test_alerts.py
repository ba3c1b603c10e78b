"""Who is told of a run that fails or is late: nobody by default, an SNS topic by setting; as Airflow itself tells."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from localaws_kit import LocalAws

TOPIC = "arn:aws:sns:us-east-1:123456789012:airflow-alerts"


@pytest.fixture
def alerts(airflow_settings: None) -> Any:
    """What ``alerts`` makes of environment variables."""
    from include.settings import Settings
    from include.tasks.alerts import alerts

    return lambda dag_id="train_sentiment", **environment: alerts(dag_id, Settings.read(environment))


@pytest.fixture
def told(localaws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The messages that a topic has got."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://")
    file = localaws.home / "localaws" / "sns" / "airflow-alerts.jsonl"
    file.unlink(missing_ok=True)
    assert localaws.client("sns").create_topic(Name="airflow-alerts")["TopicArn"] == TOPIC
    return lambda: [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _dag(**given: Any) -> Any:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG

    with DAG(dag_id="train_sentiment", schedule=None, **given) as made:
        EmptyOperator(task_id="train")
    return made


def test_without_a_topic_a_dag_is_as_it_was(alerts: Any, dagbag: Any) -> None:
    assert alerts() == {}
    for dag in dagbag.dags.values():
        assert not dag.on_failure_callback and not dag.has_on_failure_callback, dag.dag_id
        assert not dag.deadline, dag.dag_id


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"REVIEWS_ALERT_TOPIC": "alerts"}, "must be the ARN of an SNS topic, and is 'alerts'"),
        ({"REVIEWS_ALERT_TOPIC": TOPIC, "REVIEWS_DEADLINE_MINUTES": "soon"}, "minutes above 0.* has 'soon'"),
        ({"REVIEWS_ALERT_TOPIC": TOPIC, "REVIEWS_DEADLINE_MINUTES": "0"}, "minutes above 0.* has '0'"),
        ({"REVIEWS_ALERT_TOPIC": TOPIC, "REVIEWS_DEADLINE_MINUTES": "a=-5"}, "minutes above 0.* has 'a=-5'"),
        ({"REVIEWS_DEADLINE_MINUTES": "60"}, "set REVIEWS_ALERT_TOPIC too"),
    ],
)
def test_a_wrong_setting_is_said(alerts: Any, environment: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        alerts(**environment)


def test_a_deadline_is_of_all_dags_or_of_one(alerts: Any) -> None:
    given = {"REVIEWS_ALERT_TOPIC": TOPIC, "REVIEWS_DEADLINE_MINUTES": "90, human_review=10080"}
    assert alerts(**given)["deadline"].interval == timedelta(minutes=90)
    assert alerts("human_review", **given)["deadline"].interval == timedelta(days=7)
    only = {**given, "REVIEWS_DEADLINE_MINUTES": "human_review=10080"}
    assert alerts(**only).keys() == {"on_failure_callback"}


def test_a_failed_run_is_published(alerts: Any, told: Any) -> None:
    from airflow.callbacks.callback_requests import DagCallbackRequest
    from airflow.dag_processing.processor import _execute_dag_callbacks

    dag = _dag(**alerts(REVIEWS_ALERT_TOPIC=TOPIC))
    request = DagCallbackRequest(
        filepath="train_sentiment.py",
        bundle_name="tests",
        bundle_version=None,
        dag_id="train_sentiment",
        run_id="manual__1",
        is_failure_callback=True,
        msg="task_failure",
    )
    bag: Any = SimpleNamespace(dags={"train_sentiment": dag}, get_dag=lambda _: dag)
    log: Any = _Log()
    _execute_dag_callbacks(bag, request, log)
    assert log.errors == []
    (message,) = told()
    assert message["Subject"] == "train_sentiment failed"
    assert message["Message"] == "DAG train_sentiment, run manual__1: failed (task_failure)."


def test_a_late_run_is_published_by_the_triggerer(alerts: Any, told: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.triggers.callback import CallbackTrigger

    dag = _dag(**alerts(REVIEWS_ALERT_TOPIC=TOPIC, REVIEWS_DEADLINE_MINUTES="90"))
    stored = DagSerialization.deserialize_dag(json.loads(json.dumps(DagSerialization.serialize_dag(dag))))
    assert stored.deadline
    callback = dag.deadline[0].callback if isinstance(dag.deadline, list) else dag.deadline.callback
    context = {
        "dag_run": {"dag_id": "train_sentiment", "dag_run_id": "manual__1", "state": "running"},
        "deadline": {"id": "1", "deadline_time": "2026-12-01T10:00:00Z"},
    }
    trigger = CallbackTrigger(callback.path, {**json.loads(json.dumps(callback.kwargs)), "context": context})

    async def events() -> list[Any]:
        return [event.payload["state"] async for event in trigger.run()]

    assert [str(state) for state in asyncio.run(events())] == ["running", "success"]
    (message,) = told()
    assert message["Subject"] == "train_sentiment is late"
    assert message["Message"] == (
        "DAG train_sentiment, run manual__1: is running and was to be done by 2026-12-01T10:00:00Z."
    )


class _Log:
    """Airflow's logger, of which a callback that failed would be the only trace."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def info(self, *_: Any, **__: Any) -> None:
        """Drop it."""

    def exception(self, words: str, **_: Any) -> None:
        self.errors.append(words)
        logging.exception(words)
