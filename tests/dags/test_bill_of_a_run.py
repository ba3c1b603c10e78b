"""The task that tells what a run has cost, by Airflow's own rules: it changes nothing of what becomes of the run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from scheduling_kit import Run, make_database


class Aws:
    """An account with one job of this name, of 20 billable minutes."""

    conn_client_meta = SimpleNamespace(endpoint_url="https://api.sagemaker.us-east-1.amazonaws.com")
    name = ""

    def describe(self, kind: str, name: str) -> dict[str, Any] | None:
        machines = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1}
        job = {"ResourceConfig": machines, "BillableTimeInSeconds": 1200}
        return job if (kind, name) == ("TrainingJob", self.name) else None


@pytest.fixture(scope="module")
def database(airflow_settings: None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        make_database(patch, tmp_path_factory.mktemp("airflow") / "airflow.db")
        yield


@pytest.mark.parametrize(("fails", "billed"), [(True, True), (False, True), (False, False)])
def test_a_failed_run_stays_failed_and_has_its_bill(
    database: None, monkeypatch: pytest.MonkeyPatch, fails: bool, billed: bool
) -> None:
    from airflow.sdk import DAG, chain, task

    from amazon_ml.naming import job_name
    from amazon_ml.operators.training import TrainingJobOperator
    from include.settings import settings
    from include.tasks import bills

    aws = Aws()
    monkeypatch.setattr("amazon_ml.hooks.sagemaker.SageMakerJobHook", lambda: aws)
    monkeypatch.setattr(TrainingJobOperator, "execute", lambda self, context: {"name": "one"})
    with DAG(f"billed_{fails}_{billed}".lower(), schedule=None) as dag:

        @task
        def look() -> None:
            """Fail, where the test says so."""
            if fails:
                raise ValueError("no")

        chain(TrainingJobOperator(task_id="train", job=settings.training_job("train")), look())
        bills.report_costs(dag)
    run = Run(dag, {})
    if billed:
        aws.name = job_name(dag.dag_id, "train", -1, run.run_id)
    states = run.go_on()
    assert states["run"] == ("failed" if fails else "success")
    assert states["report_costs"] == ("success" if billed else "skipped")
    if billed:
        bill = run.result("report_costs")
        assert bill["lines"] == [
            {"task": "train", "what": "20.0 min of ml.m5.xlarge (training)", "usd": pytest.approx(0.23 / 3)}
        ]
