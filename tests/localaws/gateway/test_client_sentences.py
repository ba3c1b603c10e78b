"""
The sentences of SageMaker's refusals that clients match: a word changed here breaks a program that nobody here wrote.

What ends a job (stopping one that has ended) is in the tests of each kind of job, which have such jobs at hand.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/r"
CONTAINER = {"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2"}
SPECIFICATION = {
    "Containers": [CONTAINER],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}
VARIANT = {
    "VariantName": "v",
    "ModelName": "",
    "InstanceType": "ml.m5.large",
    "InitialInstanceCount": 1,
    "InitialVariantWeight": 1,
}


@pytest.fixture
def sagemaker(localaws: Any) -> Any:
    return boto3.Session().client("sagemaker")


@pytest.fixture
def name() -> Iterator[str]:
    yield f"said-{uuid.uuid4().hex[:10]}"


def refusal(call: Any, **request: Any) -> tuple[str, str]:
    """Code and message."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


#: operation, the member that names what is not there, code, and the words that clients look for.
UNKNOWN = [
    ("describe_training_job", "TrainingJobName", "ValidationException", "not found"),
    ("describe_processing_job", "ProcessingJobName", "ValidationException", "Could not find"),
    ("describe_transform_job", "TransformJobName", "ValidationException", "Could not find"),
    ("stop_training_job", "TrainingJobName", "ValidationException", "not found"),
    ("stop_processing_job", "ProcessingJobName", "ValidationException", "Could not find"),
    ("stop_transform_job", "TransformJobName", "ValidationException", "Could not find"),
    ("describe_hyper_parameter_tuning_job", "HyperParameterTuningJobName", "ResourceNotFound", ""),
    ("stop_hyper_parameter_tuning_job", "HyperParameterTuningJobName", "ResourceNotFound", ""),
    ("describe_auto_ml_job_v2", "AutoMLJobName", "ResourceNotFound", "Could not find"),
    ("describe_model", "ModelName", "ValidationException", "Could not find model"),
    ("delete_model", "ModelName", "ValidationException", "Could not find model"),
    ("describe_endpoint_config", "EndpointConfigName", "ValidationException", "Could not find"),
    ("delete_endpoint_config", "EndpointConfigName", "ValidationException", "Could not find"),
    ("describe_endpoint", "EndpointName", "ValidationException", "Could not find endpoint"),
    ("delete_endpoint", "EndpointName", "ValidationException", "Could not find endpoint"),
    ("describe_model_package", "ModelPackageName", "ValidationException", "does not exist"),
    ("delete_model_package", "ModelPackageName", "ValidationException", "does not exist"),
    ("describe_model_package_group", "ModelPackageGroupName", "ValidationException", "does not exist"),
    ("delete_model_package_group", "ModelPackageGroupName", "ValidationException", "does not exist"),
    ("describe_pipeline", "PipelineName", "ResourceNotFound", "does not exist"),
    ("delete_pipeline", "PipelineName", "ResourceNotFound", "does not exist"),
    ("describe_experiment", "ExperimentName", "ResourceNotFound", "does not exist"),
    ("describe_trial", "TrialName", "ResourceNotFound", "does not exist"),
    ("describe_trial_component", "TrialComponentName", "ResourceNotFound", "does not exist"),
    ("describe_feature_group", "FeatureGroupName", "ResourceNotFound", "Not Found"),
]


@pytest.mark.parametrize(("operation", "member", "code", "words"), UNKNOWN)
def test_what_is_not_there_is_refused_in_awss_words(
    sagemaker: Any, name: str, operation: str, member: str, code: str, words: str
) -> None:
    extra = {"ClientRequestToken": "t" * 32} if operation == "delete_pipeline" else {}
    found = refusal(getattr(sagemaker, operation), **{member: name}, **extra)
    assert (found[0], words in found[1]) == (code, True), found


def test_duplicates_are_refused_in_awss_words(sagemaker: Any, name: str) -> None:
    experiment = {"ExperimentName": name}
    requests: list[tuple[str, dict[str, Any]]] = [
        ("model", {"ModelName": name, "PrimaryContainer": CONTAINER, "ExecutionRoleArn": ROLE}),
        (
            "endpoint_config",
            {"EndpointConfigName": name, "ProductionVariants": [{**VARIANT, "ModelName": name}]},
        ),
        ("model_package_group", {"ModelPackageGroupName": name}),
        ("model_package", {"ModelPackageName": name, "InferenceSpecification": SPECIFICATION}),
        ("experiment", experiment),
        ("trial", {"TrialName": name, **experiment}),
        ("trial_component", {"TrialComponentName": name}),
    ]
    said = {}
    for noun, request in requests:
        create = getattr(sagemaker, f"create_{noun}")
        create(**request)
        code, said[noun] = refusal(create, **request)
        assert code == "ValidationException", noun
    # Airflow's endpoint and package group operators and the SDK's sessions match these.
    assert said["model"].startswith("Cannot create already existing model")
    assert said["endpoint_config"].startswith("Cannot create already existing endpoint configuration")
    assert said["model_package_group"].startswith("Model Package Group already exists")
    assert said["model_package"].startswith("ModelPackage already exists")
    for noun in ("experiment", "trial", "trial_component"):
        assert "already exists" in said[noun]


def test_package_without_or_with_both_names_is_refused_in_awss_words(sagemaker: Any, name: str) -> None:
    assert refusal(sagemaker.create_model_package) == ("ValidationException", "Missing ARN.")
    both = {"ModelPackageName": name, "ModelPackageGroupName": name}
    code, message = refusal(sagemaker.create_model_package, **both, InferenceSpecification=SPECIFICATION)
    words = "Both ModelPackageName and ModelPackageGroupName are provided in the input."
    assert (code, message.startswith(words)) == ("ValidationException", True)
