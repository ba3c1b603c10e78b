"""Glue classifiers through boto3."""

from __future__ import annotations

import uuid
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def glue(localaws: Any) -> Any:
    return boto3.client("glue")


@pytest.fixture
def name() -> str:
    return f"classifier-{uuid.uuid4().hex[:8]}"


def test_csv_classifier_is_created_shown_updated_and_deleted(glue: Any, name: str) -> None:
    glue.create_classifier(CsvClassifier={"Name": name, "Delimiter": ",", "ContainsHeader": "PRESENT"})
    shown = glue.get_classifier(Name=name)["Classifier"]["CsvClassifier"]
    assert (shown["Delimiter"], shown["ContainsHeader"], shown["Version"]) == (",", "PRESENT", 1)
    glue.update_classifier(CsvClassifier={"Name": name, "Delimiter": "|"})
    shown = glue.get_classifier(Name=name)["Classifier"]["CsvClassifier"]
    assert (shown["Delimiter"], shown["ContainsHeader"], shown["Version"]) == ("|", "PRESENT", 2)
    assert shown["LastUpdated"] >= shown["CreationTime"]
    glue.delete_classifier(Name=name)
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.get_classifier(Name=name)


def test_json_classifier_is_listed_among_the_others(glue: Any, name: str) -> None:
    glue.create_classifier(JsonClassifier={"Name": name, "JsonPath": "$[*]"})
    pages = glue.get_paginator("get_classifiers").paginate(PaginationConfig={"PageSize": 1})
    listed = [entry.get("JsonClassifier", {}) for page in pages for entry in page["Classifiers"]]
    assert [entry["JsonPath"] for entry in listed if entry.get("Name") == name] == ["$[*]"]


def test_second_classifier_of_a_name_is_refused_whatever_its_kind(glue: Any, name: str) -> None:
    glue.create_classifier(JsonClassifier={"Name": name, "JsonPath": "$"})
    with pytest.raises(glue.exceptions.AlreadyExistsException):
        glue.create_classifier(CsvClassifier={"Name": name})
    with pytest.raises(glue.exceptions.InvalidInputException):
        glue.update_classifier(CsvClassifier={"Name": name})


@pytest.mark.parametrize("method", ["get_classifier", "delete_classifier"])
def test_unknown_classifier_is_an_entity_not_found(glue: Any, method: str) -> None:
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        getattr(glue, method)(Name="nobody")


def test_unknown_classifier_is_not_updated(glue: Any) -> None:
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.update_classifier(CsvClassifier={"Name": "nobody"})


@pytest.mark.parametrize(
    "request_",
    [
        {"GrokClassifier": {"Name": "g", "Classification": "log", "GrokPattern": "%{WORD:w}"}},
        {"XMLClassifier": {"Name": "x", "Classification": "xml", "RowTag": "row"}},
        {"CsvClassifier": {"Name": "c", "CustomDatatypeConfigured": True, "CustomDatatypes": ["DATE"]}},
    ],
)
def test_what_is_not_done_is_refused_by_name(glue: Any, request_: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as error:
        glue.create_classifier(**request_)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"CsvClassifier": {"Name": "c"}, "JsonClassifier": {"Name": "c", "JsonPath": "$"}},
        {"CsvClassifier": {"Name": "c", "Delimiter": ",", "QuoteSymbol": ","}},
        {"JsonClassifier": {"Name": "c", "JsonPath": "no path"}},
    ],
)
def test_invalid_input_is_refused(glue: Any, request_: dict[str, Any]) -> None:
    with pytest.raises(glue.exceptions.InvalidInputException):
        glue.create_classifier(**request_)
