"""For tests of amazon_ml: a task instance without Airflow, and what Airflow does to one."""

from __future__ import annotations

import asyncio
import atexit
import importlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

# Before the first import of Airflow, which reads them then.
if "AIRFLOW_HOME" not in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AIRFLOW_CONN_AWS_DEFAULT", "aws://")

import pytest
from airflow.sdk.exceptions import TaskDeferred

BUCKET = "jobs-bucket"
ROLE = "arn:aws:iam::123456789012:role/service-role/jobs"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.6.0-cpu-py312-ubuntu22.04-sagemaker"
SERVING_IMAGE = IMAGE.replace("pytorch-training", "pytorch-inference")


@dataclass
class FakeTask:
    """The few things that an operator asks of its task instance; ``pushed`` is its XCom."""

    dag_id: str = "reviews.train"
    task_id: str = "train"
    run_id: str = "manual__2026-11-24T10:00:00+00:00"
    map_index: int = -1
    try_number: int = 1
    start_date: datetime = field(default_factory=lambda: datetime.now(UTC))
    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def next_try(self) -> FakeTask:
        """What a retry or a clear makes of it."""
        return FakeTask(self.dag_id, self.task_id, self.run_id, self.map_index, self.try_number + 1)


class Airflow:
    """Runs an operator as Airflow does: each part in a new operator, the trigger from its serialised form."""

    def __init__(self) -> None:
        self.deferrals: list[TaskDeferred] = []
        #: of the context, beside task instance and params.
        self.context: dict[str, Any] = {}

    def start(self, make: Callable[[], Any], ti: FakeTask) -> TaskDeferred | Any:
        """The first part of a try, up to its deferral or its end."""
        try:
            return make().execute({"ti": ti, "params": {}, **self.context})
        except TaskDeferred as deferred:
            self.deferrals.append(deferred)
            return deferred

    def fire(self, deferred: TaskDeferred) -> Any:
        """Run the trigger; the payload of its event."""
        return asyncio.run(first_event(rebuild(deferred.trigger)))

    def resume(self, make: Callable[[], Any], ti: FakeTask, deferred: TaskDeferred, event: Any) -> TaskDeferred | Any:
        """The part of a try that follows its deferral."""
        try:
            return make().resume_execution(
                deferred.method_name,
                {**(deferred.kwargs or {}), "event": event},
                {"ti": ti, "params": {}, **self.context},
            )
        except TaskDeferred as again:
            self.deferrals.append(again)
            return again

    def kill_trigger(self, deferred: TaskDeferred, ti: FakeTask) -> None:
        """What the triggerer does to a running trigger whose task a user acted on."""

        async def kill() -> None:
            trigger = rebuild(deferred.trigger)
            trigger.task_instance = ti
            running = asyncio.create_task(first_event(trigger))
            await asyncio.sleep(0.3)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            await trigger.on_kill()

        asyncio.run(kill())

    def run(self, make: Callable[[], Any], ti: FakeTask) -> Any:
        """A whole try; its result."""
        outcome = self.start(make, ti)
        while isinstance(outcome, TaskDeferred):
            outcome = self.resume(make, ti, outcome, self.fire(outcome))
        return outcome


def rebuild(trigger: Any) -> Any:
    """The trigger as another process makes it, from class path and arguments."""
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)(**arguments)


async def first_event(trigger: Any, limit: float = 120) -> Any:
    """The payload of the first event that the trigger fires."""

    async def look() -> Any:
        async for event in trigger.run():
            return event.payload
        raise AssertionError("the trigger ended without an event")

    return await asyncio.wait_for(look(), limit)
