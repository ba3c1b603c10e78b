"""The operators of pipelines against localaws: a definition kept up to date, one execution a task instance."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from operator_kit import BUCKET, IMAGE, ROLE, Airflow, FakeTask
from waiting_kit import until

from amazon_ml.exceptions import DeadlineExceeded, JobFailed, PipelineRejected, RequestRefused, TaskKilled
from amazon_ml.naming import job_name
from amazon_ml.operators.code import UploadCodeOperator
from amazon_ml.operators.pipeline import PipelineOperator
from amazon_ml.operators.pipeline_execution import PipelineExecutionOperator, step_entry, to_parameters
from amazon_ml.specs.job import CODE, INPUT, ProcessingJobSpec, TrainingJobSpec

#: a pipeline that needs no job: it fails where the parameter Wanted is too low.
GATE = {
    "Name": "Gate",
    "Type": "Condition",
    "Arguments": {
        "Conditions": [
            {"Type": "GreaterThanOrEqualTo", "LeftValue": {"Get": "Parameters.Accuracy"}, "RightValue": 0.5}
        ],
        "IfSteps": [],
        "ElseSteps": [{"Name": "TooLow", "Type": "Fail", "Arguments": {"ErrorMessage": "the accuracy is too low"}}],
    },
}
SLEEP = "import time\nprint('sleeping', flush=True)\ntime.sleep(300)\n"


def definition(*steps: dict[str, Any]) -> str:
    parameters = [
        {"Name": "Accuracy", "Type": "Float", "DefaultValue": 0.75},
        {"Name": "CodeUri", "Type": "String", "DefaultValue": "s3://nowhere/code/"},
    ]
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters, "Steps": list(steps)})


def job_step() -> dict[str, Any]:
    """A processing step that runs ``main.py`` of the parameter CodeUri; see :func:`uploaded`."""
    code = {
        "InputName": "code",
        "S3Input": {
            "S3Uri": {"Get": "Parameters.CodeUri"},
            "LocalPath": CODE,
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        },
    }
    data = {
        "InputName": "data",
        "S3Input": {
            "S3Uri": f"s3://{BUCKET}/data/",
            "LocalPath": INPUT,
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        },
    }
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    arguments = {
        "RoleArn": ROLE,
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["python3", f"{CODE}/main.py"]},
        "ProcessingInputs": [code, data],
        "ProcessingResources": {"ClusterConfig": cluster},
    }
    return {"Name": "Work", "Type": "Processing", "Arguments": arguments}


def upsert(ti: FakeTask, **changes: Any) -> Callable[[], PipelineOperator]:
    given = {"task_id": ti.task_id, "pipeline_name": pipeline(ti), "definition": definition(GATE), "role_arn": ROLE}
    return lambda: PipelineOperator(**{**given, **changes})


def execution(ti: FakeTask, **changes: Any) -> Callable[[], PipelineExecutionOperator]:
    given = {"task_id": ti.task_id, "pipeline_name": pipeline(ti)}
    return lambda: PipelineExecutionOperator(**{**given, **changes})


def pipeline(ti: FakeTask) -> str:
    """A pipeline of the test's own."""
    return job_name("pipeline", "of", -1, ti.run_id)


def name(ti: FakeTask, attempt: int = 1) -> str:
    return job_name(ti.dag_id, ti.task_id, ti.map_index, ti.run_id, attempt)


def executions(aws: Any, ti: FakeTask) -> dict[str, str]:
    found = aws("sagemaker").list_pipeline_executions(PipelineName=pipeline(ti))["PipelineExecutionSummaries"]
    return {each["PipelineExecutionDisplayName"]: each["PipelineExecutionStatus"] for each in found}


def until_all_are(aws: Any, ti: FakeTask, status: str) -> None:
    found = until(
        lambda: set(executions(aws, ti).values()), lambda seen: not seen & {"Executing", "Stopping"}, every=0.1
    )
    assert found == {status}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amazon_ml.waiting.Watch.delay", lambda self: 0.1)


@pytest.fixture
def uploaded(aws: Any, airflow: Airflow, ti: FakeTask, source: Path) -> Callable[[str], str]:
    """Upload a script as ``main.py``; the S3 URI of its folder."""

    def upload(script: str) -> str:
        (source / "main.py").write_text(script)
        aws("s3").put_object(Bucket=BUCKET, Key="data/reviews.txt", Body=b"fine")
        spec = ProcessingJobSpec(
            image_uri=IMAGE,
            role_arn=ROLE,
            bucket=BUCKET,
            source_dir=str(source),
            entry_point="main.py",
            instance_type="ml.m5.large",
        )
        return str(airflow.run(lambda: UploadCodeOperator(task_id="code", jobs={"CodeUri": spec}), ti)["CodeUri"])

    return upload


# -- code


def test_code_is_where_the_job_operators_would_put_it_and_uploaded_once(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    given: dict[str, Any] = {
        "image_uri": IMAGE,
        "role_arn": ROLE,
        "bucket": "{{ params.bucket }}",
        "source_dir": str(source),
        "entry_point": "main.py",
        "instance_type": "ml.m5.large",
    }
    specs = {"Work": ProcessingJobSpec(**given), "Train": TrainingJobSpec(**given)}
    operator = UploadCodeOperator(task_id="code", jobs=specs)
    context: Any = {"ti": ti, "params": {"bucket": BUCKET}}
    uris = operator.execute(context)
    digest = specs["Work"].source().digest
    assert uris == {
        "Work": f"s3://{BUCKET}/jobs/code/{digest}/files/",
        "Train": f"s3://{BUCKET}/jobs/code/{digest}/sourcedir.tar.gz",
    }
    assert ti.pushed == {f"code_{key}": uri for key, uri in uris.items()}
    assert {key: made.key for key, made in operator.uris.items()} == {key: f"code_{key}" for key in specs}  # type: ignore[attr-defined]
    written = aws("s3").head_object(Bucket=BUCKET, Key=f"jobs/code/{digest}/sourcedir.tar.gz")["LastModified"]
    assert operator.execute(context) == uris
    assert aws("s3").head_object(Bucket=BUCKET, Key=f"jobs/code/{digest}/sourcedir.tar.gz")["LastModified"] == written


def test_code_that_is_not_there_is_refused(airflow: Airflow, ti: FakeTask) -> None:
    spec = ProcessingJobSpec(
        image_uri=IMAGE,
        role_arn=ROLE,
        bucket=BUCKET,
        source_dir="/nowhere",
        entry_point="x",
        instance_type="ml.m5.large",
    )
    with pytest.raises(RequestRefused, match="/nowhere"):
        airflow.run(lambda: UploadCodeOperator(task_id="code", jobs={"Work": spec}), ti)


# -- the pipeline


def test_a_pipeline_is_created_once_and_updated_only_where_it_differs(
    aws: Any, airflow: Airflow, ti: FakeTask, tmp_path: Path
) -> None:
    made = airflow.run(upsert(ti, tags={"project": "reviews"}), ti)
    assert made["outcome"] == "created"
    assert made["arn"].endswith(f":pipeline/{pipeline(ti)}")
    assert "project" in {tag["Key"] for tag in aws("sagemaker").list_tags(ResourceArn=made["arn"])["Tags"]}
    # The same in a file, otherwise set out.
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(json.loads(definition(GATE)), indent=2, sort_keys=True))
    for same in (definition(GATE), file):
        assert airflow.run(upsert(ti, definition=same), ti.next_try()) == {**made, "outcome": "unchanged"}

    changes = {"description": "a gate", "max_parallel_steps": 2}
    assert airflow.run(upsert(ti, **changes), ti)["outcome"] == "updated"
    assert airflow.run(upsert(ti, **changes), ti)["outcome"] == "unchanged"
    assert airflow.run(upsert(ti, definition=definition(GATE, job_step())), ti)["outcome"] == "updated"
    found = aws("sagemaker").describe_pipeline(PipelineName=pipeline(ti))
    assert [step["Name"] for step in json.loads(found["PipelineDefinition"])["Steps"]] == ["Gate", "Work"]
    assert found["PipelineDescription"] == "a gate"


@pytest.mark.parametrize("wrong", ["{not json", "no/such/file.json"])
def test_a_definition_that_cannot_be_read_is_refused(airflow: Airflow, ti: FakeTask, wrong: str) -> None:
    with pytest.raises(RequestRefused, match=f"the definition of pipeline {pipeline(ti)}"):
        airflow.run(upsert(ti, definition=wrong), ti)


def test_a_definition_with_a_fault_is_refused_in_aws_words(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    with pytest.raises(RequestRefused, match="ValidationException"):
        airflow.run(upsert(ti, definition=definition({**GATE, "DependsOn": ["Nobody"]})), ti)


# -- executions


def test_parameters_are_text_and_none_keeps_the_default() -> None:
    assert to_parameters({"B": "oversample", "A": 2, "C": 1e-4, "D": True, "E": None}) == [
        {"Name": "A", "Value": "2"},
        {"Name": "B", "Value": "oversample"},
        {"Name": "C", "Value": "0.0001"},
        {"Name": "D", "Value": "true"},
    ]


def test_a_task_instance_has_one_execution_whatever_its_tries(
    aws: Any, airflow: Airflow, ti: FakeTask, capsys: pytest.CaptureFixture[str]
) -> None:
    airflow.run(upsert(ti), ti)
    result = airflow.run(execution(ti, parameters={"Accuracy": 0.6}), ti)
    assert (result["name"], result["pipeline"], result["status"]) == (name(ti), pipeline(ti), "Succeeded")
    assert result["steps"]["Gate"]["outcome"] == "True"
    assert ti.pushed["arn_Gate"] is None
    json.dumps(result)
    (deferred,) = airflow.deferrals
    assert deferred.trigger.name == result["arn"]
    execution_id = result["arn"].rpartition("/")[2]
    assert f"PipelineExecution {execution_id}: step Gate: Succeeded" in capsys.readouterr().out

    # Cleared: its result again. With another parameter: another execution.
    assert airflow.run(execution(ti, parameters={"Accuracy": 0.6}), ti.next_try()) == result
    assert executions(aws, ti) == {name(ti): "Succeeded"}
    assert airflow.run(execution(ti, parameters={"Accuracy": 0.7}), ti.next_try())["name"] == name(ti, 2)
    asked = aws("sagemaker").list_pipeline_parameters_for_execution(PipelineExecutionArn=result["arn"])
    assert {"Name": "Accuracy", "Value": "0.6"} in asked["PipelineParameters"]


def test_another_definition_is_another_execution_and_so_is_force(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    airflow.run(upsert(ti), ti)
    airflow.run(execution(ti), ti)
    assert airflow.run(execution(ti, force="True"), ti.next_try())["name"] == name(ti, 2)
    renamed = {**GATE, "Name": "OtherGate"}
    airflow.run(upsert(ti, definition=definition(renamed)), ti)
    assert "OtherGate" in airflow.run(execution(ti), ti.next_try())["steps"]
    assert set(executions(aws, ti)) == {name(ti), name(ti, 2), name(ti, 3)}


def test_two_tries_at_the_same_time_start_one_execution(
    aws: Any, airflow: Airflow, ti: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow.run(upsert(ti), ti)
    # Neither sees the other's yet.
    monkeypatch.setattr(PipelineExecutionOperator, "_last_attempt", lambda self: None)
    results = [airflow.run(execution(ti), attempt) for attempt in (ti, ti.next_try())]
    assert results[0]["arn"] == results[1]["arn"]
    assert list(executions(aws, ti)) == [name(ti)]


def test_a_fail_step_is_the_pipelines_verdict_and_is_not_retried(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    airflow.run(upsert(ti), ti)
    with pytest.raises(PipelineRejected, match="is Failed: step TooLow: the accuracy is too low"):
        airflow.run(execution(ti, parameters={"Accuracy": "0.4"}), ti)
    assert airflow.run(execution(ti), ti.next_try())["name"] == name(ti, 2)
    assert executions(aws, ti) == {name(ti): "Failed", name(ti, 2): "Succeeded"}


def test_a_failed_step_gives_its_reason_and_its_jobs_last_lines(
    aws: Any, airflow: Airflow, ti: FakeTask, uploaded: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    airflow.run(upsert(ti, definition=definition(job_step())), ti)
    broken = uploaded("import time\ntime.sleep(2)\nprint('the last words')\nraise SystemExit(3)\n")  # seen at work, too
    with pytest.raises(JobFailed, match=r"step Work: .*exit code: 3"):
        airflow.run(execution(ti, parameters={"CodeUri": broken}), ti)
    said = capsys.readouterr().out
    assert "step Work: Executing" in said
    assert "the last words" in said
    operator = execution(ti, parameters={"CodeUri": uploaded("print('fine')\n")}, deferrable=False)()
    result = airflow.run(lambda: operator, ti.next_try())
    assert operator._data == (["s3://jobs-bucket/data/"], []), "for OpenLineage: what its jobs have read and written"
    assert result["name"] == name(ti, 2)
    assert result["steps"]["Work"]["kind"] == "ProcessingJob"
    assert ":processing-job/" in result["steps"]["Work"]["arn"]
    assert result["steps"]["Work"]["seconds"] > 0


def test_a_retry_attaches_and_only_a_user_stops_the_execution(
    aws: Any, airflow: Airflow, ti: FakeTask, uploaded: Callable[[str], str], task_states: dict[str, Any]
) -> None:
    airflow.run(upsert(ti, definition=definition(job_step())), ti)
    parameters = {"CodeUri": uploaded(SLEEP)}
    first = airflow.start(execution(ti, parameters=parameters), ti)
    # The triggerer dies, or the task is cleared: left to the next try, which waits for the same.
    task_states["state"] = None
    airflow.kill_trigger(first, ti)
    second = airflow.start(execution(ti, parameters=parameters), ti.next_try())
    assert isinstance(second, TaskDeferred)
    assert second.trigger.name == first.trigger.name
    assert executions(aws, ti) == {name(ti): "Executing"}

    task_states["state"] = "failed"
    airflow.kill_trigger(second, ti)
    until_all_are(aws, ti, "Stopped")
    with pytest.raises(JobFailed, match="is Stopped"):
        airflow.resume(execution(ti), ti, second, airflow.fire(second))


def test_a_try_that_is_not_durable_stops_the_execution_before_it_and_starts_its_own(
    aws: Any, airflow: Airflow, ti: FakeTask, uploaded: Callable[[str], str]
) -> None:
    airflow.run(upsert(ti, definition=definition(job_step())), ti)
    airflow.start(execution(ti, parameters={"CodeUri": uploaded(SLEEP)}, durable=False), ti)
    airflow.run(upsert(ti, definition=definition(GATE)), ti)
    make = execution(ti, durable=False)
    assert airflow.run(make, ti.next_try())["name"] == name(ti, 2)
    assert executions(aws, ti) == {name(ti): "Stopped", name(ti, 2): "Succeeded"}
    assert airflow.run(make, ti.next_try())["name"] == name(ti, 3)


def test_a_task_that_does_not_wait_ends_when_its_execution_has_started(
    aws: Any, airflow: Airflow, ti: FakeTask
) -> None:
    airflow.run(upsert(ti), ti)
    started = airflow.start(execution(ti, wait_for_completion=False), ti)
    assert (started["name"], started["pipeline"], started["status"]) == (name(ti), pipeline(ti), "Executing")
    assert airflow.run(execution(ti), ti.next_try())["arn"] == started["arn"]


def test_a_kill_that_comes_while_the_execution_is_started_stops_it(
    aws: Any,
    airflow: Airflow,
    ti: FakeTask,
    uploaded: Callable[[str], str],
    task_states: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    airflow.run(upsert(ti, definition=definition(job_step())), ti)
    task_states["state"] = "failed"
    operator = execution(ti, parameters={"CodeUri": uploaded(SLEEP)})()
    start = operator._start

    def kill_first(*arguments: Any) -> tuple[str, str]:
        operator.on_kill()
        return start(*arguments)

    monkeypatch.setattr(operator, "_start", kill_first)
    with pytest.raises(TaskKilled):
        airflow.run(lambda: operator, ti)
    until_all_are(aws, ti, "Stopped")


def test_the_deadline_stops_the_execution(
    aws: Any, airflow: Airflow, ti: FakeTask, uploaded: Callable[[str], str]
) -> None:
    airflow.run(upsert(ti, definition=definition(job_step())), ti)
    with pytest.raises(DeadlineExceeded, match="still Executing"):
        airflow.run(execution(ti, parameters={"CodeUri": uploaded(SLEEP)}, timeout=timedelta(seconds=1)), ti)
    until_all_are(aws, ti, "Stopped")


def test_what_cannot_run_is_refused(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    with pytest.raises(RequestRefused, match=f"there is no pipeline {pipeline(ti)}"):
        airflow.run(execution(ti), ti)
    airflow.run(upsert(ti), ti)
    with pytest.raises(RequestRefused, match="ValidationException"):
        airflow.run(execution(ti, parameters={"Accuracy": "high"}), ti)


def test_a_polling_task_comes_to_the_same(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    airflow.run(upsert(ti), ti)
    assert airflow.run(execution(ti, deferrable=False), ti)["status"] == "Succeeded"
    assert airflow.deferrals == []


def test_an_entry_tells_what_the_step_made() -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:model-package/reviews/1"
    cached = {"CacheHitResult": {"SourcePipelineExecutionArn": "arn"}, "StepName": "R", "StepStatus": "Succeeded"}
    assert step_entry({**cached, "Metadata": {"RegisterModel": {"Arn": arn}}}) == {
        "kind": "RegisterModel",
        "status": "Succeeded",
        "arn": arn,
        "cached": True,
        "seconds": None,
    }
    assert step_entry({"StepName": "S", "StepStatus": "Starting"})["kind"] == ""
