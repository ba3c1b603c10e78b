"""What follows in an AutoML job whose time is over or whose candidates failed; and records that are steered at all."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from localaws.core import reconciler
from localaws.core.context import Context
from localaws.core.credentials import Credentials
from localaws.core.store import Store
from localaws.sagemaker.automl import candidates, children, machine


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    return Context(tmp_path, "http://127.0.0.1:1", "us-east-1", Store(":memory:"), Credentials("a", "b"))


def _job(ctx: Context, age: float = 0, **members: Any) -> dict[str, Any]:
    """A job in the store, that is past its features; its record."""
    criteria = {"MaxCandidates": 3, "MaxAutoMLJobRuntimeInSeconds": 60, "MaxRuntimePerTrainingJobInSeconds": 60}
    record = {
        "AutoMLJobName": "job",
        "AutoMLJobArn": ctx.arn("sagemaker", "automl-job/job"),
        "AutoMLJobStatus": "InProgress",
        "AutoMLJobSecondaryStatus": "ModelTuning",
        "CreationTime": ctx.now() - timedelta(seconds=age),
        "_Definition": {"Criteria": criteria},
        "_Analysis": {"objective": "Accuracy"},
        "_Features": True,
        "_Candidates": {},
        "_Version": 1,
        **members,
    }
    ctx.store.insert(machine.KIND, "job", record)
    return record


def _candidate(name: str, value: float | None) -> dict[str, Any]:
    if value is None:
        return {"CandidateName": name, "CandidateStatus": "Failed", "FailureReason": "it broke"}
    return {"CandidateName": name, "CandidateStatus": "Completed", "FinalAutoMLJobObjectiveMetric": {"Value": value}}


def _stored(ctx: Context) -> dict[str, Any]:
    return ctx.store.get(machine.KIND, "job") or {}


def test_a_job_out_of_time_completes_with_what_was_trained(ctx: Context) -> None:
    machine.advance(_job(ctx, age=61, _Candidates={"linear": _candidate("linear", 0.6)}), ctx)
    stored = _stored(ctx)
    assert (stored["AutoMLJobStatus"], stored["AutoMLJobSecondaryStatus"]) == (
        "Completed",
        "MaxAutoMLJobRuntimeReached",
    )


def test_a_job_out_of_time_with_nothing_trained_fails(ctx: Context) -> None:
    machine.advance(_job(ctx, age=61, _Candidates={"linear": _candidate("linear", None)}), ctx)
    assert _stored(ctx)["AutoMLJobStatus"] == "Failed"
    assert "MaxAutoMLJobRuntimeInSeconds, 60" in _stored(ctx)["FailureReason"]


def test_a_job_all_of_whose_candidates_failed_fails_with_their_reasons(ctx: Context) -> None:
    names = ("linear", "top-layers", "full")
    machine.advance(_job(ctx, _Candidates={name: _candidate(name, None) for name in names}), ctx)
    assert _stored(ctx)["AutoMLJobStatus"] == "Failed"
    assert "No candidate could be trained. linear: it broke; top-layers: it broke" in _stored(ctx)["FailureReason"]


def test_candidates_outlive_an_explanation_that_fails(ctx: Context) -> None:
    found = {name: _candidate(name, 0.6) for name in ("linear", "top-layers", "full")}
    record = _job(ctx, _Candidates=found, BestCandidate=found["linear"])
    name = children.name(record, children.EXPLANATION)
    job = {"ProcessingJobName": name, "ProcessingJobStatus": "Failed", "FailureReason": "it broke"}
    ctx.store.insert("processing-job", name, {**job, "AutoMLJobArn": record["AutoMLJobArn"]})
    machine.advance(record, ctx)
    stored = _stored(ctx)
    assert (stored["AutoMLJobStatus"], stored["AutoMLJobSecondaryStatus"]) == ("Completed", "ExplainabilityError")
    assert stored["PartialFailureReasons"] == [{"PartialFailureMessage": f"it broke (processing job {name})"}]


@pytest.mark.parametrize(
    ("members", "status", "words"),
    [
        ({"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxRuntimeExceeded"}, "Stopped", "exceeded the runtime"),
        ({"TrainingJobStatus": "Stopped", "SecondaryStatus": "Stopped"}, "Stopped", "was stopped"),
        ({"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError: no"}, "Failed", "AlgorithmError: no"),
        ({"TrainingJobStatus": "Completed"}, "Completed", "without the metric validation:accuracy"),
    ],
)
def test_a_candidate_without_a_score_says_why(ctx: Context, members: dict[str, str], status: str, words: str) -> None:
    job = {"TrainingJobName": "child", "TrainingJobArn": "arn", "SecondaryStatus": "", "CreationTime": ctx.now()}
    job |= {
        "LastModifiedTime": ctx.now(),
        "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/model.tar.gz"},
        **members,
    }
    found = candidates.candidate(_job(ctx), job, ctx)
    assert (found["CandidateStatus"], found["ObjectiveStatus"]) == (status, "Failed")
    assert words in found["FailureReason"]
    assert candidates.best([found]) is None


def test_a_child_s_name_that_is_taken_by_another_job_fails_the_automl_job(ctx: Context) -> None:
    record = _job(ctx)
    name = children.name(record, "linear")
    ctx.store.insert("training-job", name, {"TrainingJobName": name, "TrainingJobStatus": "InProgress"})
    machine.advance(record, ctx)
    assert _stored(ctx)["AutoMLJobStatus"] == "Failed"
    assert name in _stored(ctx)["FailureReason"]


def test_a_step_that_raises_fails_its_record_and_no_other(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def advance(record: dict[str, Any], ctx: Context) -> None:
        if record["Name"] == "bad":
            raise KeyError("what is not there")
        ctx.store.update("thing", record["Name"], lambda stored: stored.update(Status="Completed"))

    def fail(record: dict[str, Any], reason: str, ctx: Context) -> None:
        ctx.store.update("thing", record["Name"], lambda stored: stored.update(Status="Failed", Reason=reason))

    resource = reconciler.Resource("thing", "Name", "Status", advance, fail)
    monkeypatch.setattr(reconciler, "_resources", {"thing": resource})
    for name in ("bad", "good"):
        ctx.store.insert("thing", name, {"Name": name, "Status": "InProgress"})
    ctx.store.insert("thing", "old", {"Name": "old", "Status": "Stopped"})
    reconciler.reconcile(ctx)
    assert [thing["Status"] for thing in ctx.store.all("thing")] == ["Failed", "Completed", "Stopped"]
    assert ctx.store.all("thing")[0]["Reason"].startswith("InternalServerError: We encountered an internal error. KeyE")


def test_a_poke_makes_the_next_look_at_once_and_a_stop_ends_it(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = threading.Semaphore(0)
    resource = reconciler.Resource("thing", "Name", "Status", lambda record, ctx: looked.release(), lambda *_: None)
    monkeypatch.setattr(reconciler, "_resources", {"thing": resource})
    monkeypatch.setattr(reconciler, "INTERVAL_S", 3600)
    ctx.store.insert("thing", "one", {"Name": "one", "Status": "InProgress"})
    reconciler.start(ctx)
    reconciler.start(ctx)
    try:
        assert looked.acquire(timeout=30)
        assert not looked.acquire(timeout=0.2), "one thread, and it waits"
        reconciler.poke()
        assert looked.acquire(timeout=30)
    finally:
        reconciler.stop()
    assert "reconciler" not in {thread.name for thread in threading.enumerate()}
