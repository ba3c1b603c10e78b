"""What ends a task while people are asked: an item has one loop whatever is killed, and only our loops are stopped."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferred
from human_review_kit import answer, items, loops, make_flow, statuses
from operator_kit import BUCKET, Airflow, FakeTask, first_event, rebuild
from waiting_kit import until

from amazon_ml.exceptions import TaskKilled
from amazon_ml.hooks.base import ServiceHook
from amazon_ml.human_loops import Manifest

ITEMS = items(3)


class Killed(BaseException):
    """Stands for SIGKILL: no handler of the operator catches it."""


@pytest.fixture
def arn(request: pytest.FixtureRequest, aws: Any, airflow: Airflow) -> str:
    return make_flow(airflow, request.node.name)


def manifest(aws: Any, ti: FakeTask) -> Manifest:
    key = f"human/{ti.run_id}/loops.jsonl"
    return Manifest.load(aws("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())


def die_after(monkeypatch: pytest.MonkeyPatch, calls: int, *, answered: bool) -> None:
    """From that call on no call comes back; the first of them still reaches AWS where ``answered``."""
    call, lock, made = ServiceHook._call, threading.Lock(), [0]

    def counted(self: ServiceHook, method: str, **request: Any) -> dict[str, Any]:
        with lock:
            made[0] += 1
            number = made[0]
        if number <= calls:
            return call(self, method, **request)
        if number == calls + 1 and answered:
            call(self, method, **request)
        raise Killed

    monkeypatch.setattr(ServiceHook, "_call", counted)


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("calls", range(10))
def test_a_try_that_dies_at_any_call_leaves_one_loop_an_item(
    aws: Any, airflow: Airflow, calls: int, answered: bool, request: pytest.FixtureRequest
) -> None:
    ti = FakeTask(run_id=f"manual__{request.node.name}")
    arn, batch = make_flow(airflow, "dies at any call"), request.node.name
    before = set(statuses(aws, arn))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        die_after(patch, calls, answered=answered)
        airflow.start(loops(ti, arn, ITEMS, batch=batch, clients=2), ti)
    again = ti.next_try()
    assert isinstance(airflow.start(loops(ti, arn, ITEMS, batch=batch), again), TaskDeferred)
    found = {name: status for name, status in statuses(aws, arn).items() if name not in before}
    assert list(found.values()) == ["InProgress"] * 3
    # All are ours, also those of which the try that died had no answer: a kill now would stop them.
    assert manifest(aws, ti).ours == set(found)
    # Once it is written down, which is the seventh call, the deadline counts from the first try.
    written = calls + answered >= 7
    assert manifest(aws, ti).began == (ti if written else again).start_date.timestamp()


def test_a_try_that_dies_while_it_collects_is_repeated(
    aws: Any, localaws: Any, airflow: Airflow, ti: FakeTask, arn: str
) -> None:
    make = loops(ti, arn, ITEMS)
    deferred = airflow.start(make, ti)
    assert answer(localaws, arn, count=3) == 3
    event = airflow.fire(deferred)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        die_after(patch, 6, answered=True)
        airflow.resume(make, ti, deferred, event)
    assert airflow.run(make, ti.next_try())["completed"] == 3
    assert len(statuses(aws, arn)) == 3


def test_two_tries_at_once_make_one_loop_an_item(aws: Any, airflow: Airflow, ti: FakeTask, arn: str) -> None:
    outcomes: list[Any] = []

    def run() -> None:
        outcomes.append(Airflow().start(loops(ti, arn, items(12)), ti))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(outcome) for outcome in outcomes] == [TaskDeferred] * 3
    assert len(statuses(aws, arn)) == 12
    assert manifest(aws, ti).ours == set(statuses(aws, arn))


def until_they_are(aws: Any, arn: str, *wanted: str) -> None:
    until(lambda: sorted(statuses(aws, arn).values()), lambda seen: seen == sorted(wanted), 30, every=0.1)


@pytest.fixture
def other() -> FakeTask:
    return FakeTask(run_id="other")


def test_a_user_who_ends_a_deferred_task_stops_the_loops_that_it_started_and_no_others(
    aws: Any, airflow: Airflow, ti: FakeTask, arn: str, task_states: dict[str, Any], other: FakeTask
) -> None:
    airflow.start(loops(other, arn, ITEMS[:1]), other)
    deferred = airflow.start(loops(ti, arn, ITEMS), ti)
    task_states["state"] = "failed"
    airflow.kill_trigger(deferred, ti)
    until_they_are(aws, arn, "InProgress", "Stopped", "Stopped")


def test_a_task_that_goes_on_keeps_its_loops(
    aws: Any, airflow: Airflow, ti: FakeTask, arn: str, task_states: dict[str, Any]
) -> None:
    deferred = airflow.start(loops(ti, arn, ITEMS), ti)
    task_states["state"] = None  # cleared
    airflow.kill_trigger(deferred, ti)
    operator = loops(ti, arn, ITEMS)()
    operator._resume({"ti": ti})
    task_states["state"] = "restarting"
    operator.on_kill()
    until_they_are(aws, arn, *["InProgress"] * 3)


def test_a_polling_task_that_a_user_ends_stops_its_loops_and_gives_up(
    aws: Any, airflow: Airflow, ti: FakeTask, arn: str, task_states: dict[str, Any], other: FakeTask
) -> None:
    airflow.start(loops(other, arn, ITEMS[:1]), other)
    task_states["state"] = "failed"
    operator = loops(ti, arn, ITEMS, deferrable=False)()

    def kill_while_it_waits(_: float) -> None:
        operator.on_kill()

    operator._pause = kill_while_it_waits  # type: ignore[method-assign]
    with pytest.raises(TaskKilled):
        airflow.run(lambda: operator, ti)
    until_they_are(aws, arn, "InProgress", "Stopped", "Stopped")


def test_a_kill_that_comes_while_loops_are_started_stops_those_that_are(
    aws: Any, airflow: Airflow, ti: FakeTask, arn: str, task_states: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    task_states["state"] = "failed"
    operator = loops(ti, arn, items(20), clients=2)()
    call = ServiceHook._call

    def kill_with_the_first(self: ServiceHook, method: str, **request: Any) -> dict[str, Any]:
        if method == "start_human_loop" and not operator._killed:
            operator.on_kill()
        return call(self, method, **request)

    monkeypatch.setattr(ServiceHook, "_call", kill_with_the_first)
    with pytest.raises(TaskKilled):
        airflow.run(lambda: operator, ti)
    found = statuses(aws, arn)
    assert 1 <= len(found) < 20
    until_they_are(aws, arn, *["Stopped"] * len(found))


def test_an_execution_time_out_stops_the_loops(
    aws: Any, airflow: Airflow, ti: FakeTask, arn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = loops(ti, arn, ITEMS, deferrable=False)()

    def time_is_over(_: float) -> None:
        raise AirflowTaskTimeout("execution_timeout")

    monkeypatch.setattr(operator, "_pause", time_is_over)
    with pytest.raises(AirflowTaskTimeout):
        airflow.run(lambda: operator, ti)
    until_they_are(aws, arn, *["Stopped"] * 3)


def test_a_finished_task_stops_nothing(
    aws: Any, airflow: Airflow, ti: FakeTask, arn: str, task_states: dict[str, Any]
) -> None:
    operator = loops(ti, arn, ITEMS, timeout=timedelta(seconds=1), at_deadline="leave")()
    operator.on_kill()  # before it has begun
    fresh = loops(ti, arn, ITEMS, timeout=timedelta(seconds=1), at_deadline="leave")
    assert airflow.run(fresh, ti)["open"] == 3
    until_they_are(aws, arn, *["InProgress"] * 3)


def test_a_trigger_taken_over_by_another_triggerer_ends_the_same(
    aws: Any, localaws: Any, airflow: Airflow, ti: FakeTask, arn: str
) -> None:
    deferred = airflow.start(loops(ti, arn, ITEMS), ti)

    async def both() -> list[Any]:
        first = asyncio.create_task(first_event(rebuild(deferred.trigger)))
        await asyncio.sleep(0.5)
        first.cancel()  # the triggerer shuts down: no word to the trigger
        twice = [first_event(rebuild(deferred.trigger)) for _ in range(2)]
        answers = asyncio.to_thread(answer, localaws, arn, "1", 3)
        return [event for event in await asyncio.gather(*twice, answers) if isinstance(event, dict)]

    assert [event["status"] for event in asyncio.run(both())] == ["success", "success"]


def test_a_restart_of_aws_in_mid_wait_is_waited_out(
    own_localaws: Any, loopback_only: None, airflow: Airflow, ti: FakeTask
) -> None:
    import boto3

    # A session of its own: the default one keeps the keys of the localaws that it first saw.
    boto3.session.Session().client("s3").create_bucket(Bucket=BUCKET)
    arn = make_flow(airflow, "restart")
    make = loops(ti, arn, ITEMS)
    deferred = airflow.start(make, ti)

    def restart() -> None:
        own_localaws.kill()
        time.sleep(1)
        own_localaws.restart()
        answer(own_localaws, arn, count=3)

    thread = threading.Thread(target=restart)
    thread.start()
    event = airflow.fire(deferred)
    thread.join()
    assert airflow.resume(make, ti, deferred, event)["completed"] == 3
