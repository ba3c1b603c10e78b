"""Batch transform jobs: real requests to a real model server, from objects to objects."""

from __future__ import annotations

import ast
import gzip
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from job_helpers import alive
from localaws_kit import LocalAws
from transform_kit import SHOUT, Transforms
from waiting_kit import until

#: reads and answers JSON Lines or CSV: the length of each line.
LENGTHS = """
import json

def model_fn(model_dir):
    return None

def input_fn(body, content_type):
    return (body if isinstance(body, str) else body.decode()).splitlines()

def predict_fn(lines, model):
    if "lose one" in lines[0]:
        lines = lines[1:]
    return [len(line) for line in lines]

def output_fn(lengths, accept):
    if accept == "text/csv":
        return "\\n".join(str(length) for length in lengths)
    return "\\n".join(json.dumps({"length": length}) for length in lengths)
"""


@pytest.fixture(scope="module")
def transforms(localaws: LocalAws) -> Transforms:
    return Transforms()


@pytest.fixture(scope="module")
def shout(transforms: Transforms) -> str:
    return transforms.model(code=SHOUT)


@pytest.fixture(scope="module")
def lengths(transforms: Transforms) -> str:
    return transforms.model(code=LENGTHS)


def test_each_object_becomes_one_in_the_same_folder_and_two_instances_share_them(
    transforms: Transforms, shout: str
) -> None:
    source = transforms.put({"a.csv": "one\ntwo\n", "deep/er/b.csv": "three\r\n\nfour", "c.csv.gz": b"", "d": "five"})
    job = transforms.begin(shout, source, instances=2, output={"AssembleWith": "Line"})
    description = transforms.ended(job)

    assert description["TransformJobStatus"] == "Completed", description.get("FailureReason")
    assert transforms.outputs(job) == {
        "a.csv.out": "ONE\nTWO\n",
        "deep/er/b.csv.out": "THREE\nFOUR\n",
        "c.csv.gz.out": "",
        "d.out": "FIVE\n",
    }
    assert description["TransformEndTime"] >= description["TransformStartTime"] >= description["CreationTime"]
    assert description["DataProcessing"] == {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}
    assert description["TransformJobArn"].endswith(f":transform-job/{job}")
    assert "asked 7 text/csv" in transforms.lines(job)


def test_single_records_of_compressed_objects_by_a_manifest_are_asked_at_once_and_assembled_in_order(
    transforms: Transforms, shout: str
) -> None:
    rows = [f"row {number}" for number in range(12)]
    source = transforms.put({"x/rows.gz": gzip.compress("\n".join(rows).encode()), "x/not-listed": "no"})
    manifest = transforms.put({"manifest": json.dumps([{"prefix": source}, "x/rows.gz"])})
    data = {"S3DataType": "ManifestFile", "CompressionType": "Gzip"}
    job = transforms.begin(
        shout, f"{manifest}manifest", data=data, BatchStrategy="SingleRecord", MaxConcurrentTransforms=4
    )

    assert transforms.ended(job)["TransformJobStatus"] == "Completed"
    assert transforms.outputs(job) == {"x/rows.gz.out": "".join(row.upper() for row in rows)}
    assert [line for line in transforms.lines(job) if line.startswith("asked")].count("asked 5 text/csv") == 10


def test_a_whole_object_is_one_request_and_the_model_sees_what_sagemaker_tells_it(
    transforms: Transforms, shout: str
) -> None:
    source = transforms.put({"data.txt": "environment\nof it"})
    outputs = transforms.run(
        shout,
        f"{source}data.txt",
        data={"SplitType": "None", "ContentType": "text/plain"},
        Environment={"GREETING": "hello"},
        MaxPayloadInMB=3,
        BatchStrategy="SingleRecord",
    )
    said = dict(ast.literal_eval(outputs["data.txt.out"]))

    assert said["GREETING"] == "hello"
    assert said["SAGEMAKER_BATCH"] == "true"
    assert said["SAGEMAKER_MAX_PAYLOAD_IN_MB"] == "3"
    assert said["SAGEMAKER_BATCH_STRATEGY"] == "SingleRecord"
    assert said["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] == "1"


def test_input_is_filtered_joined_with_the_output_and_filtered_again(transforms: Transforms, lengths: str) -> None:
    outputs = transforms.run(
        lengths,
        transforms.put({"data": 'id1,"a, b"\nid2,ccc\n'}),
        output={"Accept": "text/csv", "AssembleWith": "Line"},
        DataProcessing={"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
    )

    assert outputs == {"data.out": "id1,6\nid2,3\n"}


def test_an_object_that_the_model_refuses_is_not_written_the_others_are_and_the_reason_is_told(
    transforms: Transforms, shout: str
) -> None:
    source = transforms.put({"a": "fine\n", "b": "fine\nbroken\nfine\n", "c": "fine\n"})
    job = transforms.begin(shout, source, BatchStrategy="SingleRecord", ModelClientConfig={"InvocationsMaxRetries": 1})
    description = transforms.ended(job)

    assert description["TransformJobStatus"] == "Failed"
    reason = description["FailureReason"]
    assert reason.startswith("AlgorithmError: See job logs for more information. b: Bad HTTP status received")
    assert "cannot shout this" in reason
    assert transforms.outputs(job) == {"a.out": "FINE", "c.out": "FINE"}
    assert transforms.lines(job).count("ValueError: cannot shout this") == 2


def test_a_model_server_that_dies_or_does_not_start_fails_the_job(transforms: Transforms, shout: str) -> None:
    dying = transforms.begin(shout, transforms.put({"a": "crash\n"}))
    unfit = transforms.model(code="raise RuntimeError('no such weights')")
    never = transforms.begin(unfit, transforms.put({"a": "x\n"}))

    assert "Unable to get response from algorithm" in transforms.ended(dying)["FailureReason"]
    reason = transforms.ended(never)["FailureReason"]
    assert "did not pass the ping health check" in reason
    assert "no such weights" in reason
    assert transforms.outputs(dying) == {}


def test_an_answer_that_takes_too_long_or_has_too_few_lines_fails_the_job(
    transforms: Transforms, shout: str, lengths: str
) -> None:
    client = {"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 0}
    slow = transforms.begin(shout, transforms.put({"a": "slow\n"}), ModelClientConfig=client)
    output = {"Accept": "text/csv", "AssembleWith": "Line"}
    joined = {"JoinSource": "Input"}
    few = transforms.begin(lengths, transforms.put({"a": "lose one\nx\n"}), output=output, DataProcessing=joined)

    assert "did not respond to /invocations request within 1 seconds" in transforms.ended(slow)["FailureReason"]
    assert "mismatched line count between the input and the output" in transforms.ended(few)["FailureReason"]


def test_no_objects_fail_the_job(transforms: Transforms, shout: str) -> None:
    job = transforms.begin(shout, f"s3://{transforms.bucket}/nothing/here")

    assert "No S3 objects found" in transforms.ended(job)["FailureReason"]


def test_a_job_that_is_stopped_stores_nothing_and_leaves_no_process(
    localaws: LocalAws, transforms: Transforms, shout: str
) -> None:
    job = transforms.begin(shout, transforms.put({"a": "fine\n", "b": "slow\n"}))
    folder = localaws.home / "localaws/jobs/transform-job" / job
    log = folder / "logs/algo-1.log"
    until(lambda: log.read_text() if log.exists() else "", lambda text: text.count("asked") == 2)
    transforms.sagemaker.stop_transform_job(TransformJobName=job)

    assert transforms.ended(job)["TransformJobStatus"] == "Stopped"
    assert transforms.outputs(job) == {}
    until(lambda: alive(str(folder)), lambda pids: not pids)
    with pytest.raises(ClientError, match="the transform job is in status Stopped"):
        transforms.sagemaker.stop_transform_job(TransformJobName=job)


def test_jobs_are_listed_and_an_unknown_one_model_or_name_is_refused(transforms: Transforms, shout: str) -> None:
    job = transforms.begin(shout, transforms.put({"a": "fine\n"}))
    client = transforms.sagemaker

    assert [
        found["TransformJobName"] for found in client.list_transform_jobs(NameContains=job)["TransformJobSummaries"]
    ] == [job]
    with pytest.raises(ClientError, match="Could not find requested job with name: nobody"):
        client.describe_transform_job(TransformJobName="nobody")
    with pytest.raises(ClientError, match=r'ValidationException.*Could not find model "arn:aws:sagemaker:.*/nobody"'):
        transforms.begin("nobody", f"s3://{transforms.bucket}/x")
    transforms.ended(job)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"data": {"SplitType": "RecordIO"}}, "SplitType RecordIO is not implemented by localaws"),
        ({"data": {"S3DataType": "AugmentedManifestFile"}}, "AugmentedManifestFile is not implemented"),
        ({"DataCaptureConfig": {"DestinationS3Uri": "s3://x/y"}}, "DataCaptureConfig of a transform job is not"),
        ({"MaxConcurrentTransforms": 11, "MaxPayloadInMB": 10}, "must not exceed 100 MB"),
        ({"DataProcessing": {"InputFilter": "a"}}, "does not begin with"),
        ({"DataProcessing": {"InputFilter": "$[a]"}}, "neither names in quotes, nor indices, nor a slice"),
        ({"DataProcessing": {"InputFilter": "$[0]"}}, "AssembleWith Line"),
        ({"data": {"ContentType": "text/plain"}, "DataProcessing": {"InputFilter": "$[0]"}}, "ContentType"),
        ({"DataProcessing": {"JoinSource": "Input"}, "output": {"Accept": "application/json"}}, "same type"),
        ({"MaxPayloadInMB": 0}, "SplitType None"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(
    transforms: Transforms, shout: str, members: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError, match=words.replace("*", r"\*")):
        transforms.begin(shout, f"s3://{transforms.bucket}/x", **members)
