"""Our codecs against botocore's own, over every operation of the services that localaws owns."""

from __future__ import annotations

import base64
import io
from typing import Any

import botocore.parsers
import pytest
from botocore.awsrequest import HeadersDict
from botocore.model import OperationModel, Shape, StructureShape
from wire_kit import Generator, as_sent, simple_headers

from localaws.core.operations import service_model
from localaws.gateway import router
from localaws.gateway.protocol import validate
from localaws.gateway.protocol.http import HttpResponse
from localaws.gateway.protocol.parse import parse
from localaws.gateway.protocol.serialize import serialize

SERVICES = [
    "sagemaker",
    "athena",
    "glue",
    "sagemaker-runtime",
    "sagemaker-featurestore-runtime",
    "sagemaker-a2i-runtime",
    "sagemaker-metrics",
]


def operations(service: str) -> list[OperationModel]:
    model = service_model(service)
    return [model.operation_model(name) for name in model.operation_names]


@pytest.mark.parametrize("service", SERVICES)
def test_every_request_that_botocore_sends_is_read_as_it_was_meant(service: str) -> None:
    generator = Generator(7)
    for operation in operations(service):
        if operation.input_shape is None:
            continue
        sent = simple_headers(operation.input_shape, generator.value(operation.input_shape))
        request = as_sent(operation, sent)
        route = router.route(request, service_model(service).signing_name)
        assert (route.service, route.operation) == (service, operation.name)
        assert parse(operation, request, route.uri) == sent, operation.name


@pytest.mark.parametrize("service", SERVICES)
def test_every_answer_is_read_by_botocore_as_it_was_meant(service: str) -> None:
    generator = Generator(11)
    parser = botocore.parsers.ResponseParserFactory()
    for operation in operations(service):
        shape = operation.output_shape
        if shape is None or operation.has_event_stream_output:
            continue
        meant = simple_headers(shape, generator.value(shape))
        response = serialize(operation, {**meant, "_private": 1, "Unknown": 2}, "id-1")
        answer = parser.create_parser(service_model(service).resolved_protocol).parse(_read(response, operation), shape)
        assert answer.pop("ResponseMetadata")["RequestId"] == "id-1"
        if "ContentType" not in meant:
            answer.pop("ContentType", None)  # HTTP's own header, which an answer with a body always has
        assert _without_status(_plain_stream(answer), shape) == _without_status(meant, shape), operation.name


def _read(response: HttpResponse, operation: OperationModel) -> dict[str, Any]:
    assert isinstance(response.body, bytes)
    headers = HeadersDict(response.headers)
    return {
        "status_code": response.status,
        "headers": headers,
        "body": io.BytesIO(response.body) if operation.has_streaming_output else response.body,
    }


def _plain_stream(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value.read() if hasattr(value, "read") else value for key, value in answer.items()}


def _without_status(answer: dict[str, Any], shape: Shape) -> dict[str, Any]:
    assert isinstance(shape, StructureShape)
    return {
        key: value for key, value in answer.items() if shape.members[key].serialization.get("location") != "statusCode"
    }


@pytest.mark.parametrize("service", SERVICES)
def test_every_constraint_of_the_models_can_be_checked(service: str) -> None:
    generator = Generator(13)
    for operation in operations(service):
        if operation.input_shape is not None:
            value = generator.value(operation.input_shape)
            assert list(validate._structure(operation.input_shape, value, "")) is not None
    model = service_model(service)
    for name in model.shape_names:
        pattern = model.shape_for(name).metadata.get("pattern")
        if pattern:
            validate._matches(pattern, base64.b64encode(name.encode()).decode())
