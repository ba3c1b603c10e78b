"""What a run's jobs have cost, at its end: from jobs on localaws, and from what AWS says of kinds that take long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, task_group
from airflow.sdk.exceptions import AirflowSkipException
from operator_kit import BUCKET, IMAGE, ROLE, Airflow, FakeTask

from amazon_ml.exceptions import JobFailed
from amazon_ml.naming import job_name
from amazon_ml.operators.auto_ml import AutoMLJobOperator
from amazon_ml.operators.endpoint import DeleteEndpointOperator, EndpointOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from amazon_ml.operators.training import TrainingJobOperator
from amazon_ml.operators.tuning import TuningJobOperator
from amazon_ml.specs.auto_ml import AutoMLJobSpec
from amazon_ml.specs.job import ProcessingJobSpec, TrainingJobSpec
from amazon_ml.specs.tuning import TuningJobSpec
from include.tasks import bills

RUN = "manual__bills"
START = datetime(2026, 11, 30, 10, tzinfo=UTC)
NOW = START + timedelta(hours=2)
VARIANT = {"name": "AllTraffic", "model": "m", "instance_type": "ml.m5.large", "instances": 2, "weight": 1.0}


class Clock(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return NOW


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bills, "datetime", Clock)


class Results:
    """The XComs of a run, by task, map index and key."""

    def __init__(self, **values: Any) -> None:
        self.values = {(name, -1, "return_value"): value for name, value in values.items()}

    def xcom_pull(self, task_ids: str, key: str = "return_value", map_indexes: int = -1) -> Any:
        return self.values.get((task_ids, map_indexes, key))


class Aws:
    """What AWS describes, by kind and name."""

    conn_client_meta = SimpleNamespace(endpoint_url="https://api.sagemaker.us-east-1.amazonaws.com")

    def __init__(self) -> None:
        self.described: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.trials: list[Mapping[str, Any]] = []
        self.found: list[Mapping[str, Any]] = []

    def describe(self, kind: str, name: str) -> Mapping[str, Any] | None:
        return self.described.get((kind, name))

    def require(self, kind: str, name: str) -> Mapping[str, Any]:
        return self.described[kind, name]

    def training_jobs_of(self, name: str) -> Iterator[Mapping[str, Any]]:
        assert name
        return iter(self.trials)

    def candidates(self, name: str) -> Iterator[Mapping[str, Any]]:
        assert name
        return iter(self.found)

    def trained(self, name: str, seconds: int, kind: str = "ml.m5.xlarge") -> None:
        machines = {"InstanceType": kind, "InstanceCount": 1, "VolumeSizeInGB": 30}
        self.described["TrainingJob", name] = {"BillableTimeInSeconds": seconds, "ResourceConfig": machines}


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Aws:
    made = Aws()
    monkeypatch.setattr("amazon_ml.hooks.sagemaker.SageMakerJobHook", lambda: made)
    return made


def report(dag: DAG, results: Results | None = None) -> dict[str, Any]:
    run = SimpleNamespace(run_id=RUN, start_date=START)
    return bills.report(ti=results or Results(), dag=dag, dag_run=run)


def spec(kind: type[Any], source: Path, **more: Any) -> Any:
    where = {"source_dir": str(source), "entry_point": "main.py", "instance_type": "ml.m5.large"}
    return kind(image_uri=IMAGE, role_arn=ROLE, bucket=BUCKET, **where, **more)


def test_all_attempts_of_jobs_on_localaws_are_in_the_bill(
    aws: Any, airflow: Airflow, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with DAG("bills") as dag:
        train = TrainingJobOperator(task_id="train", job=spec(TrainingJobSpec, source), checkpoints=False)
        broken = ProcessingJobOperator(task_id="broken", job=spec(ProcessingJobSpec, source))
        ProcessingJobOperator(task_id="never", job=spec(ProcessingJobSpec, source))
    (source / "main.py").write_text("import time; time.sleep(1.2); print('trained')\n")
    airflow.run(lambda: train, FakeTask("bills", "train", RUN))
    (source / "main.py").write_text("import time; time.sleep(1.2); raise SystemExit(3)\n")
    for number in (1, 2):
        with pytest.raises(JobFailed):
            airflow.run(lambda: broken, FakeTask("bills", "broken", RUN, try_number=number))
    found = report(dag)
    trained, failed = sorted(found["lines"], key=lambda line: -len(line["task"]), reverse=True)
    assert (trained["task"], failed["task"]) == ("train", "broken")
    assert failed["what"].startswith("2 jobs: ")
    assert failed["usd"] >= 2 * 0.115 / 3600
    assert found["usd"] == pytest.approx(trained["usd"] + failed["usd"], abs=1e-5)
    printed = capsys.readouterr().out
    assert "On AWS this run would have cost (it ran at http://127.0.0.1:" in printed
    assert "on-demand prices of us-east-1" in printed


def test_a_run_that_has_started_nothing_has_no_bill(remote: Aws, source: Path) -> None:
    with DAG("bills") as dag:
        TrainingJobOperator(task_id="train", job=spec(TrainingJobSpec, source))
    with pytest.raises(AirflowSkipException, match="started nothing that costs money"):
        report(dag)


def test_a_tuning_costs_the_billable_seconds_of_its_training_jobs(
    remote: Aws, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with DAG("bills") as dag:
        tune = TuningJobOperator(
            task_id="tune", job=spec(TuningJobSpec, source, objective_metric="x"), ranges={}, metric_regexes={"x": "x"}
        )
    name = job_name("bills", "tune", -1, RUN, max_length=tune.max_name_length)
    remote.described["HyperParameterTuningJob", name] = {"HyperParameterTuningJobName": name}
    remote.trials = [{"TrainingJobName": "one"}, {"TrainingJobName": "two"}]
    remote.trained("one", 1800)
    remote.trained("two", 5400)
    (line,) = report(dag)["lines"]
    assert line["what"] == "2 jobs: 120.0 min of ml.m5.xlarge (training)"
    assert line["usd"] == pytest.approx(2 * 0.23)
    assert "This run has cost: $0.46" in capsys.readouterr().out


def test_autopilot_costs_the_jobs_of_its_candidates_each_once(remote: Aws) -> None:
    with DAG("bills") as dag:
        search = AutoMLJobOperator(
            task_id="autopilot",
            job=AutoMLJobSpec(role_arn=ROLE, bucket=BUCKET, target="y", content="x"),
            training="s3://x/",
        )
    name = job_name("bills", "autopilot", -1, RUN, max_length=search.max_name_length)
    remote.described["AutoMLJobV2", name] = {"AutoMLJobName": name}
    steps = [{"CandidateStepType": "AWS::SageMaker::TrainingJob", "CandidateStepName": each} for each in ("a", "b")]
    remote.found = [{"CandidateSteps": steps[:1]}, {"CandidateSteps": steps}]
    remote.trained("a", 3600)
    remote.trained("b", 3600, "ml.m5.large")
    assert [line["usd"] for line in report(dag)["lines"]] == pytest.approx([0.23, 0.115])


def endpoint_dag() -> DAG:
    with DAG("bills") as dag:
        deploy = EndpointOperator(task_id="deploy", endpoint_name="e", model_name="m", instance_type="ml.m5.large")
        changed = EndpointOperator(task_id="change", endpoint_name="e", model_name="m", instance_type="ml.m5.large")
        deploy >> changed >> DeleteEndpointOperator(task_id="delete", endpoint_name="e")
    return dag


def test_an_endpoint_costs_the_time_until_it_was_deleted_once(remote: Aws) -> None:
    served = {"name": "e", "variants": [VARIANT]}
    results = Results(deploy=served, change=served)
    results.values["delete", -1, "lived_seconds"] = 1800
    (line,) = report(endpoint_dag(), results)["lines"]
    assert line == {"task": "deploy", "what": "30.0 min of 2 x ml.m5.large (hosting)", "usd": pytest.approx(0.115)}


def test_an_endpoint_from_before_the_run_costs_the_run_s_time_and_is_told_by_the_hour(
    remote: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.described["Endpoint", "e"] = {"CreationTime": START - timedelta(days=9)}
    (line,) = report(endpoint_dag(), Results(deploy={"name": "e", "variants": [VARIANT]}))["lines"]
    assert line["usd"] == pytest.approx(2 * 2 * 0.115, rel=0.01)
    assert "Endpoint e is there, and costs $0.23 an hour ($5.52 a day)." in capsys.readouterr().out


def test_an_endpoint_whose_end_nobody_saw_is_said_to_be_unknown(remote: Aws) -> None:
    (line,) = report(endpoint_dag(), Results(deploy={"name": "e", "variants": [VARIANT]}))["lines"]
    assert (line["what"], line["usd"]) == ("how long endpoint e was there is not known", None)


def test_each_endpoint_of_a_mapped_group_is_in_the_bill(remote: Aws) -> None:
    with DAG("bills") as dag:

        @task_group
        def judge(name: Any) -> None:
            deploy = EndpointOperator(task_id="deploy", endpoint_name=name, model_name="m", instance_type="ml.m5.large")
            deploy >> DeleteEndpointOperator(task_id="delete", endpoint_name=name)

        judge.expand(name=["e1", "e2"])
    results = Results()
    for index, seconds in enumerate((1800, 3600)):
        served = {"name": f"e{index}", "variants": [VARIANT]}
        results.values["judge.deploy", index, "return_value"] = served
        results.values["judge.delete", index, "lived_seconds"] = seconds
    assert [line["usd"] for line in report(dag, results)["lines"]] == pytest.approx([0.115, 0.23])
