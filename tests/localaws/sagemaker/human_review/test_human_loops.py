"""Human loops: the operations of the Augmented AI runtime through boto3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from human_kit import BUCKET, REVIEW, TEMPLATE, Humans, label
from localaws_kit import LocalAws, start
from waiting_kit import until

from localaws.sagemaker.human_review import seats

LONGEST = 3_145_728


@pytest.fixture(scope="module")
def humans(localaws: LocalAws) -> Humans:
    return Humans(localaws)


@pytest.fixture(scope="module")
def flow(humans: Humans) -> str:
    return humans.flow("plain")


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Humans]:
    """A localaws whose minute takes two seconds."""
    server = start(tmp_path_factory.mktemp("hasty") / "home", LOCALAWS_CLOCK_FACTOR="30")
    try:
        yield Humans(server)
    finally:
        server.stop()


def _error(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def _events(home: Path) -> list[dict[str, Any]]:
    file = home / "localaws" / "human_review" / "events.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_loop_is_in_progress_and_says_where_its_output_will_be(humans: Humans, flow: str) -> None:
    arn = humans.start("fresh", flow)
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:human-loop/fresh"
    described = humans.describe("fresh")
    assert described["HumanLoopStatus"] == "InProgress"
    assert (described["HumanLoopName"], described["HumanLoopArn"], described["FlowDefinitionArn"]) == (
        "fresh",
        arn,
        flow,
    )
    assert described["HumanLoopOutput"]["OutputS3Uri"].startswith(f"s3://{BUCKET}/answers/plain/")
    assert "FailureCode" not in described


def test_the_same_request_again_finds_the_loop(humans: Humans, flow: str) -> None:
    humans.start("same", flow)
    created = humans.describe("same")["CreationTime"]
    humans.start("same", flow)
    assert humans.describe("same")["CreationTime"] == created


def test_another_input_or_flow_under_a_name_that_is_taken_is_a_conflict(humans: Humans, flow: str) -> None:
    humans.start("other", flow)
    for arn, content in ((flow, json.dumps({"taskObject": "else"})), (humans.flow("other-flow"), REVIEW)):
        with pytest.raises(ClientError) as error:
            humans.start("other", arn, content)
        assert _error(error) == ("ConflictException", 409)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{'single': 'quotes'}", "not valid JSON"),
        ("[1, 2]", "JSON object"),
        ("", "not valid JSON"),
        (json.dumps({"x": "a" * LONGEST}), "3145728"),
    ],
)
def test_input_that_is_no_json_object_or_too_long_is_refused(
    humans: Humans, flow: str, content: str, words: str
) -> None:
    with pytest.raises(ClientError, match=words) as error:
        humans.start("unfit", flow, content)
    assert _error(error) == ("ValidationException", 400)


def test_the_longest_input_is_taken_and_comes_back_in_the_output(humans: Humans) -> None:
    flow = humans.flow("long", template=TEMPLATE.replace("taskObject", "short"))
    text = "é" * (LONGEST - len('{"taskObject": ""}'))
    content = json.dumps({"taskObject": text}, ensure_ascii=False)
    assert len(content) == LONGEST
    humans.start("long-1", flow, content)
    task = seats.take(humans.ctx, humans.worker(), "long")
    seats.submit(humans.ctx, humans.worker(), task.seat_id, label("1"))
    assert humans.ended("long-1")["HumanLoopStatus"] == "Completed"
    assert humans.output("long-1")["inputContent"]["taskObject"] == text


def test_an_unknown_flow_or_loop_is_answered_as_aws_does(humans: Humans, flow: str) -> None:
    with pytest.raises(ClientError, match="does not exist") as error:
        humans.start("nowhere", flow + "-not")
    assert _error(error) == ("ValidationException", 400)
    calls = (humans.loops.describe_human_loop, humans.loops.stop_human_loop, humans.loops.delete_human_loop)
    for call in calls:
        with pytest.raises(ClientError) as error:
            call(HumanLoopName="never-begun")
        assert _error(error) == ("ResourceNotFoundException", 404)


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "a" * 64])
def test_a_name_must_fit_the_pattern(humans: Humans, flow: str, name: str) -> None:
    with pytest.raises(ClientError) as error:
        humans.start(name, flow)
    assert _error(error) == ("ValidationException", 400)


def test_a_template_that_does_not_fit_the_input_fails_the_loop(humans: Humans) -> None:
    template = TEMPLATE.replace("</crowd-form>", "{{ task.input.n | divided_by: task.input.zero }}</crowd-form>")
    flow = humans.flow("unfit-input", template=template)
    humans.start("unfit-input-1", flow, json.dumps({"n": 1, "zero": 0}))
    described = humans.ended("unfit-input-1")
    assert (described["HumanLoopStatus"], described["FailureCode"]) == ("Failed", "ValidationError")
    assert "divide" in described["FailureReason"]
    assert "HumanLoopOutput" not in described
    with pytest.raises(seats.NothingLeft):
        seats.take(humans.ctx, humans.worker(), "unfit-input")


# -- list


def test_loops_are_listed_by_flow_time_and_page(humans: Humans) -> None:
    flow = humans.flow("listed")
    names = [f"listed-{number}" for number in range(7)]
    for name in names:
        humans.start(name, flow)

    def found(**more: Any) -> list[str]:
        pages = humans.loops.get_paginator("list_human_loops").paginate(
            FlowDefinitionArn=flow, PaginationConfig={"PageSize": 3}, **more
        )
        return [loop["HumanLoopName"] for page in pages for loop in page["HumanLoopSummaries"]]

    assert found() == names[::-1]
    assert found(SortOrder="Ascending") == names
    middle = humans.describe("listed-3")["CreationTime"]
    first, last = (humans.describe(f"listed-{number}")["CreationTime"] for number in (0, 6))
    assert found(CreationTimeBefore=first) == found(CreationTimeAfter=last + timedelta(seconds=1)) == []
    both = {*found(CreationTimeAfter=middle), *found(CreationTimeBefore=middle)}
    assert {"listed-0", "listed-6"} <= both or first == last


def test_a_page_does_not_shift_while_loops_begin(humans: Humans) -> None:
    flow = humans.flow("shift")
    for number in range(4):
        humans.start(f"shift-{number}", flow)
    page = humans.loops.list_human_loops(FlowDefinitionArn=flow, MaxResults=2)
    humans.start("shift-new", flow)
    rest = humans.loops.list_human_loops(FlowDefinitionArn=flow, MaxResults=2, NextToken=page["NextToken"])
    names = [loop["HumanLoopName"] for part in (page, rest) for loop in part["HumanLoopSummaries"]]
    assert names == [f"shift-{number}" for number in (3, 2, 1, 0)]
    assert "NextToken" not in rest
    with pytest.raises(ClientError, match="NextToken"):
        humans.loops.list_human_loops(FlowDefinitionArn=flow, NextToken="bm90aGluZw==")


# -- stop, delete


def test_a_loop_that_nobody_has_open_is_stopped_at_once(humans: Humans, flow: str) -> None:
    humans.start("stopped", flow)
    humans.loops.stop_human_loop(HumanLoopName="stopped")
    described = humans.ended("stopped")
    assert described["HumanLoopStatus"] == "Stopped"
    assert "HumanLoopOutput" not in described
    with pytest.raises(ClientError, match="is Stopped"):
        humans.loops.stop_human_loop(HumanLoopName="stopped")


def test_who_has_a_task_open_may_finish_it_after_the_loop_was_stopped(humans: Humans) -> None:
    humans.start("open-1", humans.flow("open", TaskCount=2))
    task = seats.take(humans.ctx, humans.worker(), "open")
    humans.loops.stop_human_loop(HumanLoopName="open-1")
    assert humans.describe("open-1")["HumanLoopStatus"] == "Stopping"
    with pytest.raises(seats.NothingLeft):
        seats.take(humans.ctx, humans.worker("bob"), "open")
    seats.submit(humans.ctx, humans.worker(), task.seat_id, label("1"))
    assert humans.ended("open-1")["HumanLoopStatus"] == "Stopped"
    (answer,) = humans.output("open-1")["humanAnswers"]
    assert answer["answerContent"] == label("1")


def test_who_leaves_a_task_of_a_stopped_loop_does_not_get_it_back(humans: Humans) -> None:
    humans.start("leave-1", humans.flow("leave"))
    task = seats.take(humans.ctx, humans.worker(), "leave")
    humans.loops.stop_human_loop(HumanLoopName="leave-1")
    seats.release(humans.ctx, humans.worker(), task.seat_id)
    assert humans.ended("leave-1")["HumanLoopStatus"] == "Stopped"
    with pytest.raises(seats.NothingLeft):
        seats.take(humans.ctx, humans.worker(), "leave")


def test_only_a_loop_that_has_ended_is_deleted_and_its_name_is_free_then(humans: Humans, flow: str) -> None:
    humans.start("deleted", flow)
    with pytest.raises(ClientError, match="Stop it") as error:
        humans.loops.delete_human_loop(HumanLoopName="deleted")
    assert _error(error) == ("ValidationException", 400)
    humans.loops.stop_human_loop(HumanLoopName="deleted")
    humans.ended("deleted")
    humans.loops.delete_human_loop(HumanLoopName="deleted")
    with pytest.raises(ClientError) as error:
        humans.describe("deleted")
    assert _error(error) == ("ResourceNotFoundException", 404)
    listed = humans.loops.list_human_loops(FlowDefinitionArn=flow, MaxResults=100)["HumanLoopSummaries"]
    assert "deleted" not in [loop["HumanLoopName"] for loop in listed]
    humans.start("deleted", flow, json.dumps({"taskObject": "another"}))


# -- time and events


def test_a_loop_that_nobody_answers_in_time_fails_as_expired(hasty: Humans) -> None:
    hasty.start("expired-1", hasty.flow("expired", TaskAvailabilityLifetimeInSeconds=30))
    described = hasty.ended("expired-1")
    assert (described["HumanLoopStatus"], described["FailureCode"]) == ("Failed", "Expired")
    assert described["FailureReason"]
    assert "HumanLoopOutput" not in described


def test_answers_of_a_loop_that_expired_are_in_its_output(hasty: Humans) -> None:
    hasty.start("partial-1", hasty.flow("partial", TaskCount=2, TaskAvailabilityLifetimeInSeconds=60))
    task = seats.take(hasty.ctx, hasty.worker(), "partial")
    seats.submit(hasty.ctx, hasty.worker(), task.seat_id, label("-1"))
    described = hasty.ended("partial-1")
    assert (described["HumanLoopStatus"], described["FailureCode"]) == ("Failed", "Expired")
    (answer,) = hasty.output("partial-1")["humanAnswers"]
    assert answer["answerContent"] == label("-1")


def test_an_output_that_s3_does_not_take_fails_the_loop_and_says_so(hasty: Humans) -> None:
    hasty.s3.create_bucket(Bucket="vanishing")
    hasty.start("vanished-1", hasty.flow("vanished", path="s3://vanishing/answers"))
    hasty.s3.delete_bucket(Bucket="vanishing")
    task = seats.take(hasty.ctx, hasty.worker(), "vanished")
    seats.submit(hasty.ctx, hasty.worker(), task.seat_id, label("0"))
    described = hasty.ended("vanished-1")
    assert (described["HumanLoopStatus"], described["FailureCode"]) == ("Failed", "InternalError")
    assert "NoSuchBucket" in described["FailureReason"]


def test_the_end_of_a_loop_is_told_as_eventbridge_tells_it(hasty: Humans) -> None:
    flow = hasty.flow("told")
    hasty.start("told-1", flow)
    task = seats.take(hasty.ctx, hasty.worker(), "told")
    seats.submit(hasty.ctx, hasty.worker(), task.seat_id, label("1"))
    described = hasty.ended("told-1")

    def mine() -> list[dict[str, Any]]:
        return [event for event in _events(hasty.server.home) if event["detail"]["humanLoopName"] == "told-1"]

    until(lambda: bool(mine()))
    (event,) = mine()
    assert event["detail-type"] == "SageMaker A2I HumanLoop Status Change"
    assert (event["source"], event["region"], event["account"]) == ("aws.sagemaker", "us-east-1", "123456789012")
    assert event["resources"] == [described["HumanLoopArn"]]
    assert event["detail"] == {
        "creationTime": event["detail"]["creationTime"],
        "flowDefinitionArn": flow,
        "humanLoopArn": described["HumanLoopArn"],
        "humanLoopName": "told-1",
        "humanLoopOutput": {"outputS3Uri": described["HumanLoopOutput"]["OutputS3Uri"]},
        "humanLoopStatus": "Completed",
    }


def test_failed_and_stopped_loops_are_told_too(hasty: Humans) -> None:
    flow = hasty.flow("ends", TaskAvailabilityLifetimeInSeconds=30)
    hasty.start("ends-expired", flow)
    hasty.start("ends-stopped", flow)
    hasty.loops.stop_human_loop(HumanLoopName="ends-stopped")

    def told() -> dict[str, dict[str, Any]]:
        return {event["detail"]["humanLoopName"]: event["detail"] for event in _events(hasty.server.home)}

    until(lambda: {"ends-expired", "ends-stopped"} <= told().keys())
    assert told()["ends-stopped"]["humanLoopStatus"] == "Stopped"
    assert (told()["ends-expired"]["humanLoopStatus"], told()["ends-expired"]["failureCode"]) == ("Failed", "Expired")
