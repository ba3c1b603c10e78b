"""EndpointOperator with several variants, against localaws."""

from __future__ import annotations

from typing import Any

import pytest
from operator_kit import BUCKET, Airflow, FakeTask
from variants_kit import NAME, WORDS, variants, weights

from amazon_ml.operators.endpoint import EndpointOperator


def test_an_endpoint_has_the_variants_and_a_second_run_finds_it(
    aws: Any, airflow: Airflow, ti: FakeTask, both: list[dict[str, Any]]
) -> None:
    description = aws("sagemaker").describe_endpoint(EndpointName=NAME)
    assert {each["VariantName"] for each in description["ProductionVariants"]} == set(WORDS)
    task = FakeTask(task_id="deploy", run_id="two-variants", try_number=9)
    again = airflow.run(lambda: EndpointOperator(task_id="deploy", endpoint_name=NAME, variants=both), task)
    assert again["config"] == description["EndpointConfigName"]
    assert [each["weight"] for each in again["variants"]] == [0.5, 0.5]


def test_a_model_and_variants_are_refused_together() -> None:
    with pytest.raises(ValueError, match="a model_name, or variants, and not both"):
        EndpointOperator(task_id="x", endpoint_name="x", model_name="m", variants=[{"name": "a"}])
    with pytest.raises(ValueError, match="a model_name, or variants, and not both"):
        EndpointOperator(task_id="x", endpoint_name="x")


GUARDED = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
        "TerminationWaitInSeconds": 0,
        "MaximumExecutionTimeoutInSeconds": 600,
    }
}


def test_an_update_takes_guardrails_and_keeps_what_scaling_has_made(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    given, name = variants(aws, airflow)[:1], "guarded"
    airflow.run(lambda: EndpointOperator(task_id="d", endpoint_name=name, variants=given), ti)
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{BUCKET}/captured/",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    airflow.run(weights({"champion": 0.25}, name), ti.next_try())
    two = [{**given[0], "instances": 2}]

    def update() -> EndpointOperator:
        return EndpointOperator(
            task_id="d",
            endpoint_name=name,
            variants=two,
            deployment=GUARDED,
            data_capture=capture,
            retain_variant_properties=True,
        )

    found = airflow.run(update, ti)
    assert found["status"] == "InService"
    described = aws("sagemaker").describe_endpoint(EndpointName=name)
    assert described["LastDeploymentConfig"]["BlueGreenUpdatePolicy"] == GUARDED["BlueGreenUpdatePolicy"]
    (variant,) = described["ProductionVariants"]
    assert (variant["CurrentInstanceCount"], variant["CurrentWeight"]) == (1, 0.25)
    config = aws("sagemaker").describe_endpoint_config(EndpointConfigName=found["config"])
    assert config["DataCaptureConfig"]["DestinationS3Uri"] == capture["DestinationS3Uri"]
