"""Reading requests: what is malformed is refused with AWS's error, what is unknown is dropped."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from localaws.core.operations import operation_model
from localaws.gateway.protocol.http import Headers, HttpRequest
from localaws.gateway.protocol.parse import SerializationException, parse


def request(
    body: Any = b"", query: str = "", headers: dict[str, str] | None = None, path: str = "/", method: str = "POST"
) -> HttpRequest:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpRequest(method, path, query, Headers(list((headers or {}).items())), data)


def read(service: str, operation: str, body: Any, **others: Any) -> dict[str, Any]:
    return parse(operation_model(service, operation), request(body, **others))


def test_null_members_and_unknown_members_are_absent() -> None:
    assert read("sagemaker", "DescribeTrainingJob", {"TrainingJobName": None, "Other": 1}) == {}


def test_an_empty_body_is_an_empty_request() -> None:
    assert read("sagemaker", "ListTrainingJobs", b"") == {}


def test_timestamps_are_aware_datetimes_in_all_of_awss_formats() -> None:
    expected = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    for text in (1795514400, 1795514400.0, "2026-11-24T10:00:00Z", "2026-11-24T10:00:00.000Z"):
        found = read("sagemaker", "ListTrainingJobs", {"CreationTimeAfter": text})["CreationTimeAfter"]
        assert found == expected
        assert found.tzinfo is not None


def test_a_list_keeps_null_items_for_the_validation_to_name() -> None:
    assert read("sagemaker", "AddTags", {"Tags": [None]}) == {"Tags": [None]}


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"text"', b"\xff\xfe", b"null", b'{"MaxResults": NaN}', b"[" * 100_000], ids=repr
)
def test_what_is_not_a_json_object_is_a_serialization_exception(body: bytes) -> None:
    with pytest.raises(SerializationException):
        read("sagemaker", "ListTrainingJobs", body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"NameContains": 1}, "NUMBER_VALUE can not be converted to a String"),
        ({"NameContains": {}}, "START_OBJECT can not be converted to a String"),
        ({"MaxResults": "ten"}, "STRING_VALUE can not be converted to an Integer"),
        ({"MaxResults": 1.5}, "NUMBER_VALUE can not be converted to an Integer"),
        ({"MaxResults": True}, "TRUE_VALUE can not be converted to an Integer"),
        ({"CreationTimeAfter": []}, "START_ARRAY can not be converted to a Timestamp"),
        ({"CreationTimeAfter": "yesterday-ish"}, "'yesterday-ish' can not be converted to a Timestamp"),
    ],
)
def test_a_value_of_another_type_is_named_by_its_token(body: dict[str, Any], message: str) -> None:
    with pytest.raises(SerializationException, match=f"^{message}$"):
        read("sagemaker", "ListTrainingJobs", body)


@pytest.mark.parametrize("text", ["9" * 5000, "1\0", "\u0662\u0660\u0662\u0666"], ids=ascii)
def test_texts_that_are_no_time_are_refused(text: str) -> None:
    with pytest.raises(SerializationException, match="can not be converted to a Timestamp"):
        read("sagemaker", "ListTrainingJobs", {"CreationTimeAfter": text})


def test_a_wrong_structure_list_or_map_is_refused() -> None:
    bodies: list[dict[str, Any]] = [{"Tags": {}}, {"Tags": ["x"]}]
    for body in bodies:
        with pytest.raises(SerializationException):
            read("sagemaker", "AddTags", body)
    with pytest.raises(SerializationException):
        read("sagemaker", "CreateTrainingJob", {"Environment": []})


def test_invoke_endpoint_takes_path_headers_and_the_body_as_bytes() -> None:
    operation = operation_model("sagemaker-runtime", "InvokeEndpoint")
    headers = {"Content-Type": "text/csv", "Accept": "application/json", "X-Amzn-SageMaker-Target-Variant": "a"}
    found = parse(operation, request(b"\x00\xff", headers=headers), {"EndpointName": "e"})
    assert found == {
        "EndpointName": "e",
        "Body": b"\x00\xff",
        "ContentType": "text/csv",
        "Accept": "application/json",
        "TargetVariant": "a",
    }


def test_query_members_are_typed_and_repeated_names_make_a_list() -> None:
    operation = operation_model("sagemaker-featurestore-runtime", "GetRecord")
    found = parse(operation, request(query="RecordIdentifierValueAsString=7&FeatureName=a&FeatureName=b%20c"), {})
    assert found == {"RecordIdentifierValueAsString": "7", "FeatureNames": ["a", "b c"]}
