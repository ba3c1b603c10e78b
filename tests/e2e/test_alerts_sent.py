"""A real Airflow tells a topic of runs that fail and of one that is late; it sweeps before there is a bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from runs_kit import LONG, ended, until, until_known

from stack import processes, services, summary
from stack.airflow_api import AirflowApi
from stack.layout import Stack

pytestmark = [pytest.mark.e2e, LONG]

ROOT = Path(__file__).parents[2]
TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"
LATE = """
import time
from datetime import timedelta
from airflow.sdk import DAG, task
from include.tasks.alerts import alerts

with DAG("late", schedule=None, **alerts("late")):

    @task(execution_timeout=timedelta(minutes=5))
    def sleep():
        time.sleep(240)

    sleep()
"""


@pytest.fixture(scope="module")
def alerting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own with a topic, a deadline of a minute for one DAG, and no reviews."""
    folder = tmp_path_factory.mktemp("alerting")
    dags = folder / "dags"
    dags.mkdir()
    for name in ("human_review", "sweep_idle", "teardown"):
        (dags / f"{name}.py").symlink_to(ROOT / "dags" / f"{name}.py")
    (dags / "late.py").write_text(LATE)
    localaws_port, airflow_port = processes.free_ports(2)
    settings = {"REVIEWS_ALERT_TOPIC": TOPIC, "REVIEWS_DEADLINE_MINUTES": "late=1"}
    stack = Stack(folder / "home", localaws_port, airflow_port, dags, settings)
    try:
        services.up(stack)
        summary.client(stack, "sns").create_topic(Name="alerts")
        yield stack
    finally:
        services.down(stack)


def test_who_listens_hears_of_failed_and_late_runs(alerting: Stack) -> None:
    api, kept = AirflowApi(alerting), alerting.home / "localaws" / "sns" / "alerts.jsonl"

    def told() -> dict[str, Any]:
        lines = kept.read_text().splitlines() if kept.exists() else []
        return {message["Subject"]: message["Message"] for message in map(json.loads, lines)}

    for dag_id, conf in {"late": {}, "human_review": {}, "teardown": {"run": "never-was"}, "sweep_idle": {}}.items():
        until_known(api, dag_id)
        api.trigger(dag_id, "once", conf)
    states = {dag_id: ended(api, dag_id, "once") for dag_id in ("human_review", "teardown", "sweep_idle")}
    assert {dag_id: found["run"] for dag_id, found in states.items()} == {
        "human_review": "failed",
        "teardown": "failed",
        "sweep_idle": "success",
    }
    found = until(told, lambda seen: len(seen) == 3, what="three messages", timeout=180)
    assert found.keys() == {"human_review failed", "teardown failed", "late is late"}
    assert found["teardown failed"].startswith("DAG teardown, run once: failed (task_failure).")
    assert found["late is late"].startswith("DAG late, run once: is running and was to be done by 20")
    assert api.run("late", "once")["state"] == "running"
