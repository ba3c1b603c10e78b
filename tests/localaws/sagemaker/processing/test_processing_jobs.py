"""Processing jobs as a client of AWS sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from job_helpers import BUCKET, IMAGE, Jobs, processing_input, processing_output
from localaws_kit import LocalAws
from waiting_kit import until

from localaws.sagemaker.jobs import sandbox


@pytest.fixture(scope="module")
def jobs(localaws: LocalAws) -> Jobs:
    return Jobs(localaws.home)


def test_inputs_arguments_and_configuration_arrive_and_outputs_are_uploaded(jobs: Jobs) -> None:
    script = """
import json, os, pathlib, sys, tempfile
root = pathlib.Path("/opt/ml")
out = root / "processing/output/report"
assert out.is_dir(), "the output's folder is there before the script"
seen = {
    "arguments": sys.argv[1:],
    "input": (root / "processing/input/reviews/a.csv").read_text(),
    "job": json.loads((root / "config/processingjobconfig.json").read_text()),
    "resources": json.loads((root / "config/resourceconfig.json").read_text()),
    "extra": os.environ["EXTRA"],
    "temporary": tempfile.gettempdir(),
}
(out / "deep").mkdir()
(out / "deep/seen.json").write_text(json.dumps(seen))
(root / "output/message").write_text("12 reviews")
"""
    jobs.put("processing/reviews/a.csv", "review")
    job = jobs.process(
        "process",
        script,
        arguments=["--max-length", "128"],
        inputs={"reviews": {"S3Uri": f"s3://{BUCKET}/processing/reviews/"}},
        outputs={"report": {}},
        Environment={"EXTRA": "x"},
    )
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["ExitMessage"] == "12 reviews"
    assert job["CreationTime"] <= job["ProcessingStartTime"] < job["ProcessingEndTime"]
    seen = json.loads(jobs.get(f"s3://{BUCKET}/process-out/report/deep/seen.json"))
    assert seen["arguments"] == ["--max-length", "128"]
    assert seen["input"] == "review"
    assert seen["extra"] == "x"
    if sandbox.isolated():
        assert seen["temporary"] == "/tmp"
    assert seen["job"]["ProcessingJobName"] == "process"
    assert seen["job"]["ProcessingJobArn"] == job["ProcessingJobArn"]
    assert seen["job"]["AppSpecification"]["ContainerArguments"] == ["--max-length", "128"]
    assert seen["resources"]["current_host"] == "algo-1"


def test_what_the_script_prints_is_in_cloudwatch_logs(jobs: Jobs) -> None:
    jobs.process("printing", "print('twelve reviews')")
    ((stream, lines),) = jobs.events("/aws/sagemaker/ProcessingJobs", "printing/").items()
    assert stream.startswith("printing/algo-1-")
    assert lines == ["twelve reviews"]


def test_two_instances_share_the_objects_and_their_outputs_come_together(jobs: Jobs) -> None:
    script = """
import json, pathlib
host = json.loads(pathlib.Path("/opt/ml/config/resourceconfig.json").read_text())["current_host"]
names = sorted(path.name for path in pathlib.Path("/opt/ml/processing/input/reviews").iterdir())
pathlib.Path("/opt/ml/processing/output/names", host).write_text(" ".join(names))
"""
    for number in range(4):
        jobs.put(f"processing-shards/{number}.csv", "x")
    reviews = {"S3Uri": f"s3://{BUCKET}/processing-shards", "S3DataDistributionType": "ShardedByS3Key"}
    job = jobs.process("shared", script, instances=2, inputs={"reviews": reviews}, outputs={"names": {}})
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    assert jobs.get(f"s3://{BUCKET}/shared-out/names/algo-1") == b"0.csv 2.csv"
    assert jobs.get(f"s3://{BUCKET}/shared-out/names/algo-2") == b"1.csv 3.csv"


def test_a_continuous_output_is_there_before_the_job_ends(jobs: Jobs) -> None:
    script = """
import pathlib, time
pathlib.Path("/opt/ml/processing/output/stream/early").write_text("early")
while not pathlib.Path("/opt/ml/processing/input/code/never").exists():
    time.sleep(0.1)
"""
    jobs.processing("streaming", script, outputs={"stream": {"S3UploadMode": "Continuous"}})
    until(lambda: jobs.keys("streaming-out/"), lambda keys: keys == ["streaming-out/stream/early"])
    job = jobs.sagemaker.describe_processing_job(ProcessingJobName="streaming")
    assert job["ProcessingJobStatus"] == "InProgress"
    jobs.sagemaker.stop_processing_job(ProcessingJobName="streaming")
    assert jobs.processed("streaming")["ProcessingJobStatus"] == "Stopped"


def test_of_a_job_that_fails_no_half_output_is_uploaded_and_the_reason_is_told(jobs: Jobs) -> None:
    script = """
import pathlib
pathlib.Path("/opt/ml/processing/output/half/part").write_text("half")
raise ValueError("row 7: the rating is 9")
"""
    job = jobs.process("failing", script, outputs={"half": {}})
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: ValueError: row 7: the rating is 9, exit code: 1"
    assert jobs.keys("failing-out/") == []


def test_a_failure_file_is_the_reason(jobs: Jobs) -> None:
    script = "open('/opt/ml/output/failure', 'w').write('the file is empty'); raise SystemExit(4)"
    job = jobs.process("told", script)
    assert job["FailureReason"] == "AlgorithmError: the file is empty, exit code: 4"


def test_an_output_that_cannot_be_uploaded_fails_the_job(jobs: Jobs) -> None:
    script = "open('/opt/ml/processing/output/x/file', 'w').write('x')"
    job = jobs.process("nowhere", script, outputs={"x": {"S3Uri": "s3://no-such-bucket-here/x"}})
    assert job["ProcessingJobStatus"] == "Failed"
    assert "ClientError: Failed to upload to s3://no-such-bucket-here/x/file: NoSuchBucket" in job["FailureReason"]


def test_too_long_a_job_is_stopped(jobs: Jobs) -> None:
    job = jobs.process("too-long", "import time; time.sleep(60)", seconds=1)
    assert job["ProcessingJobStatus"] == "Stopped"


def test_unknown_taken_and_ended_jobs_are_answered_as_aws_answers(jobs: Jobs) -> None:
    with pytest.raises(ClientError, match="Could not find requested job with name: nobody") as caught:
        jobs.sagemaker.describe_processing_job(ProcessingJobName="nobody")
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    jobs.process("once", "print(1)")
    with pytest.raises(ClientError, match="Job name must be unique") as caught:
        jobs.processing("once", "print(2)")
    assert caught.value.response["Error"]["Code"] == "ResourceInUse"
    with pytest.raises(ClientError, match="the processing job is in status Completed") as caught:
        jobs.sagemaker.stop_processing_job(ProcessingJobName="once")
    names = [
        job["ProcessingJobName"]
        for job in jobs.sagemaker.list_processing_jobs(NameContains="once")["ProcessingJobSummaries"]
    ]
    assert names == ["once"]
    jobs.sagemaker.delete_processing_job(ProcessingJobName="once")
    with pytest.raises(ClientError, match="Could not find"):
        jobs.sagemaker.describe_processing_job(ProcessingJobName="once")


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [
        (
            {"ProcessingInputs": [processing_input("x", {"S3Uri": "s3://b/x", "LocalPath": "/etc"})]},
            "ValidationException",
            "LocalPath of x must be a folder under /opt/ml/processing",
        ),
        (
            {
                "ProcessingInputs": [
                    processing_input("x", {"S3Uri": "s3://b/x", "LocalPath": "/opt/ml/processing/../../x"})
                ]
            },
            "ValidationException",
            "LocalPath of x",
        ),
        (
            {"ProcessingInputs": [processing_input("x", {"S3Uri": "s3://b/x", "S3InputMode": "Pipe"})]},
            "NotImplemented",
            "Pipe",
        ),
        (
            {"ProcessingOutputConfig": {"Outputs": [processing_output("j", "o", {"LocalPath": "/tmp"})]}},
            "ValidationException",
            "LocalPath of o",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(jobs: Jobs, members: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(ClientError, match=message) as caught:
        jobs.processing("refused", "", **members)
    assert caught.value.response["Error"]["Code"] == code


def test_a_script_image_without_an_entry_point_says_what_to_give(jobs: Jobs) -> None:
    job = jobs.process("no-entry", "", AppSpecification={"ImageUri": IMAGE})
    assert job["ProcessingJobStatus"] == "Failed"
    assert "give a ContainerEntrypoint" in job["FailureReason"]
