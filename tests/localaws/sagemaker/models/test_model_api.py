"""SageMaker models and endpoint configs through boto3: what is kept, and what is refused, in AWS's words."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from endpoint_kit import IMAGE, ROLE, Hosting, name

ARN = "arn:aws:sagemaker:us-east-1:123456789012"


@pytest.fixture(scope="module")
def hosting(localaws: object) -> Hosting:
    return Hosting()


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_a_model_is_described_as_it_was_created(hosting: Hosting) -> None:
    uri = hosting.data({"a": "b"})
    container = {"Image": IMAGE, "ModelDataUrl": uri, "Environment": {"A": "1"}}
    model = name("Model")
    answer = hosting.sagemaker.create_model(
        ModelName=model, ExecutionRoleArn=ROLE, PrimaryContainer=container, Tags=[{"Key": "k", "Value": "v"}]
    )
    assert answer["ModelArn"] == f"{ARN}:model/{model.lower()}"
    description = hosting.sagemaker.describe_model(ModelName=model)
    assert description["PrimaryContainer"] == container
    assert (description["ExecutionRoleArn"], description["EnableNetworkIsolation"]) == (ROLE, False)
    assert hosting.sagemaker.list_tags(ResourceArn=answer["ModelArn"])["Tags"] == [{"Key": "k", "Value": "v"}]


def test_a_models_name_is_taken_once_and_free_after_deletion(hosting: Hosting) -> None:
    model = hosting.model()
    container = {"Image": IMAGE}
    arguments = {"ModelName": model, "ExecutionRoleArn": ROLE, "PrimaryContainer": container}
    assert refusal(hosting.sagemaker.create_model, **arguments) == (
        "ValidationException",
        f'Cannot create already existing model "{ARN}:model/{model}".',
    )
    hosting.sagemaker.delete_model(ModelName=model)
    missing = ("ValidationException", f'Could not find model "{ARN}:model/{model}".')
    assert refusal(hosting.sagemaker.describe_model, ModelName=model) == missing
    assert refusal(hosting.sagemaker.delete_model, ModelName=model) == missing
    hosting.sagemaker.create_model(**arguments)
    assert hosting.sagemaker.list_tags(ResourceArn=f"{ARN}:model/{model}")["Tags"] == []


@pytest.mark.parametrize("key", ["nothing/model.tar.gz", "nothing/"])
def test_a_model_whose_data_is_not_there_is_refused(hosting: Hosting, key: str) -> None:
    uri = f"s3://{hosting.bucket}/{key}"
    container = {"Image": IMAGE, "ModelDataUrl": uri}
    arguments = {"ModelName": name(), "ExecutionRoleArn": ROLE, "PrimaryContainer": container}
    assert refusal(hosting.sagemaker.create_model, **arguments) == (
        "ValidationException",
        f"Could not find model data at {uri}.",
    )
    container["ModelDataUrl"] = f"s3://{name('nowhere')}/model.tar.gz"
    assert "Could not find model data" in refusal(hosting.sagemaker.create_model, **arguments)[1]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"Containers": [{"Image": IMAGE}, {"Image": IMAGE}]}, "several Containers"),
        ({"PrimaryContainer": {"Image": IMAGE, "Mode": "MultiModel"}}, "MultiModel"),
    ],
)
def test_what_no_model_does_here_is_not_implemented_and_says_so(
    hosting: Hosting, arguments: dict[str, Any], word: str
) -> None:
    code, message = refusal(hosting.sagemaker.create_model, ModelName=name(), ExecutionRoleArn=ROLE, **arguments)
    assert code == "NotImplemented"
    assert word in message


def test_a_model_needs_one_container_and_an_image(hosting: Hosting) -> None:
    create = hosting.sagemaker.create_model
    assert refusal(create, ModelName=name(), ExecutionRoleArn=ROLE)[0] == "ValidationException"
    both = {"PrimaryContainer": {"Image": IMAGE}, "Containers": [{"Image": IMAGE}]}
    assert refusal(create, ModelName=name(), ExecutionRoleArn=ROLE, **both)[0] == "ValidationException"
    code, message = refusal(create, ModelName=name(), ExecutionRoleArn=ROLE, PrimaryContainer={})
    assert (code, "Image" in message) == ("ValidationException", True)


def test_models_and_configs_are_listed_newest_first_and_by_name(hosting: Hosting) -> None:
    mark = name("list")
    for place in "abc":
        hosting.sagemaker.create_model(
            ModelName=f"{mark}-{place}", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE}
        )
    models = hosting.sagemaker.list_models(NameContains=mark, MaxResults=2)
    assert [each["ModelName"][-1] for each in models["Models"]] == ["c", "b"]
    rest = hosting.sagemaker.list_models(NameContains=mark, MaxResults=2, NextToken=models["NextToken"])
    assert [each["ModelName"][-1] for each in rest["Models"]] == ["a"]
    assert "NextToken" not in rest
    config = hosting.config(f"{mark}-a")
    configs = hosting.sagemaker.list_endpoint_configs(NameContains=config, SortBy="Name", SortOrder="Ascending")
    assert [each["EndpointConfigName"] for each in configs["EndpointConfigs"]] == [config]


def test_an_endpoint_config_is_described_as_it_was_created(hosting: Hosting) -> None:
    config = hosting.config(hosting.model(), hosting.model(), count=2, weights=(1, 3))
    description = hosting.sagemaker.describe_endpoint_config(EndpointConfigName=config)
    assert description["EndpointConfigArn"] == f"{ARN}:endpoint-config/{config}"
    assert [
        (variant["VariantName"], variant["InitialInstanceCount"], variant["InitialVariantWeight"])
        for variant in description["ProductionVariants"]
    ] == [("A", 2, 1.0), ("B", 2, 3.0)]


def test_an_endpoint_config_names_what_is_missing_or_taken(hosting: Hosting) -> None:
    model, create = hosting.model(), hosting.sagemaker.create_endpoint_config
    variant = {"VariantName": "A", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    config = hosting.config(model)
    assert refusal(create, EndpointConfigName=config, ProductionVariants=[variant]) == (
        "ValidationException",
        f'Cannot create already existing endpoint configuration "{ARN}:endpoint-config/{config}".',
    )
    unknown = {**variant, "ModelName": "unknown"}
    assert refusal(create, EndpointConfigName=name(), ProductionVariants=[unknown]) == (
        "ValidationException",
        f'Could not find model "{ARN}:model/unknown".',
    )
    assert refusal(create, EndpointConfigName=name(), ProductionVariants=[variant, variant])[0] == "ValidationException"
    idle = {**variant, "InitialVariantWeight": 0.0}
    assert "greater than 0" in refusal(create, EndpointConfigName=name(), ProductionVariants=[idle])[1]
    none = {**variant, "InitialInstanceCount": 0}
    # boto3 would not even send it.
    unchecked = boto3.Session().client("sagemaker", config=Config(parameter_validation=False))
    refused = refusal(unchecked.create_endpoint_config, EndpointConfigName=name(), ProductionVariants=[none])
    assert refused[0] == "ValidationException"
    assert "Member must have value greater than or equal to 1" in refused[1]
    partial = {"VariantName": "A", "ModelName": model}
    message = refusal(create, EndpointConfigName=name(), ProductionVariants=[partial])[1]
    assert "InstanceType and InitialInstanceCount" in message
    hosting.sagemaker.delete_endpoint_config(EndpointConfigName=config)
    missing = ("ValidationException", f'Could not find endpoint configuration "{ARN}:endpoint-config/{config}".')
    assert refusal(hosting.sagemaker.describe_endpoint_config, EndpointConfigName=config) == missing
    assert refusal(hosting.sagemaker.delete_endpoint_config, EndpointConfigName=config) == missing


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 1}}, "ServerlessConfig"),
        ({"ManagedInstanceScaling": {"Status": "ENABLED"}}, "ManagedInstanceScaling"),
        ({"RoutingConfig": {"RoutingStrategy": "PREFIX_AWARE"}}, "PREFIX_AWARE"),
    ],
)
def test_what_no_variant_does_here_is_not_implemented_and_says_so(
    hosting: Hosting, more: dict[str, Any], word: str
) -> None:
    variant = {"VariantName": "A", "ModelName": hosting.model(), **more}
    create = hosting.sagemaker.create_endpoint_config
    code, message = refusal(create, EndpointConfigName=name(), ProductionVariants=[variant])
    assert (code, word in message) == ("NotImplemented", True)


def test_a_model_of_a_package_has_its_container_and_its_own_variables_over_the_packages(hosting: Hosting) -> None:
    uri = hosting.data({"a": "b"})
    container = {"Image": IMAGE, "ModelDataUrl": uri, "Environment": {"A": "1", "B": "1"}}
    package = hosting.sagemaker.create_model_package(
        ModelPackageName=name("Package"),
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": ["application/jsonlines"],
            "SupportedResponseMIMETypes": ["application/jsonlines"],
        },
    )["ModelPackageArn"]
    model = name("Model")
    asked = {"ModelPackageName": package, "Environment": {"B": "2"}}
    hosting.sagemaker.create_model(ModelName=model, ExecutionRoleArn=ROLE, PrimaryContainer=asked)
    found = hosting.sagemaker.describe_model(ModelName=model)["PrimaryContainer"]
    assert found == {**container, "ModelPackageName": package, "Environment": {"A": "1", "B": "2"}}


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"ModelPackageName": f"{ARN}:model-package/nothing/7"}, "does not exist"),
        ({"ModelPackageName": f"{ARN}:model-package/nothing/7", "Image": IMAGE}, "must not have Image as well"),
    ],
)
def test_a_model_of_a_package_that_cannot_be_is_refused(hosting: Hosting, container: Any, said: str) -> None:
    arguments = {"ModelName": name(), "ExecutionRoleArn": ROLE, "PrimaryContainer": container}
    code, message = refusal(hosting.sagemaker.create_model, **arguments)
    assert code == "ValidationException" and said in message
