"""Executions and a server that is killed: they go on, and no step runs twice."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from localaws_kit import LocalAws
from pipeline_kit import Pipelines, compare, condition, definition, get, join, processing

from localaws.core.store import Store
from localaws.sagemaker.pipelines import jobs, kinds, machine
from localaws.sagemaker.pipelines.execution import KIND, STEPS, keep_definition


def test_an_execution_goes_on_after_a_kill_and_no_step_runs_twice(own_localaws: LocalAws) -> None:
    pipelines = Pipelines()
    completed = compare("Equals", get("Steps.First.ProcessingJobStatus"), "Completed")
    arn = pipelines.start(
        pipelines.create(
            definition(
                processing("First"),
                processing("Long", "sleep 2", DependsOn=["First"]),
                # Of a property and no file: what was written to S3 in the second before a kill may be lost.
                condition("Gate", [completed], [processing("Last")], [], DependsOn=["Long"]),
            )
        )
    )
    before = pipelines.until_step(arn, "Long", "Executing")
    own_localaws.kill()
    own_localaws.restart()
    ended = pipelines.end(arn)
    assert ended["PipelineExecutionStatus"] == "Succeeded", ended.get("FailureReason")
    steps = pipelines.steps(arn)
    assert list(steps) == ["First", "Long", "Gate", "Last"]
    assert steps["Long"]["Metadata"] == before["Metadata"]
    assert steps["Long"]["StartTime"] == before["StartTime"]
    made = pipelines.sagemaker.list_processing_jobs(MaxResults=100)["ProcessingJobSummaries"]
    assert len(made) == 3, "one job a step"


class Killed(BaseException):
    """The server is killed here."""


class Surroundings:
    """What the machine has of a server: a store, and nothing that runs."""

    def __init__(self) -> None:
        self.store = Store(":memory:")

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)


class FakeJobs:
    """Jobs that are done as soon as they are begun, and counted."""

    kind, prefix = "processing-job", "ProcessingJob"

    def __init__(self, ctx: Surroundings) -> None:
        self.ctx = ctx
        self.begun: list[str] = []

    def start(self, request: dict[str, Any], ctx: Surroundings, **members: Any) -> dict[str, Any]:
        name = request["ProcessingJobName"]
        record = {**request, **members, "ProcessingJobArn": f"arn:{name}", "ProcessingJobStatus": "Completed"}
        assert ctx.store.insert(self.kind, name, record), f"{name} was begun twice"
        self.begun.append(name)
        return record

    def status(self, record: dict[str, Any]) -> str:
        return str(record["ProcessingJobStatus"])

    def shown(self, record: dict[str, Any], ctx: Surroundings) -> dict[str, Any]:
        return record


def test_a_kill_at_any_write_to_the_store_leaves_one_job_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    text = definition(
        processing("A"),
        processing("B", environment={"JOB": get("Steps.A.ProcessingJobName")}),
        condition("Gate", [compare("Equals", get("Steps.B.ProcessingJobStatus"), "Completed")], [processing("C")], []),
        processing("D", environment={"X": join(get("Execution.CurrentDateTime"))}),
    )

    def run(kill_at: int) -> tuple[dict[str, Any], list[str], int]:
        ctx = Surroundings()
        fake = FakeJobs(ctx)
        replaced = dataclasses.replace(jobs.PROCESSING, start=fake.start, jobs=fake)  # type: ignore[arg-type]
        monkeypatch.setitem(kinds.KINDS, "Processing", replaced)
        arn = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p/execution/abcdefghijkl"
        record = {
            "PipelineExecutionArn": arn,
            "PipelineArn": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p",
            "PipelineExecutionStatus": "Executing",
            "CreationTime": ctx.now(),
            "_PipelineName": "p",
            "_Definition": keep_definition(text, ctx),  # type: ignore[arg-type]
            "_Parameters": {},
            "_Retries": 0,
        }
        ctx.store.insert(KIND, arn, record)
        writes = 0
        put = Store.put

        def counted(store: Store, *arguments: Any) -> None:
            nonlocal writes
            writes += 1
            if writes == kill_at:
                raise Killed
            put(store, *arguments)

        monkeypatch.setattr(Store, "put", counted)
        for _ in range(20):
            found = ctx.store.get(KIND, arn)
            assert found is not None
            if found["PipelineExecutionStatus"] != "Executing":
                break
            try:
                machine.advance(found, ctx)  # type: ignore[arg-type]
            except Killed:
                continue
        monkeypatch.setattr(Store, "put", put)
        steps = ctx.store.all(STEPS)
        assert [step["StepStatus"] for step in steps] == ["Succeeded"] * 5
        return found or {}, fake.begun, writes

    ended, begun, total = run(0)
    assert ended["PipelineExecutionStatus"] == "Succeeded"
    assert len(begun) == 4
    for kill_at in range(1, total + 1):
        ended, begun, _ = run(kill_at)
        assert ended["PipelineExecutionStatus"] == "Succeeded"
        assert len(begun) == 4, f"killed at write {kill_at}"
