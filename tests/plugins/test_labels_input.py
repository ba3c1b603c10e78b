"""The labels that people gave, as an input of the features job: there once somebody has labelled, and absent before."""

from __future__ import annotations

from typing import Any

import pytest
from operator_kit import BUCKET

from amazon_ml.naming import RunKey
from amazon_ml.operators.processing import ProcessingJobOperator
from include.settings import settings
from include.tasks import features, find_reviews

KEY = RunKey("train", "features", -1, "run")


def inputs(operator: ProcessingJobOperator, labels: str) -> dict[str, str]:
    """Name -> S3 URI of the request when the template of the labels has become this."""
    operator.inputs = {**operator.inputs, "labels": labels}
    request = operator.request(operator.job, KEY, "a-job", "s3://bucket/code/")
    found = {each["InputName"]: each["S3Input"]["S3Uri"] for each in request["ProcessingInputs"]}
    return {name: uri for name, uri in found.items() if name != "code"}


@pytest.mark.parametrize(("labels", "expected"), [("", {"reviews"}), (f"s3://{BUCKET}/labels/", {"reviews", "labels"})])
def test_the_features_job_has_the_labels_only_where_there_are_some(labels: str, expected: set[str]) -> None:
    assert inputs(features.features(), labels).keys() == expected


def test_an_input_that_is_not_optional_stays_in_the_request() -> None:
    operator = ProcessingJobOperator(
        task_id="strict", job=settings.processing_job("features"), inputs={"reviews": "s3://bucket/reviews/"}
    )
    assert inputs(operator, "").keys() == {"reviews", "labels"}


def test_find_reviews_tells_where_labels_are_once_there_are_some(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_reviews, "origin_of_table", lambda *_: {"synthetic": False})
    place = f"s3://{BUCKET}/found_labels/"
    assert find_reviews.reviews_and_labels("note", "table", place) == {"synthetic": False, "labels": ""}
    aws("s3").put_object(Bucket=BUCKET, Key="found_labels/one.parquet", Body=b"x")
    assert find_reviews.reviews_and_labels("note", "table", place)["labels"] == place
