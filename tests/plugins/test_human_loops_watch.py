"""The wait for many loops and what is written down about them, without AWS."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from botocore.exceptions import ClientError
from human_review_kit import flow, items, loops, team, ui, worker, workforce
from operator_kit import FakeTask, rebuild

from amazon_ml.human_loops import Loop, LoopsWatch, Manifest
from amazon_ml.links.portal import WorkerPortalLink
from amazon_ml.parallel import mapped
from amazon_ml.triggers.human_loops import HumanLoopsTrigger

ARN = "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/reviews"
BEGAN = 1_700_000_000.0


def manifest(count: int = 3) -> Manifest:
    return Manifest(ARN, "mine", BEGAN, BEGAN - 300, [Loop(n, f"loop-{n}", ours=n != 0) for n in range(count)])


def watch(count: int = 3, seconds: float = 60) -> tuple[LoopsWatch, list[str]]:
    lines: list[str] = []
    return LoopsWatch.of(manifest(count), "s3://b/loops.jsonl", time.time() + seconds, lines.append), lines


def page(*loops: tuple[str, str, float]) -> dict[str, Any]:
    """A page of ListHumanLoops: name, status, and seconds after the start."""
    return {
        "HumanLoopSummaries": [
            {
                "HumanLoopName": name,
                "HumanLoopStatus": status,
                "CreationTime": datetime.fromtimestamp(BEGAN, UTC) + timedelta(seconds=at),
            }
            for name, status, at in loops
        ]
    }


def test_the_wait_is_over_when_all_loops_have_ended_however() -> None:
    waiting, lines = watch()
    waiting.page(page(("loop-0", "Completed", 0), ("loop-1", "InProgress", 1), ("loop-2", "Stopping", 2)))
    assert waiting.round() is None
    waiting.page(page(("loop-1", "Failed", 1), ("loop-2", "Stopped", 2)))
    event = waiting.round()
    assert event and (event["status"], event["resource_status"]) == ("success", "0 of 3 open")
    assert lines == ["Human loops of reviews: 2 of 3 open", "Human loops of reviews: 0 of 3 open"]


def test_the_loops_of_others_do_not_count() -> None:
    waiting, _ = watch(1)
    waiting.page(page(("loop-of-another", "InProgress", -9), ("loop-0", "Completed", 0)))
    assert waiting.round()


def test_what_has_ended_is_not_listed_again() -> None:
    waiting, _ = watch()
    assert waiting.request["CreationTimeAfter"].timestamp() == BEGAN - 300
    waiting.page(page(("loop-0", "Completed", 0), ("loop-1", "InProgress", 1000), ("loop-2", "InProgress", 5000)))
    waiting.round()
    assert waiting.request["CreationTimeAfter"].timestamp() == BEGAN + 1000 - 300
    waiting.page(page(("loop-1", "Completed", 1000)))
    # The other one is not listed, as happens for a moment: what was known is kept.
    waiting.round()
    assert waiting.request["CreationTimeAfter"].timestamp() == BEGAN + 1000 - 300


def test_loops_that_are_not_listed_yet_are_waited_for() -> None:
    waiting, _ = watch()
    waiting.page(page())
    assert waiting.round() is None


def test_the_deadline_ends_the_wait() -> None:
    waiting, _ = watch(seconds=-1)
    waiting.page(page(("loop-0", "InProgress", 0)))
    event = waiting.round()
    assert event and event["status"] == "deadline"


@pytest.mark.parametrize(
    ("code", "outcome"), [("ResourceNotFoundException", "failure"), ("AccessDeniedException", "error")]
)
def test_a_flow_definition_that_is_gone_or_closed_to_us_ends_the_wait(code: str, outcome: str) -> None:
    waiting, _ = watch()
    event = waiting.refused(ClientError({"Error": {"Code": code, "Message": "words"}}, "ListHumanLoops"))
    assert event and event["status"] == outcome


def test_pauses_grow_with_the_wait_to_a_minute() -> None:
    waiting, _ = watch(seconds=1e9)
    assert waiting.delay() == 60
    waiting._started = time.time()
    assert waiting.delay() == 2


def test_a_manifest_comes_back_as_it_was() -> None:
    written = manifest()
    assert Manifest.load(written.dump()) == written
    assert written.ours == {"loop-1", "loop-2"}
    assert Manifest.load(manifest(0).dump()) == manifest(0)


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1}\n', b"[]\n"])
def test_what_is_no_manifest_is_said(content: bytes) -> None:
    with pytest.raises(ValueError):
        Manifest.load(content)


def test_the_trigger_comes_back_from_the_database_as_it_was() -> None:
    trigger = HumanLoopsTrigger(waiter="human_loop_ended", name="s3://b/loops.jsonl", deadline=5.0)
    assert json.dumps(trigger.serialize()[1])
    again = rebuild(trigger)
    assert type(again) is HumanLoopsTrigger
    assert again.serialize() == trigger.serialize()
    assert again.hook().client_type == "sagemaker-a2i-runtime"


def test_the_operators_survive_airflows_serialisation() -> None:
    with DAG(dag_id="people", schedule=None) as made:
        force = workforce("p_1", "c")()
        crew = team("p_1", force.output["name"])()
        page_of = ui("page")()
        reviewed = flow("f", page_of.output["arn"], crew.output["arn"])()
        asked = loops(FakeTask(task_id="loops"), reviewed.output["arn"], items(1))()
        worker("ann", "p_1")()
    restored = DagSerialization.from_dict(DagSerialization.to_dict(made))
    upstream = {name: task.upstream_task_ids for name, task in made.task_dict.items()}
    assert upstream == {
        "workforce": set(),
        "team": {"workforce"},
        "ui": set(),
        "flow": {"ui", "team"},
        "loops": {"flow"},
        "worker": set(),
    }
    for name in ("workforce", "team", "loops"):
        links = {link.name for link in restored.task_dict[name].operator_extra_links}
        assert WorkerPortalLink.name in links
    for task in made.tasks:
        assert all(hasattr(task, name) for name in task.template_fields)
    assert asked.deferrable


def test_results_come_in_order_with_a_few_at_a_time() -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def work(number: int) -> int:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.002)
        with lock:
            now[0] -= 1
        return number * 2

    taken: list[int] = []

    def given() -> Any:
        for number in range(100):
            taken.append(number)
            yield number

    results = mapped(work, given(), 4)
    assert next(results) == 0
    assert len(taken) <= 16, "all of them were taken into memory"
    assert [0, *results] == [number * 2 for number in range(100)]
    assert most[0] <= 4


def test_after_an_exception_nothing_else_is_begun() -> None:
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 3:
            raise ValueError("three")
        time.sleep(0.01)

    with pytest.raises(ValueError, match="three"):
        list(mapped(work, range(1000), 2))
    assert len(begun) <= 3 + 8
