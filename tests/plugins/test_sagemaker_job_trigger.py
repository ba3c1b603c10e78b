"""The trigger as the triggerer sees it: rebuilt from what it says of itself, and told nothing but what it was given."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from airflow.models.trigger import Trigger
from airflow.serialization.decoders import smart_decode_trigger_kwargs
from operator_kit import FakeTask, rebuild

from amazon_ml.task_state import GOES_ON, task_state
from amazon_ml.triggers.sagemaker_job import SageMakerJobTrigger


def make(**changes: Any) -> SageMakerJobTrigger:
    given: dict[str, Any] = {
        "waiter": "training_job_finished",
        "name": "job-1",
        "deadline": time.time() + 60,
        "aws_conn_id": "aws_other",
        "region_name": "eu-west-1",
        "verify": False,
        "botocore_config": {"read_timeout": 10, "retries": {"max_attempts": 3}},
    }
    return SageMakerJobTrigger(**{**given, **changes})


def test_it_comes_back_from_the_database_as_it_was() -> None:
    trigger = make()
    path, arguments = trigger.serialize()
    assert path == "amazon_ml.triggers.sagemaker_job.SageMakerJobTrigger"
    stored = json.loads(json.dumps(arguments))
    decoded = {key: smart_decode_trigger_kwargs(value) for key, value in stored.items()}
    assert SageMakerJobTrigger(**decoded).serialize() == (path, arguments)


def test_airflow_can_store_it(monkeypatch: pytest.MonkeyPatch) -> None:
    path, arguments = make().serialize()
    row = Trigger(classpath=path, kwargs=arguments)
    assert row.kwargs == arguments


def test_its_hook_has_the_operators_settings() -> None:
    hook = make().hook()
    assert (hook.aws_conn_id, hook._region_name, hook._verify) == ("aws_other", "eu-west-1", False)
    assert hook.config.read_timeout == 10
    assert hook.config.retries["max_attempts"] == 3


def test_without_settings_of_ones_own_a_look_is_tried_twice() -> None:
    assert make(botocore_config=None).hook().config.retries["total_max_attempts"] == 2


def test_a_change_that_cannot_be_stopped_is_left(task_states: dict[str, Any]) -> None:
    task_states["state"] = "failed"
    trigger = make(waiter="endpoint_settled", aws_conn_id="there_is_none")
    asyncio.run(trigger.on_kill())


class Hanging:
    """A client whose describe never answers, and which notes what it was asked to stop."""

    def __init__(self) -> None:
        self.stopped: list[str] = []

    async def __aenter__(self) -> Hanging:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def describe_training_job(self, **_: Any) -> None:
        await asyncio.sleep(3600)

    async def stop_training_job(self, **request: Any) -> None:
        self.stopped.append(request["TrainingJobName"])


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Hanging:
    made = Hanging()

    async def give(_: Any) -> Hanging:
        return made

    monkeypatch.setattr("amazon_ml.hooks.sagemaker.SageMakerJobHook.async_client", give)
    return made


@pytest.mark.parametrize(
    ("state", "stopped"),
    [
        ("failed", True),
        ("success", True),
        ("skipped", True),
        ("removed", True),
        (None, False),
        ("scheduled", False),
        ("queued", False),
        ("running", False),
        ("restarting", False),
        ("deferred", False),
        ("up_for_retry", False),
    ],
)
def test_a_job_is_stopped_when_its_task_has_ended_and_only_then(
    client: Hanging, task_states: dict[str, Any], state: str | None, stopped: bool
) -> None:
    task_states["state"] = state
    trigger = make()
    trigger.task_instance = FakeTask()
    asyncio.run(trigger.on_kill())
    assert client.stopped == (["job-1"] if stopped else [])


def test_a_job_is_left_when_airflow_does_not_say_whether_its_task_goes_on(
    client: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amazon_ml.triggers.sagemaker_job._KILL_PATIENCE", 0.05)
    monkeypatch.setattr("amazon_ml.triggers.sagemaker_job.task_state", lambda _: time.sleep(0.3))
    trigger = make()
    trigger.task_instance = FakeTask()
    asyncio.run(trigger.on_kill())
    assert client.stopped == []


def test_a_kill_is_carried_out_however_often_it_is_cancelled(client: Hanging, monkeypatch: pytest.MonkeyPatch) -> None:
    """The triggerer cancels a trigger again in each of its rounds, also while that stops its job."""
    monkeypatch.setattr("amazon_ml.triggers.sagemaker_job.task_state", lambda _: time.sleep(0.5) or "failed")  # type: ignore[func-returns-value]
    trigger = make()
    trigger.task_instance = FakeTask()

    async def cancelled_in_every_round() -> None:
        kill = asyncio.create_task(asyncio.wait_for(trigger.on_kill(), 30))
        while not kill.done():
            await asyncio.sleep(0.1)
            kill.cancel()
        while not client.stopped:
            await asyncio.sleep(0.05)

    asyncio.run(asyncio.wait_for(cancelled_in_every_round(), 20))
    assert client.stopped == ["job-1"]


def test_an_answer_that_hangs_does_not_outlast_the_deadline(client: Hanging) -> None:
    trigger = rebuild(make(deadline=time.time() + 0.1))

    async def first() -> Any:
        return await anext(trigger.run())

    assert asyncio.run(asyncio.wait_for(first(), 30)).payload["status"] == "deadline"
    assert client.stopped == ["job-1"]


@pytest.mark.parametrize(
    ("map_index", "answer", "expected"),
    [
        (-1, {"r": {"t": "failed"}}, "failed"),
        (-1, {"r": {"t": None}}, None),
        (-1, {}, "removed"),
        (3, {"r": {"t_3": "running"}}, "running"),
        (3, {"r": {"t_4": "running"}}, "removed"),
    ],
)
def test_the_tasks_state_is_the_one_of_its_own_map_index(
    monkeypatch: pytest.MonkeyPatch, map_index: int, answer: dict[str, Any], expected: str | None
) -> None:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    from amazon_ml.naming import RunKey

    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", lambda **_: answer)
    ti = FakeTask("d", "t", "r", map_index)
    assert task_state(RunKey.of_task(ti)) == expected


def test_every_state_of_a_task_is_known_as_going_on_or_ended() -> None:
    from airflow.utils.state import TaskInstanceState

    ended = {"success", "failed", "skipped", "removed", "upstream_failed"}
    known = {None if state is None else str(state) for state in GOES_ON} | ended
    assert {state.value for state in TaskInstanceState} - known == {"awaiting_input"}
