"""Human review that is killed at any line: nothing acknowledged is lost, and what was begun is finished."""

from __future__ import annotations

import json
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from human_child import context
from human_kit import Desk, Humans, label
from localaws_kit import JOBS_PYTHON, ROOT, LocalAws

from localaws.core.store import Store
from localaws.sagemaker.human_review import events, loops, seats, sweep


class Killed(BaseException):
    """The process is no more."""


def _answered(desk: Desk, name: str = "loop") -> None:
    desk.start(name, desk.flow("flow"))
    task = seats.take(desk.ctx, desk.worker(), "flow")
    seats.submit(desk.ctx, desk.worker(), task.seat_id, label("1"))


def _restarted(desk: Desk) -> None:
    """Open the store again, as a new process does, and let the reconciler run."""
    object.__setattr__(desk.ctx, "store", Store(desk.ctx.home / "state.db"))
    sweep.sweep(desk.ctx)


def _dies(*_: Any, **__: Any) -> None:
    raise Killed


@pytest.mark.parametrize(
    ("module", "name"),
    [(sweep, "_close_one"), (sweep, "_write"), (loops, "end_seats"), (events, "tell"), (sweep, "_tell")],
)
def test_a_kill_at_any_step_after_the_answer_is_mended(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    _answered(desk)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, _dies)
        with pytest.raises(Killed):
            sweep.sweep(desk.ctx)
    _restarted(desk)
    assert desk.describe("loop")["HumanLoopStatus"] == "Completed"
    (answer,) = desk.output("loop")["humanAnswers"]
    assert answer["answerContent"] == label("1")
    assert [event["detail"]["humanLoopStatus"] for event in desk.events()] == ["Completed"]


def test_an_output_is_written_before_the_loop_is_completed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _answered(desk)
    seen = []
    put = desk.ctx.bucket.put_object

    def watched(**given: Any) -> None:
        seen.append(desk.describe("loop")["HumanLoopStatus"])
        put(**given)

    monkeypatch.setattr(desk.ctx.bucket, "put_object", watched)
    sweep.sweep(desk.ctx)
    assert seen == ["InProgress"]
    assert desk.describe("loop")["HumanLoopStatus"] == "Completed"


def test_an_output_that_is_written_twice_has_the_same_bytes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _answered(desk)
    with monkeypatch.context() as patch:
        patch.setattr(loops, "end_seats", _dies)
        with pytest.raises(Killed):
            sweep.sweep(desk.ctx)
    before = dict(desk.ctx.bucket.objects)
    assert before
    desk.ctx.clock[0] = desk.ctx.clock[0].replace(hour=13)
    _restarted(desk)
    assert desk.ctx.bucket.objects == before


def test_an_event_that_is_told_twice_has_the_same_id(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _answered(desk)
    tell = events.tell

    def tells_and_dies(*given: Any) -> None:
        tell(*given)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(events, "tell", tells_and_dies)
        with pytest.raises(Killed):
            sweep.sweep(desk.ctx)
    _restarted(desk)
    first, second = desk.events()
    assert first == second


def test_half_a_line_of_a_killed_server_does_not_spoil_the_next_event(desk: Desk) -> None:
    _answered(desk)
    path = events.path(desk.ctx)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"version": "0", "id": "hal')
    sweep.sweep(desk.ctx)
    half, whole = path.read_text().splitlines()
    assert half.endswith("hal")
    assert json.loads(whole)["detail"]["humanLoopName"] == "loop"


def test_an_output_waits_for_an_s3_that_does_not_answer(desk: Desk) -> None:
    _answered(desk)
    response = {"Error": {"Code": "InternalError"}, "ResponseMetadata": {"HTTPStatusCode": 500}}
    desk.ctx.bucket.broken = ClientError(response, "PutObject")
    desk.ctx.wait(1)
    assert desk.describe("loop")["HumanLoopStatus"] == "InProgress"
    desk.ctx.bucket.broken = None
    desk.ctx.wait(1)
    assert desk.describe("loop")["HumanLoopStatus"] == "Completed"


def test_a_loop_whose_answer_is_in_does_not_expire_while_its_output_waits(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow", TaskAvailabilityLifetimeInSeconds=60))
    task = seats.take(desk.ctx, desk.worker(), "flow")
    seats.submit(desk.ctx, desk.worker(), task.seat_id, label("1"))
    desk.ctx.wait(61)
    assert desk.describe("loop")["HumanLoopStatus"] == "Completed"


def test_no_answer_is_lost_when_its_process_is_killed_after_the_acknowledgement(desk: Desk, tmp_path: Path) -> None:
    kills, chance = 8, random.Random(13)
    flow = desk.flow("flow")
    # The child lives in the present.
    ctx = context(tmp_path)
    object.__setattr__(desk, "ctx", ctx)
    for number in range(600):
        desk.start(f"loop-{number}", flow)
    acknowledged: list[str] = []
    for number in range(kills):
        child = subprocess.Popen(
            [JOBS_PYTHON, str(Path(__file__).parents[2] / "human_child.py"), str(tmp_path), "flow", f"w{number}"],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}:{ROOT / 'tests' / 'localaws'}"},
        )
        assert child.stdout is not None
        for _ in range(chance.randint(1, 30)):
            acknowledged.append(child.stdout.readline().strip())
        time.sleep(chance.random() * 0.01)
        child.kill()
        acknowledged += child.stdout.read().split()
        child.wait()
    assert len(acknowledged) > kills
    # A line may have been cut off with its process.
    names = [name for name in acknowledged if name and loops.find(ctx, name)]
    assert len(names) == len(set(names)) >= len(acknowledged) - kills
    for _ in range(20):
        sweep.sweep(ctx)
    assert {name: desk.describe(name)["HumanLoopStatus"] for name in names} == dict.fromkeys(names, "Completed")
    with ctx.store.transaction() as connection:
        rows = connection.execute("SELECT loop_name, answer FROM seat WHERE status = 'answered'").fetchall()
    found = {name: json.loads(answer) for name, answer in rows}
    assert {name: found.get(name) for name in names} == {name: label("1") for name in names}


def test_a_killed_server_goes_on_with_flows_loops_and_outputs(own_localaws: LocalAws) -> None:
    humans = Humans(own_localaws)
    flow = humans.flow("flow")
    for name in ("answered", "open", "stopping"):
        humans.start(name, flow)
    for _ in range(3):
        task = seats.take(humans.ctx, humans.worker(f"w{_}"), "flow")
        if task.loop_name == "stopping":
            humans.loops.stop_human_loop(HumanLoopName="stopping")
            stopping = task
        if task.loop_name == "answered":
            mine = task
    own_localaws.kill()
    # The answer that the portal acknowledged and the kill came before anything else was done with it.
    seats.submit(humans.ctx, humans.worker("w0"), mine.seat_id, label("1"))
    seats.submit(humans.ctx, humans.worker("w2"), stopping.seat_id, label("0"))
    own_localaws.restart()
    assert humans.ended("answered")["HumanLoopStatus"] == "Completed"
    assert humans.output("answered")["humanAnswers"][0]["answerContent"] == label("1")
    assert humans.ended("stopping")["HumanLoopStatus"] == "Stopped"
    assert humans.output("stopping")["humanAnswers"][0]["answerContent"] == label("0")
    assert humans.describe("open")["HumanLoopStatus"] == "InProgress"
    assert seats.get(humans.ctx, humans.worker("w1"), _seat(humans, "w1")).loop_name == "open"
    # The templates' process went with the server, and a new one renders.
    humans.start("after", flow)
    assert humans.describe("after")["HumanLoopStatus"] == "InProgress"


def _seat(humans: Humans, name: str) -> str:
    return seats.take(humans.ctx, humans.worker(name), "flow").seat_id
