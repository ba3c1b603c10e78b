"""Constraints in AWS's own words."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.core.errors import ValidationException
from localaws.core.operations import operation_model
from localaws.gateway.protocol.validate import validate

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model/x"
NAME_PATTERN = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"


def refusal(service: str, operation: str, request: dict[str, Any]) -> str:
    with pytest.raises(ValidationException) as caught:
        validate(operation_model(service, operation), request)
    return caught.value.message


def test_a_name_with_a_path_in_it_breaks_the_pattern() -> None:
    assert refusal("sagemaker", "StopTrainingJob", {"TrainingJobName": "../x"}) == (
        "1 validation error detected: Value '../x' at 'trainingJobName' failed to satisfy constraint: "
        f"Member must satisfy regular expression pattern: {NAME_PATTERN}"
    )


def test_the_pattern_is_for_the_whole_text() -> None:
    assert "pattern" in refusal("sagemaker", "StopTrainingJob", {"TrainingJobName": "good\n"})


def test_a_missing_member_must_not_be_null() -> None:
    assert refusal("sagemaker", "StopTrainingJob", {}) == (
        "1 validation error detected: Value null at 'trainingJobName' failed to satisfy constraint: "
        "Member must not be null"
    )


def test_several_failures_are_counted_and_joined() -> None:
    text = refusal("sagemaker", "ListTrainingJobs", {"MaxResults": 1000, "SortOrder": "Sideways"})
    assert text.startswith("2 validation errors detected: ")
    assert (
        "Value '1000' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100; "
    ) in text
    assert text.endswith(
        "Value 'Sideways' at 'sortOrder' failed to satisfy constraint: "
        "Member must satisfy enum value set: [Ascending, Descending]"
    )


def test_a_too_long_text_names_the_limit_and_is_cut() -> None:
    text = refusal("sagemaker", "StopTrainingJob", {"TrainingJobName": "x" * 1_000_000})
    assert "Member must have length less than or equal to 63" in text
    assert len(text) < 4000


def test_a_number_below_its_least_names_the_limit() -> None:
    assert refusal("sagemaker", "ListTrainingJobs", {"MaxResults": 0}).endswith(
        "Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1"
    )


def test_a_place_in_a_list_of_structures_is_named_by_number() -> None:
    text = refusal("sagemaker", "AddTags", {"ResourceArn": ARN, "Tags": [{"Key": "a"}]})
    assert "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null" in text


def test_a_null_in_a_list_is_named() -> None:
    text = refusal("sagemaker", "AddTags", {"ResourceArn": ARN, "Tags": [None]})
    assert "Value null at 'tags.1.member'" in text


def test_a_list_of_scalars_shows_all_constraints_of_its_members() -> None:
    text = refusal("sagemaker", "DeleteTags", {"ResourceArn": ARN, "TagKeys": ["x" * 200]})
    assert "at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [" in text
    assert "Member must have length less than or equal to 128" in text


def test_a_map_shows_the_constraints_of_its_values() -> None:
    request = {"Environment": {"A": "x" * 600}}
    text = refusal("sagemaker", "CreateTrainingJob", request)
    assert "at 'environment' failed to satisfy constraint: Map value must satisfy constraint: [" in text


def test_java_patterns_with_unicode_classes_are_understood() -> None:
    tag = {"Key": "Grüße 日本", "Value": "x"}
    validate(operation_model("sagemaker", "AddTags"), {"ResourceArn": ARN, "Tags": [tag]})
    assert "pattern" in refusal("sagemaker", "AddTags", {"ResourceArn": ARN, "Tags": [{"Key": "a|b", "Value": "x"}]})


def test_a_good_request_passes() -> None:
    validate(operation_model("sagemaker", "StopTrainingJob"), {"TrainingJobName": "a-b-1"})
