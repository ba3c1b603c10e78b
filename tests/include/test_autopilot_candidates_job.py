"""The candidates of an AutoML job as a table and a chart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jobs_kit import files, run

BEGAN = datetime(2026, 11, 24, 10, tzinfo=UTC)


def candidate(name: str, value: float | None, seconds: float = 10, **more: Any) -> dict[str, Any]:
    metric = {"Type": "Maximize", "MetricName": "Accuracy", "Value": value}
    return {
        "CandidateName": name,
        "CandidateStatus": "Completed" if value is not None else "Failed",
        "CreationTime": BEGAN,
        "EndTime": BEGAN + timedelta(seconds=seconds),
        **({"FinalAutoMLJobObjectiveMetric": metric} if value is not None else {}),
        **more,
    }


class SageMaker:
    """Candidates, in pages of two."""

    def __init__(self) -> None:
        self.candidates: list[dict[str, Any]] = []
        self.error: Exception | None = None

    def get_paginator(self, operation: str) -> SageMaker:
        assert operation == "list_candidates_for_auto_ml_job"
        return self

    def paginate(self, AutoMLJobName: str) -> Iterator[dict[str, Any]]:
        assert AutoMLJobName == "job"
        if self.error:
            raise self.error
        for start in range(0, len(self.candidates), 2):
            yield {"Candidates": self.candidates[start : start + 2]}


@pytest.fixture
def sagemaker(monkeypatch: pytest.MonkeyPatch) -> SageMaker:
    made = SageMaker()
    monkeypatch.setattr("boto3.client", lambda service, region_name: made)
    return made


def draw(folder: Path, **arguments: Any) -> int:
    words = {"job-name": "job", "output": folder / "out", "reason": folder / "a/b/message"}
    return run("autopilot_candidates", **words, **arguments)


def test_all_candidates_are_listed_best_first_and_those_that_failed_with_their_reason(
    tmp_path: Path, sagemaker: SageMaker
) -> None:
    failed = candidate("job-broken", None, FailureReason="out of | memory")
    sagemaker.candidates = [failed, candidate("job-quick", 0.61, 41), candidate("job-full", 0.7, 352.4)]
    assert draw(tmp_path, synthetic="True") == 0
    folder = tmp_path / "out" / "report"
    assert files(folder) == ["candidates.json", "candidates.md", "candidates.png"]
    said = json.loads((folder / "candidates.json").read_text())
    assert [row["name"] for row in said["candidates"]] == ["job-full", "job-quick", "job-broken"]
    assert (said["candidates"][0]["value"], said["candidates"][0]["training_seconds"]) == (0.7, 352.4)
    lines = (folder / "candidates.md").read_text().splitlines()
    assert lines[0] == "# SYNTHETIC: Candidates of job"
    assert lines[4:] == [
        "| 1 | job-full | 0.7000 | 5 min 52 s | Completed |",
        "| 2 | job-quick | 0.6100 | 41 s | Completed |",
        "| 3 | job-broken | none | 10 s | Failed: out of \\| memory |",
    ]
    assert (folder / "candidates.png").read_bytes().startswith(b"\x89PNG")


def test_an_objective_that_is_to_be_small_is_best_small(tmp_path: Path, sagemaker: SageMaker) -> None:
    sagemaker.candidates = [candidate("a", 0.5), candidate("b", 0.9), candidate("c", 0.7)]
    for each in sagemaker.candidates:
        each["FinalAutoMLJobObjectiveMetric"]["Type"] = "Minimize"
    assert draw(tmp_path) == 0
    said = json.loads((tmp_path / "out/report/candidates.json").read_text())
    assert [row["name"] for row in said["candidates"]] == ["a", "c", "b"]


def test_a_job_that_is_not_there_or_has_no_candidate_is_named(
    tmp_path: Path, sagemaker: SageMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    from botocore.exceptions import ClientError

    assert draw(tmp_path) == 2
    assert "the AutoML job job has no candidate" in capsys.readouterr().err
    sagemaker.error = ClientError({"Error": {"Code": "ResourceNotFound", "Message": "no such job"}}, "List")
    assert draw(tmp_path) == 2
    assert "the candidates of job cannot be listed" in capsys.readouterr().err
    assert files(tmp_path / "out") == []
