"""The job operators against localaws: one task instance, one job at a time, one result."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from operator_kit import BUCKET, IMAGE, ROLE, Airflow, FakeTask

from amazon_ml.exceptions import BadResult, JobFailed, RequestRefused
from amazon_ml.naming import job_name
from amazon_ml.operators.processing import ProcessingJobOperator
from amazon_ml.operators.training import TrainingJobOperator
from amazon_ml.specs.job import ProcessingJobSpec, TrainingJobSpec

COUNT = """
import argparse, json, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--add", type=int)
add = parser.parse_args().add
root = pathlib.Path("/opt/ml/processing")
lines = (root / "input/reviews/reviews.txt").read_text().splitlines()
(root / "output/report/report.json").write_text(json.dumps({"lines": len(lines) + add}))
"""

TRAIN = """
import argparse, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
print(f"val_acc: 0.{parser.parse_args().epochs}5", flush=True)
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text("model")
"""


def training(source: Path, ti: FakeTask, **changes: Any) -> Callable[[], TrainingJobOperator]:
    spec = TrainingJobSpec(
        image_uri=IMAGE,
        role_arn=ROLE,
        bucket=BUCKET,
        source_dir=str(source),
        entry_point="main.py",
        instance_type="ml.m5.large",
        tags={"project": "reviews"},
    )
    return lambda: TrainingJobOperator(**{"task_id": ti.task_id, "job": spec, "checkpoints": False, **changes})


def processing(source: Path, ti: FakeTask, **changes: Any) -> Callable[[], ProcessingJobOperator]:
    spec = ProcessingJobSpec(
        image_uri=IMAGE,
        role_arn=ROLE,
        bucket=BUCKET,
        source_dir=str(source),
        entry_point="main.py",
        instance_type="ml.m5.large",
    )
    return lambda: ProcessingJobOperator(**{"task_id": ti.task_id, "job": spec, **changes})


def name(ti: FakeTask, attempt: int = 1) -> str:
    return job_name(ti.dag_id, ti.task_id, ti.map_index, ti.run_id, attempt)


def training_jobs(aws: Any, ti: FakeTask) -> dict[str, str]:
    """Name -> status of all jobs of this task instance."""
    found = aws("sagemaker").list_training_jobs(NameContains=name(ti), MaxResults=100)["TrainingJobSummaries"]
    return {job["TrainingJobName"]: job["TrainingJobStatus"] for job in found}


def test_processing_takes_its_inputs_and_hands_on_outputs_and_result(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    (source / "main.py").write_text(COUNT)
    aws("s3").put_object(Bucket=BUCKET, Key="raw/reviews.txt", Body=b"one\ntwo\n")
    make = processing(
        source,
        ti,
        inputs={"reviews": f"s3://{BUCKET}/raw/"},
        outputs=["report"],
        arguments={"add": 40},
        result="report/report.json",
    )
    xcom = airflow.run(make, ti)
    folder = f"s3://{BUCKET}/jobs/{ti.dag_id}/{name(ti)}/report/"
    assert xcom == {
        "name": name(ti),
        "arn": f"arn:aws:sagemaker:us-east-1:123456789012:processing-job/{name(ti)}",
        "status": "Completed",
        "outputs": {"report": folder},
        "result": {"lines": 42},
        "seconds": xcom["seconds"],
    }
    assert len(airflow.deferrals) == 1
    assert ti.pushed == {"output_report": folder, "result": {"lines": 42}}
    key = f"jobs/{ti.dag_id}/{name(ti)}/report/report.json"
    assert aws("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read() == b'{"lines": 42}'

    # Cleared: the same job, the same result.
    assert airflow.run(make, ti.next_try()) == xcom
    # Cleared after a change of its arguments: computed again.
    changed = processing(
        source,
        ti,
        inputs={"reviews": f"s3://{BUCKET}/raw/"},
        outputs=["report"],
        arguments={"add": 1},
        result="report/report.json",
    )
    again = airflow.run(changed, ti.next_try())
    assert (again["name"], again["result"]) == (name(ti, 2), {"lines": 3})


def test_training_hands_on_model_and_metrics_and_runs_once(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "main.py").write_text(TRAIN)
    make = training(source, ti, hyperparameters={"epochs": 7}, metric_regexes={"acc": "val_acc: ([0-9.]+)"})
    xcom = airflow.run(make, ti)
    assert xcom == {
        "name": name(ti),
        "arn": f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{name(ti)}",
        "status": "Completed",
        "model_data": f"s3://{BUCKET}/jobs/{ti.dag_id}/{name(ti)}/output/model.tar.gz",
        "metrics": {"acc": pytest.approx(0.75)},
        "billable_seconds": xcom["billable_seconds"],
    }
    assert ti.pushed == {"model_data": xcom["model_data"]}
    said = capsys.readouterr().out
    assert f"TrainingJob {name(ti)}: Training" in said
    assert f"TrainingJob {name(ti)}: acc = 0.75" in said
    tags = {tag["Key"]: tag["Value"] for tag in aws("sagemaker").list_tags(ResourceArn=xcom["arn"])["Tags"]}
    assert datetime.now(UTC) < datetime.fromisoformat(tags.pop("expires-at")) < datetime.now(UTC) + timedelta(days=2)
    assert tags == {
        "airflow:dag_id": ti.dag_id,
        "airflow:task_id": ti.task_id,
        "airflow:run_id": ti.run_id,
        "project": "reviews",
        "dag": ti.dag_id,
        "run": ti.run_id,
    }

    # Cleared: its result again, without a job and without a wait.
    assert airflow.run(make, ti.next_try()) == xcom
    assert len(airflow.deferrals) == 1
    assert training_jobs(aws, ti) == {name(ti): "Completed"}
    # Told to, it runs again.
    forced = training(source, ti, hyperparameters={"epochs": 7}, force="{{ true }}")
    operator = forced()
    operator.force = "True"
    assert airflow.run(lambda: operator, ti.next_try())["name"] == name(ti, 2)


def test_a_task_that_polls_comes_to_the_same(aws: Any, airflow: Airflow, ti: FakeTask, source: Path) -> None:
    (source / "main.py").write_text(TRAIN)
    xcom = airflow.run(training(source, ti, hyperparameters={"epochs": 1}, deferrable=False), ti)
    assert (xcom["status"], airflow.deferrals) == ("Completed", [])


def test_templates_in_the_job_are_rendered(aws: Any, airflow: Airflow, ti: FakeTask, source: Path) -> None:
    make = training(source, ti)
    spec = make().job
    context: Any = {"ti": ti, "params": {"instance": "ml.c5.xlarge", "count": 2}}
    operator = make()
    operator.job = type(spec)(
        **{**vars(spec), "instance_type": "{{ params.instance }}", "instance_count": "{{ params.count }}"}
    )
    rendered = operator._prepare(context)
    request = operator.request(rendered, operator._run_key, "x", "s3://b/c")
    assert request["ResourceConfig"]["InstanceType"] == "ml.c5.xlarge"
    assert request["ResourceConfig"]["InstanceCount"] == 2
    # The spec is shared by tasks and runs: it stays a template.
    assert operator.job.instance_type == "{{ params.instance }}"


def test_a_failed_job_fails_the_task_and_only_the_next_try_makes_another(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "main.py").write_text("print('about to fail')\nraise ValueError('the column rating is missing')\n")
    with pytest.raises(JobFailed, match=f"TrainingJob {name(ti)} is Failed: AlgorithmError") as failure:
        airflow.run(training(source, ti), ti)
    assert "exit code: 1" in str(failure.value).lower()
    said = capsys.readouterr().out
    assert "about to fail" in said
    assert "ValueError: the column rating is missing" in said
    assert training_jobs(aws, ti) == {name(ti): "Failed"}

    (source / "main.py").write_text(TRAIN)
    mended = training(source, ti, hyperparameters={"epochs": 1})
    assert airflow.run(mended, ti.next_try())["name"] == name(ti, 2)
    assert training_jobs(aws, ti) == {name(ti): "Failed", name(ti, 2): "Completed"}


def test_a_try_that_died_after_create_leaves_its_job_to_the_next(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "main.py").write_text("import time; time.sleep(1.5)\n")
    make = training(source, ti)

    def die(*_: Any, **__: Any) -> None:
        raise SystemExit("kill -9")

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(TrainingJobOperator, "wait", die)
        airflow.run(make, ti)
    assert list(training_jobs(aws, ti)) == [name(ti)]
    assert airflow.run(make, ti.next_try())["name"] == name(ti)
    assert training_jobs(aws, ti) == {name(ti): "Completed"}


def test_a_race_for_the_name_ends_with_both_on_one_job(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "main.py").write_text("import time; time.sleep(5)\n")
    first = airflow.start(training(source, ti), ti)
    # The other process looked before the first had created.
    monkeypatch.setattr(TrainingJobOperator, "_last_attempt", lambda self: (name(ti), None))
    second = airflow.start(training(source, ti), ti)
    assert first.trigger.name == second.trigger.name == name(ti)
    assert [airflow.fire(deferred)["status"] for deferred in (first, second)] == ["success", "success"]
    assert training_jobs(aws, ti) == {name(ti): "Completed"}


def test_a_broken_trigger_leaves_the_job_to_the_retry(aws: Any, airflow: Airflow, ti: FakeTask, source: Path) -> None:
    (source / "main.py").write_text("import time; time.sleep(1)\n")
    make = training(source, ti)
    airflow.start(make, ti)
    with pytest.raises(Exception, match="Trigger failure"):
        make().resume_execution("__fail__", {"error": "Trigger failure"}, {"ti": ti, "params": {}})
    assert airflow.run(make, ti.next_try())["name"] == name(ti)


def test_a_request_that_aws_refuses_fails_at_once_in_its_words(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    make = training(source, ti)
    operator = make()
    operator.job = type(operator.job)(**{**vars(operator.job), "role_arn": "arn:aws:iam::1:role/no-such-account-id"})
    with pytest.raises(RequestRefused, match=r"create_training_job\(.*\): ValidationException: .*roleArn"):
        airflow.run(lambda: operator, ti)


def test_code_that_is_not_there_fails_at_once(aws: Any, airflow: Airflow, ti: FakeTask, source: Path) -> None:
    (source / "main.py").unlink()
    with pytest.raises(RequestRefused, match=r"source_dir has no main\.py"):
        airflow.run(training(source, ti), ti)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        ("pass", "wrote no s3://"),
        ("file.write_text('accuracy: 0.7')", "is not JSON"),
        ("file.write_text('[' + '1,' * 20000 + '1]')", "at most 32768"),
        ("file.write_text('{\"accuracy\": NaN}')", "NaN is not a JSON number"),
    ],
)
def test_a_result_that_cannot_be_handed_on_fails_the_task_and_says_why(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path, write: str, says: str
) -> None:
    (source / "main.py").write_text(
        "import pathlib\n"
        "file = pathlib.Path('/opt/ml/processing/output/report/evaluation.json')\n"
        "(file.parent / 'other.txt').write_text('x')\n"
        f"{write}\n"
    )
    with pytest.raises(BadResult, match=says):
        airflow.run(processing(source, ti, outputs=["report"], result="report/evaluation.json"), ti)


def test_a_result_must_be_in_an_output(ti: FakeTask, source: Path) -> None:
    with pytest.raises(ValueError, match="is not in an output"):
        processing(source, ti, outputs=["train"], result="report/evaluation.json")()


def test_checkpoints_are_for_the_attempts_of_one_computation(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    def place(attempt: int = 1, **changes: Any) -> str:
        operator = training(source, ti, checkpoints=True, **changes)()
        spec = operator._prepare({"ti": ti, "params": {}})
        request = operator.request(spec, operator._run_key, name(ti, attempt), spec.code_uri(spec.source()))
        return str(request["CheckpointConfig"]["S3Uri"])

    assert place(1) == place(2)
    assert place(1) != place(1, hyperparameters={"epochs": 2})
    assert place(2, force=True) not in {place(1), place(3, force=True)}


def test_no_client_goes_past_the_endpoint_of_the_connection(
    localaws: Any, aws: Any, airflow: Airflow, ti: FakeTask, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing but the connection to say where AWS is; ``loopback_only`` refuses everything that leaves."""
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv(
        "AIRFLOW_CONN_AWS_LOCAL", f'{{"conn_type": "aws", "extra": {{"endpoint_url": "{localaws.url}"}}}}'
    )
    (source / "main.py").write_text("print('words for the tail')\nraise SystemExit(3)\n")
    with pytest.raises(JobFailed):
        airflow.run(training(source, ti, aws_conn_id="aws_local"), ti)


def test_a_try_that_is_not_durable_stops_the_job_before_it_and_runs_its_own(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    (source / "main.py").write_text("import time\ntime.sleep(300)\n")
    left = airflow.start(training(source, ti, durable=False), ti)
    assert isinstance(left, TaskDeferred)
    (source / "main.py").write_text(TRAIN)
    make = training(source, ti, durable=False, hyperparameters={"epochs": 1})
    assert airflow.run(make, ti.next_try())["name"] == name(ti, 2)
    assert training_jobs(aws, ti) == {name(ti): "Stopped", name(ti, 2): "Completed"}
    # Nor does it take the result of one that completed with the same computation.
    assert airflow.run(make, ti.next_try())["name"] == name(ti, 3)


def test_a_task_that_does_not_wait_ends_when_its_job_has_started(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    (source / "main.py").write_text(TRAIN)
    hyperparameters = {"epochs": 1}
    started = airflow.start(training(source, ti, wait_for_completion=False, hyperparameters=hyperparameters), ti)
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{name(ti)}"
    assert started == {"name": name(ti), "arn": arn, "status": "InProgress"}
    assert airflow.deferrals == [] and ti.pushed == {}
    # The job goes on: whoever waits finds it.
    assert airflow.run(training(source, ti, hyperparameters=hyperparameters), ti.next_try())["status"] == "Completed"
    assert list(training_jobs(aws, ti)) == [name(ti)]
