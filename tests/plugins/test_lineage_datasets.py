"""What OpenLineage is told of our tasks: S3 datasets by bucket and key, in an event of the file transport."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.openlineage.extractors.base import DefaultExtractor
from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
from airflow.sdk import BaseOperator
from openlineage.client import OpenLineageClient
from openlineage.client.transport.file import FileConfig, FileTransport
from operator_kit import ROLE, SERVING_IMAGE, Airflow, FakeTask

from amazon_ml.openlineage import as_lineage, of_job
from amazon_ml.operators.base import SageMakerOperator
from amazon_ml.operators.model_package import RegisterModelOperator


def channel(uri: str) -> dict[str, Any]:
    return {"ChannelName": uri[-1], "DataSource": {"S3DataSource": {"S3Uri": uri}}}


@pytest.mark.parametrize(
    ("kind", "description", "read", "written"),
    [
        (
            "ProcessingJob",
            {
                "ProcessingInputs": [
                    {"InputName": "code", "S3Input": {"S3Uri": "s3://b/code/"}},
                    {"InputName": "raw", "S3Input": {"S3Uri": "s3://b/raw/"}},
                ],
                "ProcessingOutputConfig": {"Outputs": [{"OutputName": "o", "S3Output": {"S3Uri": "s3://b/out/"}}]},
            },
            ["s3://b/raw/"],
            ["s3://b/out/"],
        ),
        ("ProcessingJob", {}, [], []),
        (
            "TrainingJob",
            {
                "InputDataConfig": [channel("s3://b/train"), channel("s3://b/validation")],
                "ModelArtifacts": {"S3ModelArtifacts": "s3://b/model.tar.gz"},
            },
            ["s3://b/train", "s3://b/validation"],
            ["s3://b/model.tar.gz"],
        ),
        (
            "TransformJob",
            {
                "TransformInput": {"DataSource": {"S3DataSource": {"S3Uri": "s3://b/in"}}},
                "TransformOutput": {"S3OutputPath": "s3://b/out"},
            },
            ["s3://b/in"],
            ["s3://b/out"],
        ),
        (
            "HyperParameterTuningJob",
            {
                "TrainingJobDefinition": {
                    "InputDataConfig": [channel("s3://b/train")],
                    "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
                }
            },
            ["s3://b/train"],
            ["s3://b/out"],
        ),
        (
            "AutoMLJobV2",
            {
                "AutoMLJobInputDataConfig": [channel("s3://b/train")],
                "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
            },
            ["s3://b/train"],
            ["s3://b/out"],
        ),
        ("AutoMLJob", {"InputDataConfig": [channel("s3://b/train")]}, ["s3://b/train"], []),
        ("Endpoint", {"EndpointName": "e"}, [], []),
    ],
)
def test_the_describe_answer_says_what_was_read_and_written(
    kind: str, description: dict[str, Any], read: list[str], written: list[str]
) -> None:
    assert of_job(kind, description) == (read, written)


def test_a_uri_is_a_dataset_of_its_bucket() -> None:
    uris = ["s3://bucket/raw/reviews.csv", "s3://bucket/raw/", "s3://bucket/raw/", "s3://other", "https://x/y"]
    found = as_lineage(uris, [])
    assert [(each.namespace, each.name) for each in found.inputs] == [
        ("s3://bucket", "raw/reviews.csv"),
        ("s3://bucket", "raw"),
        ("s3://other", "/"),
    ]
    assert found.outputs == []


def test_an_arn_of_sagemaker_is_a_dataset_of_its_account() -> None:
    account = "arn:aws:sagemaker:us-east-1:123456789012"
    found = as_lineage([f"{account}:model-package/reviews/1"], [f"{account}:endpoint/reviews", "arn:aws:iam::1:role/r"])
    assert [(each.namespace, each.name) for each in found.inputs] == [(account, "model-package/reviews/1")]
    assert [(each.namespace, each.name) for each in found.outputs] == [(account, "endpoint/reviews")]


def test_an_event_in_the_file_carries_them(aws: Any, airflow: Airflow, ti: FakeTask, tmp_path: Path) -> None:
    made: list[BaseOperator] = []

    def register() -> RegisterModelOperator:
        operator = RegisterModelOperator(
            task_id=ti.task_id,
            group_name="lineage-events",
            image_uri=SERVING_IMAGE,
            model_data="s3://bucket/model.tar.gz",
            metrics={"ModelQuality": "s3://bucket/evaluation.json"},
        )
        made.append(operator)
        return operator

    airflow.run(register, ti)
    lineage = DefaultExtractor(made[-1]).extract_on_complete(ti)
    assert lineage is not None
    file = tmp_path / "events.jsonl"
    client = OpenLineageClient(transport=FileTransport(FileConfig(str(file), append=True)))
    for number in (1, 2):
        OpenLineageAdapter(client).complete_task(
            run_id=f"01939f5a-0000-7000-8000-00000000000{number}",
            job_name="dag.register",
            end_time=datetime.now(UTC).isoformat(),
            task=lineage,
            nominal_start_time=None,
            nominal_end_time=None,
            owners=None,
            tags=None,
            job_description=None,
        )
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert [event["eventType"] for event in events] == ["COMPLETE", "COMPLETE"]
    assert [(each["namespace"], each["name"]) for each in events[0]["inputs"]] == [
        ("s3://bucket", "model.tar.gz"),
        ("s3://bucket", "evaluation.json"),
    ]


def test_a_task_that_touches_no_data_says_so() -> None:
    operator = SageMakerOperator(task_id="t", tags={"role": ROLE})
    lineage = DefaultExtractor(operator).extract_on_complete(None)
    assert lineage is not None
    assert (lineage.inputs, lineage.outputs) == ([], [])
