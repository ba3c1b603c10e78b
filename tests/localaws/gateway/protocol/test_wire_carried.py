"""The query and the rest-xml protocol, in which clients speak to what moto carries, against botocore's own writers."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.model import StructureShape
from wire_kit import Generator, as_sent, simple_headers

from localaws.core.operations import operation_model, service_model
from localaws.gateway import router
from localaws.gateway.protocol import query, xml
from localaws.gateway.protocol.http import Headers, HttpRequest
from localaws.gateway.protocol.parse import SerializationException, parse
from localaws.moto_bridge.carried import CARRIED


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_every_form_that_botocore_sends_is_read_as_it_was_meant(service: str) -> None:
    generator = Generator(7)
    for name in service_model(service).operation_names:
        operation = operation_model(service, name)
        if operation.input_shape is None:
            continue
        sent = generator.value(operation.input_shape)
        assert _filled(query.parse(operation, as_sent(operation, sent))) == _filled(sent), name


def _filled(value: Any) -> Any:
    """Without empty structures, which a form has no way to speak of."""
    if isinstance(value, dict):
        filled = {key: _filled(item) for key, item in value.items()}
        return {key: item for key, item in filled.items() if item not in ({}, [])}
    return [_filled(item) for item in value if item != {}] if isinstance(value, list) else value


def test_every_s3_request_that_botocore_sends_is_read_as_it_was_meant() -> None:
    generator = Generator(11)
    for name in sorted(CARRIED["s3"]):
        operation = operation_model("s3", name)
        if operation.input_shape is None:
            continue
        sent = simple_headers(operation.input_shape, generator.value(operation.input_shape))
        request = as_sent(operation, sent)
        route = router.route(request, "s3")
        assert _typed(parse(operation, request, route.uri)) == _typed(sent), name


def _typed(value: dict[str, Any]) -> dict[str, Any]:
    """Without what HTTP itself says (lengths), and metadata, whose names HTTP does not keep."""
    return {key: item for key, item in value.items() if key not in ("ContentLength", "ContentMD5", "Metadata")}


def form(text: str) -> HttpRequest:
    return HttpRequest("POST", "/", "", Headers([]), text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "MaxItems=many",
        "MaxItems=99999999999",
        "MaxItems.a=1",
        "Tags=text",
        "Tags.member.x.Key=a",
        "Tags.member.1=a",
        "%ff=1",
        "a" + ".a" * 500 + "=1",
    ],
)
def test_a_form_of_other_types_than_the_models_is_malformed(text: str) -> None:
    operation = operation_model("iam", "CreateUser" if text.startswith("Tags") else "ListUsers")
    with pytest.raises(query.MalformedInput):
        query.parse(operation, form(text))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"text",
        b"<Delete>",
        b"<Other/>",
        b"<Delete><Object><Key>a</Key></Object><Quiet>perhaps</Quiet></Delete>",
        b"<Delete><Object>a</Object></Delete>",
        b"<Delete><Quiet>true</Quiet><Quiet>true</Quiet></Delete>",
        b'<!DOCTYPE Delete [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>',
        b"<Delete>" * 5000 + b"</Delete>" * 5000,
    ],
)
def test_a_document_that_is_none_of_the_operations_is_malformed(body: bytes) -> None:
    shape = operation_model("s3", "DeleteObjects").input_shape
    assert isinstance(shape, StructureShape)
    with pytest.raises(xml.MalformedXML):
        xml.parse(shape.members["Delete"], "Delete", body)


def test_blanks_and_line_breaks_of_a_key_survive() -> None:
    shape = operation_model("s3", "DeleteObjects").input_shape
    assert isinstance(shape, StructureShape)
    found = xml.parse(shape.members["Delete"], "Delete", b"<Delete><Object><Key> a&#13;&#10; </Key></Object></Delete>")
    assert found == {"Objects": [{"Key": " a\r\n "}]}


@pytest.mark.parametrize(
    "body",
    [
        b'{"TrainingJobName": "\\ud800"}',
        b'{"TrainingJobName": "a", "x": 1e999}',
        b'{"TrainingJobName": "a", "x": NaN}',
        b'{"TrainingJobName": "\xff"}',
        '{"TrainingJobName": "a"}'.encode("utf-16"),
        b'{"TrainingJobName": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"x": ' * 50_000,
    ],
)
def test_json_that_nobody_could_write_down_again_is_refused(body: bytes) -> None:
    with pytest.raises(SerializationException):
        parse(operation_model("sagemaker", "DescribeTrainingJob"), HttpRequest("POST", "/", "", Headers([]), body))


@pytest.mark.parametrize("value", ["1e18", "-1e18", "1e308", '"never"', "true", "[]"])
def test_a_time_beyond_all_years_is_refused(value: str) -> None:
    body = b'{"CreationTimeAfter": ' + value.encode() + b"}"
    with pytest.raises(SerializationException):
        parse(operation_model("sagemaker", "ListTrainingJobs"), HttpRequest("POST", "/", "", Headers([]), body))


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**70])
def test_a_whole_number_beyond_its_type_is_refused(value: int) -> None:
    body = b'{"MaxResults": %d}' % value
    with pytest.raises(SerializationException):
        parse(operation_model("sagemaker", "ListTrainingJobs"), HttpRequest("POST", "/", "", Headers([]), body))
