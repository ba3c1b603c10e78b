"""Clarify as a processing job, through boto3: as the SageMaker SDK starts it, and what Describe says when it fails."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from clarify_kit import METRICS, by_value, config, lines
from waiting_kit import until

IMAGE = "205585389593.dkr.ecr.us-east-1.amazonaws.com/sagemaker-clarify-processing:1.0"
BUCKET = "clarify-jobs"


class Clarify:
    """Starts the job that ``SageMakerClarifyProcessor.run_pre_training_bias`` starts."""

    def __init__(self) -> None:
        session = boto3.Session()
        self.sagemaker = session.client("sagemaker")
        self.s3 = session.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)

    def run(self, name: str, document: Any, data: str | bytes, **changes: Any) -> dict[str, Any]:
        text = document if isinstance(document, str) else json.dumps(document)
        self.s3.put_object(Bucket=BUCKET, Key=f"{name}/analysis_config.json", Body=text)
        self.s3.put_object(Bucket=BUCKET, Key=f"{name}/data/data.csv", Body=data)
        inputs = [
            ("analysis_config", f"s3://{BUCKET}/{name}/analysis_config.json", "/opt/ml/processing/input/config"),
            ("dataset", f"s3://{BUCKET}/{name}/data", "/opt/ml/processing/input/data"),
        ]
        output = {"S3Uri": f"s3://{BUCKET}/{name}/out", "LocalPath": "/opt/ml/processing/output"}
        self.sagemaker.create_processing_job(
            ProcessingJobName=name,
            AppSpecification={"ImageUri": IMAGE},
            RoleArn="arn:aws:iam::123456789012:role/sagemaker",
            ProcessingInputs=[
                {
                    "InputName": kind,
                    "S3Input": {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"},
                }
                for kind, uri, path in inputs
            ],
            ProcessingOutputConfig={
                "Outputs": [{"OutputName": "analysis_result", "S3Output": {**output, "S3UploadMode": "EndOfJob"}}]
            },
            ProcessingResources={
                "ClusterConfig": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
            },
            **changes,
        )
        return until(
            lambda: dict(self.sagemaker.describe_processing_job(ProcessingJobName=name)),
            lambda job: job["ProcessingJobStatus"] in ("Completed", "Failed", "Stopped"),
            120,
            every=0.1,
        )

    def outputs(self, name: str) -> dict[str, bytes]:
        prefix = f"{name}/out/"
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return {
            item["Key"].removeprefix(prefix): self.s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
            for item in found
        }


@pytest.fixture(scope="module")
def clarify(localaws: Any) -> Iterator[Clarify]:
    yield Clarify()


def test_a_bias_job_writes_analysis_and_report(clarify: Clarify) -> None:
    methods = {"pre_training_bias": {"methods": METRICS}, "report": {"name": "report", "title": "Analysis Report"}}
    job = clarify.run("clarify-bias", config(methods=methods), lines())
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    files = clarify.outputs("clarify-bias")
    assert set(files) == {"analysis.json", "report.html", "report.ipynb", "report.pdf"}
    assert by_value(json.loads(files["analysis.json"]))["Dresses"]["CI"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "document", "reason"),
    [
        ("clarify-no-json", "{", "analysis_config.json is not JSON"),
        ("clarify-no-label", config(label="stars"), "the label column 'stars' is not in the data set"),
        (
            "clarify-shap",
            config(methods={"shap": {}, "pre_training_bias": {"methods": "all"}}),
            "shap: not implemented by localaws, which has pre_training_bias",
        ),
    ],
)
def test_a_job_that_cannot_be_done_is_failed_and_says_why(
    clarify: Clarify, name: str, document: Any, reason: str
) -> None:
    job = clarify.run(name, document, lines())
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ClientError: ")
    assert reason in job["FailureReason"]
    assert reason in job["ExitMessage"]
    assert clarify.outputs(name) == {}


@pytest.mark.real_data
def test_blanks_in_the_real_reviews_are_counted_by_column(clarify: Clarify, reviews_file: Path) -> None:
    with zipfile.ZipFile(reviews_file) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".csv") and "MACOSX" not in name)
        data = archive.read(name)
    document = config(
        headers=None,
        label="Recommended IND",
        facet=[{"name_or_index": "Department Name", "value_or_threshold": ["Dresses"]}],
        methods={"pre_training_bias": {"methods": "all"}, "report": {}},
    )
    job = clarify.run("clarify-real", document, data)
    # 14 rows have no department.
    assert job["ProcessingJobStatus"] == "Failed"
    assert "'Department Name' has no value (NaN) in 14 of 23486 rows" in job["FailureReason"]
