"""What a newcomer is told of a run that fails: an ingest of reviews that do not exist."""

from __future__ import annotations

import pytest
from runs_kit import Started, ended

from stack.airflow_api import AirflowApi
from stack.demo import RunFailed
from stack.layout import Stack

pytestmark = pytest.mark.e2e


def test_a_source_that_does_not_exist_fails_with_its_name(api: AirflowApi, started: Started) -> None:
    states = ended(api, "ingest_reviews", "no_source")
    assert states["run"] == "failed"
    task = next(t for t in api.tasks("ingest_reviews", "no_source") if t["task_id"] == "upload_raw")
    assert "/no/such/reviews.csv" in api.log("ingest_reviews", "no_source", task)
    assert task["try_number"] == 1, "a source that is not there was looked for again"


def test_a_failed_task_is_named_with_its_log(stack: Stack, api: AirflowApi, started: Started) -> None:
    from stack.demo import _failure

    ended(api, "ingest_reviews", "no_source")
    tasks = api.tasks("ingest_reviews", "no_source")
    text = str(RunFailed(_failure(api, "ingest_reviews", "no_source", tasks)))
    assert "ingest_reviews.upload_raw failed" in text
    assert "/no/such/reviews.csv" in text
    assert stack.airflow_url in text
    assert text.splitlines()[-1] == "the source /no/such/reviews.csv does not exist"
