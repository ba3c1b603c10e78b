"""What the campaign of kills looks for: that it finds a second job, a lost object, a process left over."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amazon_ml.naming import job_name
from benchmarks.chaos import checks
from benchmarks.chaos.kills import first_name
from stack import processes
from stack.layout import Stack

KEY = ("ingest_reviews", "run", "transform")
FIRST, SECOND = (job_name(*KEY[::2], -1, KEY[1], attempt) for attempt in (1, 2))
ARN = "arn:aws:sagemaker:us-east-1:123456789012:processing-job/"


class FakeAws:
    """The jobs and objects that AWS lists."""

    def __init__(self) -> None:
        self.jobs: dict[str, str] = {}
        self.objects: dict[str, str] = {}

    def list_processing_jobs(self, **_: Any) -> dict[str, Any]:
        jobs = self.jobs.items()
        return {"ProcessingJobSummaries": [{"ProcessingJobName": name, "ProcessingJobStatus": of} for name, of in jobs]}

    def list_buckets(self) -> dict[str, Any]:
        return {"Buckets": [{"Name": "b"}]}

    def get_paginator(self, _: str) -> FakeAws:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key, "ETag": tag} for key, tag in self.objects.items()]}]


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(home=tmp_path)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    made = FakeAws()
    monkeypatch.setattr(checks, "client", lambda *_: made)
    return made


@pytest.fixture
def second_jobs(aws: FakeAws, stack: Stack) -> Callable[..., list[str]]:
    """What is found where these jobs are there, of which the task reported this one."""

    def find(jobs: dict[str, str], reported: str, killed: set[str]) -> list[str]:
        aws.jobs = jobs
        return checks.second_jobs(stack, {KEY: {"name": reported, "arn": f"{ARN}{reported}"}}, killed)

    return find


def test_one_completed_job_is_right(second_jobs: Any) -> None:
    assert second_jobs({FIRST: "Completed"}, FIRST, set()) == []


def test_an_attempt_after_a_killed_one_is_no_second_job(second_jobs: Any) -> None:
    assert second_jobs({FIRST: "Failed", SECOND: "Completed"}, SECOND, {FIRST}) == []


@pytest.mark.parametrize(
    ("jobs", "reported", "killed"),
    [
        ({FIRST: "Completed", SECOND: "Completed"}, SECOND, set()),
        ({FIRST: "Completed", SECOND: "Completed"}, SECOND, {FIRST}),
        ({FIRST: "Failed", SECOND: "Completed"}, SECOND, set()),
        ({FIRST: "Completed", SECOND: "InProgress"}, FIRST, set()),
        ({FIRST: "Stopped", SECOND: "Completed"}, SECOND, {FIRST}),
        ({}, FIRST, set()),
    ],
)
def test_a_second_or_unexplained_job_is_found(
    second_jobs: Any, jobs: dict[str, str], reported: str, killed: set[str]
) -> None:
    (found,) = second_jobs(jobs, reported, killed)
    assert reported in found


def test_objects_that_went_or_changed_or_were_never_there_are_found(aws: FakeAws, stack: Stack) -> None:
    ledger = checks.Ledger(stack)
    aws.objects = {"jobs/d/one/out": "1", "jobs/d/two/out": "2", "data/raw/reviews.csv": "3"}
    assert ledger.missing(["s3://b/jobs/d/one/", "s3://b/data/raw/reviews.csv"]) == []
    # What every run rewrites may change.
    aws.objects = {"jobs/d/two/out": "other", "data/raw/reviews.csv": "4"}
    assert ledger.missing(["s3://b/jobs/d/three/"]) == [
        "s3://b/jobs/d/one/out is gone, was 1",
        "s3://b/jobs/d/two/out is other, was 2",
        "s3://b/jobs/d/three/ was reported, and is not there",
    ]


def test_a_process_that_no_part_accounts_for_is_found(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "ORPHAN_S", 0.5)
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    orphan = subprocess.Popen(sleep, env={"STACK_MARK": str(stack.home)})
    try:
        (found,) = checks.orphans(stack)
        assert found.startswith(f"left over: {orphan.pid} ")
        processes.start(stack, "localaws", sleep, {"STACK_MARK": str(stack.home)})
        (found,) = checks.orphans(stack)
        assert found.startswith(f"left over: {orphan.pid} ")
    finally:
        orphan.kill()
        orphan.wait()
        processes.sweep(stack)
    assert checks.orphans(stack) == []


def test_all_attempts_of_a_job_are_one_to_the_killer() -> None:
    assert first_name(FIRST) == first_name(SECOND) == FIRST
