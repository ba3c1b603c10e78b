"""Data capture and shadow variants: what an endpoint is asked in S3, and copies to a model that nobody waits for."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from endpoint_kit import Hosting, name
from localaws_kit import LocalAws
from waiting_kit import until

SLOW = """
import json, time

def model_fn(model_dir):
    return None

def predict_fn(data, model):
    time.sleep(1)
    raise ValueError("a shadow may be as bad as it likes")
"""


@pytest.fixture(scope="module")
def hosting(localaws: LocalAws) -> Hosting:
    return Hosting()


def configured(hosting: Hosting, model: str, **config: Any) -> str:
    """An endpoint config of one variant, and what else is given."""
    found = name("config")
    hosting.sagemaker.create_endpoint_config(
        EndpointConfigName=found, ProductionVariants=[variant("A", model)], **config
    )
    return found


def variant(called: str, model: str, weight: float = 1.0) -> dict[str, Any]:
    return {
        "VariantName": called,
        "ModelName": model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": weight,
    }


def capture(
    hosting: Hosting, percent: int = 100, modes: tuple[str, ...] = ("Input", "Output"), **more: Any
) -> dict[str, Any]:
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": percent,
        "DestinationS3Uri": f"s3://{hosting.bucket}/captured",
        "CaptureOptions": [{"CaptureMode": mode} for mode in modes],
        **more,
    }


def served(hosting: Hosting, config: str) -> str:
    endpoint = hosting.create(config)
    description = hosting.settled(endpoint)
    assert description["EndpointStatus"] == "InService", description.get("FailureReason")
    return endpoint


def captured(hosting: Hosting, endpoint: str) -> list[tuple[str, dict[str, Any]]]:
    """The lines of an endpoint, with the keys of their files."""
    found = hosting.s3.list_objects_v2(Bucket=hosting.bucket, Prefix=f"captured/{endpoint}/").get("Contents", [])
    lines = []
    for each in found:
        body = hosting.s3.get_object(Bucket=hosting.bucket, Key=each["Key"])["Body"].read().decode()
        lines += [(each["Key"], json.loads(line)) for line in body.splitlines()]
    return lines


def test_what_is_asked_and_answered_is_in_s3(hosting: Hosting) -> None:
    config = capture(hosting, CaptureContentTypeHeader={"JsonContentTypes": ["application/json"]})
    endpoint = served(hosting, configured(hosting, hosting.model(3), DataCaptureConfig=config))
    hosting.invoke(endpoint, 2, InferenceId="one", CustomAttributes="trace=1")
    ((key, line),) = until(lambda: captured(hosting, endpoint), bool)

    now = time.gmtime()
    assert re.fullmatch(
        rf"captured/{endpoint}/A/{now.tm_year}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{{3}}-[0-9a-f-]{{36}}\.jsonl", key
    )
    data = line["captureData"]
    assert data["endpointInput"] == {
        "observedContentType": "application/json",
        "mode": "INPUT",
        "data": "2",
        "encoding": "JSON",
    }
    assert json.loads(data["endpointOutput"]["data"])["product"] == 6
    assert (data["endpointOutput"]["mode"], data["endpointOutput"]["encoding"]) == ("OUTPUT", "JSON")
    assert (line["eventVersion"], line["eventMetadata"]["inferenceId"]) == ("0", "one")
    assert line["eventMetadata"]["customAttributes"] == ["trace=1"]
    description = hosting.sagemaker.describe_endpoint(EndpointName=endpoint)["DataCaptureConfig"]
    assert description == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{hosting.bucket}/captured",
        "KmsKeyId": "",
    }

    # An update keeps it where the variants' properties are retained, and drops it else.
    plain = configured(hosting, hosting.model(4))
    hosting.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=plain, RetainAllVariantProperties=True)
    assert "DataCaptureConfig" in hosting.settled(endpoint)
    other = configured(hosting, hosting.model(5))
    hosting.sagemaker.update_endpoint(
        EndpointName=endpoint,
        EndpointConfigName=other,
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DataCaptureConfig"}],
    )
    assert "DataCaptureConfig" not in hosting.settled(endpoint)


def test_only_the_mode_and_share_that_are_wanted_are_captured_as_base64_unless_listed(hosting: Hosting) -> None:
    config = capture(hosting, 50, ("Input",))
    endpoint = served(hosting, configured(hosting, hosting.model(3), DataCaptureConfig=config))
    for _ in range(60):
        hosting.invoke(endpoint, 2)
    time.sleep(2.5)
    lines = until(lambda: captured(hosting, endpoint), bool)
    # 60 draws at a half, within five standard deviations.
    assert 10 <= len(lines) <= 50
    data = lines[0][1]["captureData"]
    assert data == {
        "endpointInput": {
            "observedContentType": "application/json",
            "mode": "INPUT",
            "data": "Mg==",
            "encoding": "BASE64",
        }
    }


def test_a_shadow_gets_copies_and_never_answers(hosting: Hosting) -> None:
    shadow = variant("S", hosting.model(code=SLOW), 0.5)
    config = configured(
        hosting, hosting.model(2), ShadowProductionVariants=[shadow], DataCaptureConfig=capture(hosting)
    )
    endpoint = served(hosting, config)
    began = time.monotonic()
    assert {hosting.invoke(endpoint, 1)["product"] for _ in range(20)} == {2}
    assert time.monotonic() - began < 10, "nobody waits for the shadow's second"
    with pytest.raises(ClientError, match="Variant S not found"):
        hosting.invoke(endpoint, 1, TargetVariant="S")
    (told,) = hosting.sagemaker.describe_endpoint(EndpointName=endpoint)["ShadowProductionVariants"]
    assert (told["VariantName"], told["CurrentWeight"]) == ("S", 0.5)
    variants = until(
        lambda: {key.split("/")[2] for key, _ in captured(hosting, endpoint)}, lambda found: found == {"A", "S"}
    )
    assert variants == {"A", "S"}
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "S"}]
    until(
        lambda: hosting.cloudwatch.list_metrics(Namespace="AWS/SageMaker", Dimensions=dimensions)["Metrics"], bool, 20
    )
    hosting.sagemaker.delete_endpoint(EndpointName=endpoint)
    hosting.gone(endpoint)


def test_a_shadow_goes_with_one_production_variant_only(hosting: Hosting) -> None:
    model = hosting.model()
    with pytest.raises(ClientError, match="One shadow variant may be given"):
        hosting.sagemaker.create_endpoint_config(
            EndpointConfigName=name("config"),
            ProductionVariants=[variant("A", model), variant("B", model)],
            ShadowProductionVariants=[variant("S", model)],
        )
    with pytest.raises(ClientError, match="must be unique"):
        configured(hosting, model, ShadowProductionVariants=[variant("A", model)])
