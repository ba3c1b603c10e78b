"""TransformJobOperator against localaws: one task instance, one batch transform job, one result."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from operator_kit import BUCKET, ROLE, SERVING_IMAGE, Airflow, FakeTask
from test_job_requests import check

from amazon_ml.exceptions import JobFailed, RequestRefused
from amazon_ml.naming import job_name
from amazon_ml.operators.transform import TransformJobOperator
from amazon_ml.specs.transform import TransformJobSpec

SHOUT = """
import time

def model_fn(model_dir):
    return None

def input_fn(body, content_type):
    return body if isinstance(body, str) else body.decode()

def predict_fn(text, model):
    if "slow" in text:
        time.sleep(60)
    if "broken" in text:
        raise ValueError("cannot shout this")
    return text.upper()

def output_fn(prediction, accept):
    return prediction
"""
SPEC = TransformJobSpec(
    bucket=BUCKET, instance_type="ml.m5.large", content_type="text/csv", invocation_retries=0, tags={"project": "x"}
)


@pytest.fixture(scope="module")
def model(localaws: Any) -> str:
    """A model that answers in upper case."""
    import boto3

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo("code/inference.py")
        member.size = len(SHOUT)
        tar.addfile(member, io.BytesIO(SHOUT.encode()))
    s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="shout/model.tar.gz", Body=archive.getvalue())
    container = {"Image": SERVING_IMAGE, "ModelDataUrl": f"s3://{BUCKET}/shout/model.tar.gz"}
    sagemaker.create_model(ModelName="shout-in-batches", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    return "shout-in-batches"


def transform(ti: FakeTask, model: str, **changes: Any) -> Callable[[], TransformJobOperator]:
    source = f"s3://{BUCKET}/{name(ti)}/in/"
    return lambda: TransformJobOperator(
        **{"task_id": ti.task_id, "job": SPEC, "model_name": model, "source": source, **changes}
    )


def name(ti: FakeTask, attempt: int = 1) -> str:
    return job_name(ti.dag_id, ti.task_id, ti.map_index, ti.run_id, attempt)


def put(aws: Any, ti: FakeTask, **objects: str) -> None:
    for key, body in objects.items():
        aws("s3").put_object(Bucket=BUCKET, Key=f"{name(ti)}/in/{key}", Body=body.encode())


def jobs(aws: Any, ti: FakeTask) -> dict[str, str]:
    """Name -> status of all jobs of this task instance."""
    found = aws("sagemaker").list_transform_jobs(NameContains=name(ti), MaxResults=100)["TransformJobSummaries"]
    return {job["TransformJobName"]: job["TransformJobStatus"] for job in found}


def test_the_request_says_all_that_the_spec_does() -> None:
    spec = TransformJobSpec(
        bucket=BUCKET,
        instance_type="ml.m5.large",
        instance_count="2",
        accept="application/jsonlines",
        input_filter="$.text",
        output_filter="$['id','SageMakerOutput']",
        join_input=True,
        environment={"LIMIT": 3},  # type: ignore[dict-item]
        extra={"ExperimentConfig": {"TrialName": "t"}},
    )
    request = spec.to_request(name="n", dag_id="d", model="m", source="s3://b/in/", output=None)

    check("CreateTransformJob", request)
    assert request["TransformOutput"] == {
        "S3OutputPath": f"s3://{BUCKET}/jobs/d/n/",
        "AssembleWith": "Line",
        "Accept": "application/jsonlines",
    }
    assert request["DataProcessing"]["JoinSource"] == "Input"
    assert request["Environment"] == {"LIMIT": "3"}
    assert request["TransformResources"] == {"InstanceType": "ml.m5.large", "InstanceCount": 2}
    described = {**request, "DataProcessing": {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}}
    plain = SPEC.to_request(name="n", dag_id="d", model="m", source="s3://b/in/", output=None)
    assert "DataProcessing" not in plain
    assert SPEC.fingerprint(plain) == SPEC.fingerprint({**plain, "DataProcessing": described["DataProcessing"]})
    assert SPEC.fingerprint(plain) != SPEC.fingerprint({**plain, "ModelName": "other"})


def test_a_model_answers_for_a_prefix_once_and_again_for_other_data(
    aws: Any, airflow: Airflow, ti: FakeTask, model: str
) -> None:
    put(aws, ti, one="a\nb\n", two="c")
    xcom = airflow.run(transform(ti, model), ti)

    folder = f"s3://{BUCKET}/jobs/{ti.dag_id}/{name(ti)}/"
    assert xcom == {
        "name": name(ti),
        "arn": f"arn:aws:sagemaker:us-east-1:123456789012:transform-job/{name(ti)}",
        "status": "Completed",
        "model": model,
        "output": folder,
        "seconds": xcom["seconds"],
    }
    assert ti.pushed == {"output_data": folder}
    assert len(airflow.deferrals) == 1
    key = f"jobs/{ti.dag_id}/{name(ti)}/one.out"
    assert aws("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"A\nB\n"
    tags = aws("sagemaker").list_tags(ResourceArn=xcom["arn"])["Tags"]
    assert {"Key": "project", "Value": "x"} in tags

    # Cleared: the same job. Cleared after a change of its input: another.
    assert airflow.run(transform(ti, model), ti.next_try()) == xcom
    again = airflow.run(transform(ti, model, source=f"s3://{BUCKET}/{name(ti)}/in/two"), ti.next_try())
    assert again["name"] == name(ti, 2)


def test_a_failed_job_tells_why_and_a_retry_makes_the_next_attempt(
    aws: Any, airflow: Airflow, ti: FakeTask, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(aws, ti, one="broken\n")
    with pytest.raises(JobFailed, match="Bad HTTP status received from algorithm: 500"):
        airflow.run(transform(ti, model), ti)
    put(aws, ti, one="whole\n")

    assert airflow.run(transform(ti, model), ti.next_try())["status"] == "Completed"
    assert jobs(aws, ti) == {name(ti): "Failed", name(ti, 2): "Completed"}


def test_a_try_attaches_to_the_job_of_the_try_before_it_and_a_kill_stops_it(
    aws: Any, airflow: Airflow, ti: FakeTask, model: str, task_states: dict[str, Any]
) -> None:
    put(aws, ti, one="slow\n")
    airflow.start(transform(ti, model), ti)
    deferred = airflow.start(transform(ti, model), ti.next_try())
    assert jobs(aws, ti) == {name(ti): "InProgress"}

    task_states["state"] = "failed"
    airflow.kill_trigger(deferred, ti)
    assert jobs(aws, ti)[name(ti)] in ("Stopping", "Stopped")


def test_a_model_that_is_not_there_is_refused_at_once(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    with pytest.raises(RequestRefused, match="Could not find model"):
        airflow.run(transform(ti, "nobody"), ti)
    assert jobs(aws, ti) == {}
