"""Specs become requests that SageMaker's own model accepts: types, required members, limits, enums and patterns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.model import Shape
from botocore.validate import ParamValidator

from amazon_ml.specs.job import ProcessingJobSpec, TrainingJobSpec, to_arguments, to_hyperparameters

ROLE = "arn:aws:iam::123456789012:role/service-role/jobs"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.6.0-cpu-py312-ubuntu22.04-sagemaker"
MODEL = botocore.session.get_session().get_service_model("sagemaker")


def problems(value: Any, shape: Shape, path: str = "") -> list[str]:
    """Where a value breaks what botocore itself leaves to the server: maxima, enums and patterns."""
    size = value if isinstance(value, (int, float)) else len(value)
    found = [f"{path}: {size} is too much"] if size > shape.metadata.get("max", size) else []
    if shape.type_name == "string":
        pattern = shape.metadata.get("pattern", "")
        if pattern and not re.fullmatch(pattern, value):
            found.append(f"{path}: {value!r} against {pattern}")
        if shape.enum and value not in shape.enum:
            found.append(f"{path}: {value!r} is not one of {shape.enum}")
    for name, member, inner in members(value, shape):
        found += problems(member, inner, f"{path}.{name}")
    return found


def members(value: Any, shape: Shape) -> Iterator[tuple[str, Any, Shape]]:
    if shape.type_name == "structure":
        yield from ((name, member, shape.members[name]) for name, member in value.items())
    elif shape.type_name == "list":
        yield from ((str(position), member, shape.member) for position, member in enumerate(value))
    elif shape.type_name == "map":
        yield from ((name, name, shape.key) for name in value)
        yield from ((name, member, shape.value) for name, member in value.items())


def check(operation: str, request: dict[str, Any]) -> None:
    shape = MODEL.operation_model(operation).input_shape
    assert ParamValidator().validate(request, shape).generate_report() == ""
    assert problems(request, shape) == []


@pytest.fixture
def processing(source: Path) -> ProcessingJobSpec:
    return ProcessingJobSpec(
        image_uri=IMAGE,
        role_arn=ROLE,
        bucket="my-bucket",
        source_dir=str(source),
        entry_point="main.py",
        instance_type="ml.m5.large",
        instance_count="2",
        environment={"LEVEL": "1"},
    )


@pytest.fixture
def training(source: Path) -> TrainingJobSpec:
    return TrainingJobSpec(
        image_uri=IMAGE,
        role_arn=ROLE,
        bucket="my-bucket",
        source_dir=str(source),
        entry_point="main.py",
        instance_type="ml.c5.2xlarge",
    )


def processing_request(spec: ProcessingJobSpec, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "name": "features-1",
        "dag_id": "ingest.reviews",
        "code_uri": spec.code_uri(spec.source()),
        "inputs": {"reviews": "s3://my-bucket/data/raw/", "other": "s3://my-bucket/other.csv"},
        "outputs": {"train": None, "report": "s3://elsewhere/report"},
        "arguments": {"max-seq-length": 128},
        "sharded_inputs": ("reviews",),
    }
    return spec.to_request(**{**arguments, **changes})


def training_request(spec: TrainingJobSpec, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "name": "train-1",
        "dag_id": "train",
        "code_uri": spec.code_uri(spec.source()),
        "region": "us-east-1",
        "channels": {"train": "s3://my-bucket/train/", "validation": "s3://my-bucket/validation/"},
        "hyperparameters": {"epochs": 3, "learning_rate": 2e-5, "freeze": False, "base_model": "roberta-base"},
        "metric_regexes": {"validation:accuracy": r"val_acc: ([0-9.]+)"},
    }
    return spec.to_request(**{**arguments, **changes})


def test_a_processing_request_is_one_that_sagemaker_takes(processing: ProcessingJobSpec) -> None:
    request = processing_request(processing)
    check("CreateProcessingJob", request)
    code, reviews, other = request["ProcessingInputs"]
    assert code["S3Input"]["LocalPath"] == "/opt/ml/processing/input/code"
    assert re.fullmatch(r"s3://my-bucket/jobs/code/[0-9a-f]{16}/files/", code["S3Input"]["S3Uri"])
    assert reviews["S3Input"]["LocalPath"] == "/opt/ml/processing/input/reviews"
    assert reviews["S3Input"]["S3DataDistributionType"] == "ShardedByS3Key"
    assert other["S3Input"]["S3DataDistributionType"] == "FullyReplicated"
    assert request["AppSpecification"]["ContainerEntrypoint"] == [
        "python3",
        "/opt/ml/processing/input/code/main.py",
    ]
    assert request["AppSpecification"]["ContainerArguments"] == ["--max-seq-length", "128"]
    train, report = request["ProcessingOutputConfig"]["Outputs"]
    assert train["S3Output"]["S3Uri"] == "s3://my-bucket/jobs/ingest.reviews/features-1/train/"
    assert train["S3Output"]["LocalPath"] == "/opt/ml/processing/output/train"
    assert report["S3Output"]["S3Uri"] == "s3://elsewhere/report"
    assert request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 2


def test_a_bare_processing_request_is_one_that_sagemaker_takes(processing: ProcessingJobSpec) -> None:
    bare = replace(processing, environment={})
    request = processing_request(bare, inputs={}, outputs={}, arguments={}, sharded_inputs=())
    check("CreateProcessingJob", request)
    assert "ContainerArguments" not in request["AppSpecification"]
    assert "Environment" not in request


def test_a_training_request_is_one_that_sagemaker_takes(training: TrainingJobSpec) -> None:
    request = training_request(training)
    check("CreateTrainingJob", request)
    assert request["HyperParameters"]["epochs"] == "3"
    assert request["HyperParameters"]["freeze"] == "false"
    assert request["HyperParameters"]["base_model"] == "roberta-base"
    assert request["HyperParameters"]["sagemaker_program"] == "main.py"
    assert request["HyperParameters"]["sagemaker_submit_directory"].endswith("/sourcedir.tar.gz")
    assert "sagemaker_torch_distributed_enabled" not in request["HyperParameters"]
    # SageMaker adds the job's name: its folder is then the one that output_uri says.
    assert request["OutputDataConfig"]["S3OutputPath"] == "s3://my-bucket/jobs/train"
    assert training.output_uri("train", "train-1") == "s3://my-bucket/jobs/train/train-1"


def test_several_instances_train_as_one_world(training: TrainingJobSpec) -> None:
    request = training_request(replace(training, instance_count=2))
    check("CreateTrainingJob", request)
    assert request["HyperParameters"]["sagemaker_torch_distributed_enabled"] == "true"


def test_spot_instances_are_asked_for_with_the_time_to_wait_for_them(training: TrainingJobSpec) -> None:
    request = training_request(replace(training, spot=True, max_runtime=600))
    check("CreateTrainingJob", request)
    assert request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 1200}
    request = training_request(replace(training, spot=True, max_runtime=600, max_wait="900"))
    assert request["StoppingCondition"]["MaxWaitTimeInSeconds"] == 900
    on_demand = training_request(training)
    assert "EnableManagedSpotTraining" not in on_demand
    assert "MaxWaitTimeInSeconds" not in on_demand["StoppingCondition"]
    # Where it is computed is no part of what is computed.
    assert training.fingerprint(request) == training.fingerprint(on_demand)


def test_training_without_channels_or_metrics_is_one_that_sagemaker_takes(training: TrainingJobSpec) -> None:
    check("CreateTrainingJob", training_request(training, channels={}, hyperparameters={}, metric_regexes={}))


def test_further_members_go_into_the_request_as_they_are(training: TrainingJobSpec) -> None:
    network = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    extra = {"VpcConfig": network, "ResourceConfig": {"KeepAlivePeriodInSeconds": 600}}
    request = training_request(replace(training, extra=extra))
    check("CreateTrainingJob", request)
    assert request["VpcConfig"] == network
    assert request["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 600
    assert request["ResourceConfig"]["InstanceType"] == "ml.c5.2xlarge"


def test_the_fingerprint_is_of_the_computation(training: TrainingJobSpec, source: Path) -> None:
    same = training.fingerprint(training_request(training))
    elsewhere = replace(training, instance_type="ml.m5.large", max_runtime=60, tags={"a": "b"}, prefix="jobs")
    assert elsewhere.fingerprint(training_request(elsewhere, name="train-2", metric_regexes={})) == same
    # What AWS adds to a description changes nothing.
    described = {**training_request(training), "TrainingJobStatus": "Completed", "EnableNetworkIsolation": False}
    assert training.fingerprint(json.loads(json.dumps(described))) == same
    changed = [
        training_request(training, hyperparameters={"epochs": 4}),
        training_request(training, channels={"train": "s3://my-bucket/other/"}),
        training_request(replace(training, image_uri=IMAGE + "2")),
        training_request(replace(training, environment={"A": "1"})),
    ]
    (source / "main.py").write_text("print('other')")
    changed.append(training_request(training))
    assert len({same, *(training.fingerprint(request) for request in changed)}) == 6


def test_the_fingerprint_of_processing_is_of_the_computation(processing: ProcessingJobSpec) -> None:
    same = processing.fingerprint(processing_request(processing))
    assert processing.fingerprint(processing_request(processing, name="features-2", outputs={})) == same
    assert processing.fingerprint(processing_request(processing, arguments={"max-seq-length": 64})) != same
    assert processing.fingerprint(processing_request(processing, sharded_inputs=())) != same
    assert processing.fingerprint(processing_request(processing, inputs={"reviews": "s3://x/y"})) != same


def test_the_code_is_uploaded_where_the_request_says(processing: ProcessingJobSpec, training: TrainingJobSpec) -> None:
    code = processing.source()
    assert processing.uploads(code) == {f"jobs/code/{code.digest}/files/main.py": b"print('hello')\n"}
    assert list(training.uploads(code)) == [f"jobs/code/{code.digest}/sourcedir.tar.gz"]


def test_shared_modules_are_part_of_the_code(training: TrainingJobSpec, tmp_path: Path) -> None:
    module = tmp_path / "shared.py"
    module.write_text("ONE = 1")
    sharing = replace(training, dependencies=[str(module)])
    before = sharing.source()
    assert sorted(before.files) == ["main.py", "shared.py"]
    uri = training_request(sharing)["HyperParameters"]["sagemaker_submit_directory"]
    assert uri == f"s3://my-bucket/jobs/code/{before.digest}/sourcedir.tar.gz"
    fingerprint = sharing.fingerprint(training_request(sharing))
    module.write_text("ONE = 2")
    assert sharing.fingerprint(training_request(sharing)) != fingerprint


def test_arguments_become_words() -> None:
    given = {"epochs": 3, "rate": 2e-5, "fast": True, "slow": False, "none": None, "split": ["a", "b"], "text": "x y"}
    assert to_arguments(given) == [
        *("--epochs", "3", "--rate", "2e-05", "--fast"),
        *("--split", "a", "b", "--text", "x y"),
    ]


def test_an_argument_that_is_too_long_is_named() -> None:
    with pytest.raises(ValueError, match="an argument has 300 characters"):
        to_arguments({"text": "x" * 300})


def test_hyperparameters_become_text_that_script_mode_decodes() -> None:
    given = {"n": 1, "rate": 2e-5, "on": True, "name": "roberta-base", "list": [1, 2], "none": None, "lines": "a\nb"}
    texts = to_hyperparameters(given)
    assert texts == {
        "n": "1",
        "rate": "2e-05",
        "on": "true",
        "name": "roberta-base",
        "list": "[1, 2]",
        "lines": '"a\\nb"',
    }
    assert json.loads(texts["lines"]) == "a\nb"


def test_a_hyperparameter_that_is_too_long_is_named() -> None:
    with pytest.raises(ValueError, match="hyperparameter words"):
        to_hyperparameters({"words": "x" * 2501})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sharded_inputs": ("nothing",)}, "sharded_inputs names no input: nothing"),
        ({"inputs": {"code": "s3://b/k"}, "sharded_inputs": ()}, 'cannot be called "code"'),
    ],
)
def test_a_contradiction_is_refused(processing: ProcessingJobSpec, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        processing_request(processing, **changes)
