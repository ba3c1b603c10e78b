"""Answers and errors as boto3 reads them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from localaws.core.errors import AwsError, EntityNotFoundException, InvalidRequestException, ValidationException
from localaws.core.operations import operation_model
from localaws.gateway.protocol.http import HttpResponse
from localaws.gateway.protocol.serialize import serialize, serialize_error


def headers(response: HttpResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers}


def content(response: HttpResponse) -> Any:
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


def test_absent_none_and_private_members_are_left_out() -> None:
    operation = operation_model("sagemaker", "DescribeTrainingJob")
    response = serialize(operation, {"TrainingJobName": "a", "FailureReason": None, "_pid": 4, "Nonsense": 1}, "r")
    assert content(response) == {"TrainingJobName": "a"}
    assert headers(response) == {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "r"}


def test_times_are_seconds_whatever_their_zone() -> None:
    operation = operation_model("sagemaker", "DescribeTrainingJob")
    utc = datetime(2026, 11, 24, 10, 0, 0, 250_000, tzinfo=UTC)
    for moment in (utc, utc.astimezone(timezone(timedelta(hours=5))), utc.replace(tzinfo=None)):
        assert content(serialize(operation, {"CreationTime": moment}, "r")) == {"CreationTime": 1795514400.25}


def test_numbers_that_are_not_numbers_are_written_as_aws_does() -> None:
    operation = operation_model("sagemaker", "DescribeTrainingJob")
    metrics = [{"MetricName": "loss", "Value": value} for value in (float("nan"), float("inf"), float("-inf"))]
    body = content(serialize(operation, {"FinalMetricDataList": metrics}, "r"))
    assert [metric["Value"] for metric in body["FinalMetricDataList"]] == ["NaN", "Infinity", "-Infinity"]


def test_an_answer_that_does_not_fit_the_model_is_a_fault() -> None:
    with pytest.raises(TypeError):
        serialize(operation_model("sagemaker", "DescribeTrainingJob"), {"ModelArtifacts": "s3://x"}, "r")


def test_an_operation_without_output_answers_an_empty_object() -> None:
    assert serialize(operation_model("sagemaker", "StopTrainingJob"), {}, "r").body == b"{}"


def test_an_unmodelled_error_has_type_and_message() -> None:
    response = serialize_error(
        operation_model("sagemaker", "DescribeTrainingJob"), ValidationException("Requested resource not found."), "r"
    )
    assert response.status == 400
    assert content(response) == {"__type": "ValidationException", "message": "Requested resource not found."}
    assert headers(response)["x-amzn-errortype"] == "ValidationException"


def test_a_modelled_error_carries_its_members_by_their_names() -> None:
    error = InvalidRequestException("no", AthenaErrorCode="INVALID_QUERY", Private="x")
    body = content(serialize_error(operation_model("athena", "StartQueryExecution"), error, "r"))
    assert body == {"__type": "InvalidRequestException", "Message": "no", "AthenaErrorCode": "INVALID_QUERY"}


def test_glue_errors_name_their_message_as_the_model_does() -> None:
    body = content(serialize_error(operation_model("glue", "GetCrawler"), EntityNotFoundException("no"), "r"))
    assert body == {"__type": "EntityNotFoundException", "Message": "no"}


def test_a_model_error_of_an_endpoint_keeps_its_own_status() -> None:
    error = AwsError("broken", code="ModelError", status=424, OriginalStatusCode=500, OriginalMessage="boom")
    response = serialize_error(operation_model("sagemaker-runtime", "InvokeEndpoint"), error, "r")
    assert response.status == 424
    assert content(response)["OriginalStatusCode"] == 500
    assert headers(response)["content-type"] == "application/json"


def test_invoke_endpoint_answers_the_body_as_it_is_with_its_type() -> None:
    operation = operation_model("sagemaker-runtime", "InvokeEndpoint")
    response = serialize(
        operation, {"Body": b"\x00\x01", "ContentType": "x/y", "InvokedProductionVariant": "main"}, "r"
    )
    assert response.body == b"\x00\x01"
    assert headers(response)["content-type"] == "x/y"
    assert headers(response)["x-amzn-invoked-production-variant"] == "main"
