"""BlazingText through boto3: a built-in algorithm's training job, its metrics, and the endpoint of its model."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

import boto3
import fasttext
import pytest
from blazingtext_kit import QUICK, lines, manifest
from waiting_kit import until

IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/blazingtext:1"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
BUCKET = "blazingtext-jobs"


class BlazingText:
    """Drives jobs and endpoints as ``sagemaker.estimator.Estimator`` does."""

    def __init__(self) -> None:
        session = boto3.Session()
        self.sagemaker = session.client("sagemaker")
        self.runtime = session.client("sagemaker-runtime")
        self.s3 = session.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)

    def create(self, name: str, channels: dict[str, str], hyperparameters: dict[str, str] = QUICK, **more: Any) -> None:
        """Start a job; each channel is the content of one object."""
        inputs = []
        for channel, content in channels.items():
            key = f"{name}/{channel}/{channel}.txt"
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
            source = {"S3Uri": f"s3://{BUCKET}/{key}", "S3DataType": "S3Prefix", **more.get("source", {})}
            inputs.append({"ChannelName": channel, "DataSource": {"S3DataSource": source}, **more.get("channel", {})})
        self.sagemaker.create_training_job(
            TrainingJobName=name,
            AlgorithmSpecification={
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                **more.get("algorithm", {}),
            },
            RoleArn=ROLE,
            HyperParameters=hyperparameters,
            InputDataConfig=inputs,
            OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/out"},
            ResourceConfig={"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            StoppingCondition={"MaxRuntimeInSeconds": 300},
        )

    def train(self, name: str, channels: dict[str, str], hyperparameters: dict[str, str] = QUICK, **more: Any) -> Any:
        """The same, and the description of the job that has ended."""
        self.create(name, channels, hyperparameters, **more)
        return until(
            lambda: dict(self.sagemaker.describe_training_job(TrainingJobName=name)),
            lambda job: job["TrainingJobStatus"] in ("Completed", "Failed", "Stopped"),
            90,
            every=0.1,
        )

    def model(self, job: dict[str, Any], member: str) -> bytes:
        """A file of the job's model.tar.gz."""
        key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{BUCKET}/")
        body = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            file = archive.extractfile(member)
            assert file is not None
            return file.read()

    def serve(self, name: str, job: dict[str, Any]) -> None:
        """An endpoint in service."""
        data = job["ModelArtifacts"]["S3ModelArtifacts"]
        container = {"Image": IMAGE, "ModelDataUrl": data}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large"}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
        )
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        self.sagemaker.get_waiter("endpoint_in_service").wait(
            EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 90}
        )

    def ask(self, name: str, body: str, content_type: str) -> str:
        answer = self.runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType=content_type)
        return str(answer["Body"].read().decode())


@pytest.fixture(scope="module")
def blazingtext(localaws: Any) -> Iterator[BlazingText]:
    yield BlazingText()


@pytest.fixture(scope="module")
def job(blazingtext: BlazingText) -> Any:
    """A job that has completed, on File channels."""
    return blazingtext.train("bt-supervised", {"train": lines(600), "validation": lines(90, seed=2)})


def test_a_job_completes_with_aws_s_metrics_and_a_model_of_fasttext(
    blazingtext: BlazingText, job: Any, tmp_path: Any
) -> None:
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    metrics = {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}
    assert set(metrics) == {"train:accuracy", "validation:accuracy"}
    assert metrics["validation:accuracy"] > 0.95
    shown = {metric["Name"]: metric["Regex"] for metric in job["AlgorithmSpecification"]["MetricDefinitions"]}
    assert shown["validation:accuracy"] == r"#validation_accuracy: (\S+)"
    (tmp_path / "model.bin").write_bytes(blazingtext.model(job, "model.bin"))
    assert fasttext.load_model(str(tmp_path / "model.bin")).predict("i love it")[0] == ("__label__1",)


def test_an_endpoint_answers_json_and_json_lines_and_refuses_what_is_malformed(
    blazingtext: BlazingText, job: Any
) -> None:
    blazingtext.serve("bt-endpoint", job)
    body = {"instances": ["i love this perfect dress", "awful , returned it"], "configuration": {"k": 2}}
    answers = json.loads(blazingtext.ask("bt-endpoint", json.dumps(body), "application/json"))
    assert [answer["label"][0] for answer in answers] == ["__label__1", "__label__-1"]
    assert [len(answer["prob"]) for answer in answers] == [2, 2]
    text = blazingtext.ask("bt-endpoint", '{"source": "okay , fine"}\n{"source": "awful"}\n', "application/jsonlines")
    assert [json.loads(line)["label"] for line in text.splitlines()] == [["__label__0"], ["__label__-1"]]
    with pytest.raises(blazingtext.runtime.exceptions.ModelError, match=r"must be \{.instances"):
        blazingtext.ask("bt-endpoint", "{}", "application/json")
    blazingtext.sagemaker.delete_endpoint(EndpointName="bt-endpoint")


AUGMENTED = {"S3DataType": "AugmentedManifestFile", "AttributeNames": ["source", "label"]}


def test_an_augmented_manifest_channel_is_trained_on(blazingtext: BlazingText) -> None:
    # A key that begins like the manifest's is no part of the channel.
    blazingtext.s3.put_object(Bucket=BUCKET, Key="bt-manifest/train/train.txt.old", Body="{")
    job = blazingtext.train(
        "bt-manifest",
        {"train": manifest(600), "validation": manifest(90, seed=2)},
        source=AUGMENTED,
        channel={"InputMode": "Pipe", "RecordWrapperType": "RecordIO"},
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    metrics = {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}
    assert metrics["validation:accuracy"] > 0.95


@pytest.mark.parametrize(
    ("name", "channels", "hyperparameters", "reason"),
    [
        ("bt-no-label", {"train": "great dress\n"}, QUICK, "line 1 of train.txt in the channel train has no label"),
        ("bt-range", {"train": lines(9)}, {**QUICK, "epochs": "0"}, "epochs is '0': it must be a positive integer"),
    ],
)
def test_a_job_that_cannot_learn_is_failed_and_says_why(
    blazingtext: BlazingText, name: str, channels: dict[str, str], hyperparameters: dict[str, str], reason: str
) -> None:
    job = blazingtext.train(name, channels, hyperparameters)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ClientError: ")
    assert reason in job["FailureReason"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (
            {"algorithm": {"MetricDefinitions": [{"Name": "a", "Regex": "(x)"}]}},
            "can't override the metric",
        ),
        ({"source": AUGMENTED}, "AugmentedManifestFile of the channel train is for the input mode Pipe, not File"),
        (
            {"source": {"S3DataType": "AugmentedManifestFile"}, "channel": {"InputMode": "Pipe"}},
            "The channel train has an AugmentedManifestFile and no AttributeNames",
        ),
        ({"channel": {"InputMode": "Pipe"}}, "Pipe mode of the channel train is not implemented"),
        (
            {"source": {**AUGMENTED, "AttributeNames": ["source-ref", "label"]}, "channel": {"InputMode": "Pipe"}},
            "Attributes that refer to S3 objects",
        ),
    ],
)
def test_a_request_that_aws_refuses_is_refused(blazingtext: BlazingText, more: dict[str, Any], reason: str) -> None:
    with pytest.raises(blazingtext.sagemaker.exceptions.ClientError, match=reason):
        blazingtext.create("bt-refused", {"train": lines(3)}, **more)
