"""The operator for human loops against localaws: what is asked, what comes back, and what the deadline makes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from fault_proxy import Faults, fault_proxy
from human_review_kit import answer, answers, flow, items, loops, make_flow, make_team, people, statuses
from localaws_kit import LocalAws
from operator_kit import BUCKET, Airflow, FakeTask
from waiting_kit import until

from amazon_ml.exceptions import JobFailed, RequestRefused
from amazon_ml.hooks.human_loops import HumanLoopsHook
from amazon_ml.hooks.sagemaker import SageMakerJobHook

NONE = {"completed": 0, "failed": 0, "stopped": 0, "expired": 0, "open": 0}


@pytest.fixture
def arn(request: pytest.FixtureRequest, aws: Any, airflow: Airflow) -> str:
    """An active flow definition of this test's own."""
    return make_flow(airflow, request.node.name)


@pytest.fixture
def faults(localaws: LocalAws, aws: Any, arn: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """A proxy before localaws that every client in this test goes through."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)
    with fault_proxy(localaws.port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


class ByPrefix(dict[str, Any]):
    """A plan of faults whose operations are beginnings: a List has its query in the path."""

    def get(self, operation: str, default: Any = None) -> Any:
        return next((planned for prefix, planned in self.items() if operation.startswith(prefix)), default)


def answers_uri(ti: FakeTask) -> str:
    return f"s3://{BUCKET}/human/{ti.run_id}/answers.jsonl"


def asked(proxy: Faults, method: str, path: str) -> int:
    """How many requests went to a path of the loops' service, or below it."""
    return sum(
        count
        for operation, count in proxy.seen.items()
        if operation.startswith(f"{method} {path}") and "/human/" not in operation
    )


def test_answers_come_as_lines_in_the_order_of_the_items(
    aws: Any, localaws: LocalAws, airflow: Airflow, ti: FakeTask, arn: str
) -> None:
    make = loops(ti, arn, items(3))
    deferred = airflow.start(make, ti)
    assert isinstance(deferred, TaskDeferred)
    assert answer(localaws, arn, count=5) == 3
    result = airflow.resume(make, ti, deferred, airflow.fire(deferred))
    assert result == {"items": 3, "started": 3, **NONE, "completed": 3, "answers": answers_uri(ti)}
    lines = answers(aws, answers_uri(ti))
    assert [line["id"] for line in lines] == ["r0", "r1", "r2"]
    for number, line in enumerate(lines):
        assert line["status"] == "Completed"
        assert line["output"]["humanLoopName"] == line["loop"]
        assert line["output"]["inputContent"] == {"text": f"review {number}"}
        assert [each["answerContent"] for each in line["output"]["humanAnswers"]] == [{"sentiment": {"label": "1"}}]
    assert not ti.pushed


def test_items_may_be_a_file_in_s3(aws: Any, localaws: LocalAws, airflow: Airflow, ti: FakeTask, arn: str) -> None:
    lines = [{"id": 7, "input": json.dumps({"text": "as text"})}, {"id": "b", "input": {"text": "as an object"}}]
    body = "\n".join(json.dumps(line) for line in lines)
    aws("s3").put_object(Bucket=BUCKET, Key="in/items.jsonl", Body=body)
    make = loops(ti, arn, f"s3://{BUCKET}/in/items.jsonl", deferrable=False)

    def run() -> Any:
        operator = make()
        pause = operator._pause

        def answered(seconds: float) -> None:
            answer(localaws, arn, count=2)
            pause(seconds)

        operator._pause = answered
        return operator

    assert airflow.run(run, ti)["completed"] == 2
    found = answers(aws, answers_uri(ti))
    assert [line["id"] for line in found] == [7, "b"]
    assert found[0]["output"]["inputContent"] == {"text": "as text"}
    lineage = make()
    lineage.note_data([f"s3://{BUCKET}/in/items.jsonl"], [answers_uri(ti)])
    assert lineage.get_openlineage_facets_on_complete(ti).outputs[0].name == f"human/{ti.run_id}/answers.jsonl"


def test_no_items_are_no_loops_and_an_empty_file(aws: Any, airflow: Airflow, ti: FakeTask, arn: str) -> None:
    assert airflow.run(loops(ti, arn, []), ti) == {"items": 0, "started": 0, **NONE, "answers": answers_uri(ti)}
    assert answers(aws, answers_uri(ti)) == []
    assert airflow.deferrals == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", r"line 2 of s3://jobs-bucket/in/bad.jsonl is not JSON"),
        ('{"id": "b"}', r"line 2 of .* is not an item with id and input"),
        ('{"id": "", "input": {}}', r"line 2 of .*: the id '' is neither text nor a whole number"),
        ('{"id": true, "input": {}}', r"the id True is neither"),
        ('{"id": "a", "input": {}}', r"line 2 of .*: the id 'a' is that of line 1 of .*, and an item has one loop"),
        ('{"id": "b", "input": [1]}', r"item 'b': the input is not a JSON object: it is list"),
        ('{"id": "b", "input": "{"}', r"item 'b': the input is not a JSON object: Expecting"),
        (
            json.dumps({"id": "b", "input": {"x": "y" * 3145720}}),
            r"item 'b': the input has 3145729 characters, at most",
        ),
    ],
)
def test_a_bad_item_is_named_and_nothing_is_started(
    aws: Any, airflow: Airflow, ti: FakeTask, arn: str, line: str, says: str
) -> None:
    aws("s3").put_object(Bucket=BUCKET, Key="in/bad.jsonl", Body=f'{{"id": "a", "input": {{}}}}\n{line}\n')
    with pytest.raises(ValueError, match=says) as failure:
        airflow.run(loops(ti, arn, f"s3://{BUCKET}/in/bad.jsonl"), ti)
    assert not isinstance(failure.value, json.JSONDecodeError)
    assert statuses(aws, arn) == {}


def test_a_flow_definition_that_is_not_there_is_said_at_once(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/nowhere"
    with pytest.raises(RequestRefused, match=f"There is no flow definition {arn}"):
        airflow.run(loops(ti, arn, items(1)), ti)


def test_a_flow_definition_that_has_failed_fails_the_task_with_its_reason(
    aws: Any, airflow: Airflow, ti: FakeTask
) -> None:
    from human_review_kit import ui

    page = airflow.run(ui("page"), FakeTask(task_id="ui"))["arn"]
    make = flow("bad-output", page, make_team(airflow), output_path="s3://there-is-no-such-bucket/a2i")
    with pytest.raises(JobFailed, match=r"bad-output is Failed: S3OutputPath .*there-is-no-such-bucket"):
        airflow.run(make, FakeTask(task_id="flow"))
    arn = aws("sagemaker").describe_flow_definition(FlowDefinitionName="bad-output")["FlowDefinitionArn"]
    with pytest.raises(JobFailed, match=r"Flow definition bad-output is Failed: S3OutputPath"):
        airflow.run(loops(ti, arn, items(1)), ti)


def test_at_the_deadline_partial_answers_are_used_and_the_rest_is_stopped(
    aws: Any, localaws: LocalAws, airflow: Airflow, ti: FakeTask, arn: str
) -> None:
    make = loops(ti, arn, items(3), timeout=timedelta(seconds=8))
    deferred = airflow.start(make, ti)
    assert answer(localaws, arn, count=1) == 1
    event = airflow.fire(deferred)
    assert event["status"] == "deadline" and event["resource_status"] == "2 of 3 open"
    result = airflow.resume(make, ti, deferred, event)
    assert result == {"items": 3, "started": 3, **NONE, "completed": 1, "stopped": 2, "answers": answers_uri(ti)}
    assert sorted(statuses(aws, arn).values()) == ["Completed", "Stopped", "Stopped"]
    outputs = {line["status"]: line["output"] for line in answers(aws, answers_uri(ti))}
    assert outputs["Completed"] and outputs["Stopped"] is None


def test_of_a_stopped_loop_the_answers_that_there_are_are_used(
    aws: Any, localaws: LocalAws, airflow: Airflow, ti: FakeTask
) -> None:
    arn = make_flow(airflow, "one-of-two", flow_definition_name="one-of-two", task_count=2)
    make = loops(ti, arn, items(1), timeout=timedelta(seconds=6))
    deferred = airflow.start(make, ti)
    assert answer(localaws, arn, label="-1", count=1) == 1
    assert airflow.resume(make, ti, deferred, airflow.fire(deferred))["stopped"] == 1
    (line,) = answers(aws, answers_uri(ti))
    assert [each["answerContent"] for each in line["output"]["humanAnswers"]] == [{"sentiment": {"label": "-1"}}]


def test_loops_may_be_left_open_and_a_clear_collects_what_came_since(
    aws: Any, localaws: LocalAws, airflow: Airflow, ti: FakeTask, arn: str
) -> None:
    make = loops(ti, arn, items(2), timeout=timedelta(seconds=3), at_deadline="leave")
    first = airflow.run(make, ti)
    assert first == {"items": 2, "started": 2, **NONE, "open": 2, "answers": answers_uri(ti)}
    assert answer(localaws, arn, count=2) == 2
    until_ended(aws, arn)
    assert airflow.run(make, ti.next_try()) == {**first, "completed": 2, "open": 0}


def until_ended(aws: Any, arn: str) -> None:
    ends = {"Completed", "Failed", "Stopped"}
    until(lambda: statuses(aws, arn), lambda seen: set(seen.values()) <= ends, 30, every=0.1)


def test_a_retry_does_not_extend_the_deadline(aws: Any, airflow: Airflow, ti: FakeTask, arn: str) -> None:
    ti.start_date = datetime.now(UTC) - timedelta(minutes=30)
    make = loops(ti, arn, items(1), timeout=timedelta(hours=1))
    first = airflow.start(make, ti)
    again = airflow.start(make, ti.next_try())
    assert again.trigger.deadline == first.trigger.deadline == pytest.approx(time.time() + 1800, abs=60)
    # Airflow's own time-out is for a triggerer that is away: it must not come first.
    assert again.timeout > timedelta(minutes=30)
    more = airflow.start(loops(ti, arn, items(2), timeout=timedelta(hours=1)), ti.next_try())
    assert more.trigger.deadline == pytest.approx(time.time() + 3600, abs=60), "other items are another question"


def test_a_shorter_execution_timeout_leaves_time_to_collect(aws: Any, airflow: Airflow, ti: FakeTask, arn: str) -> None:
    make = loops(ti, arn, items(1), timeout=timedelta(hours=5), execution_timeout=timedelta(hours=2))
    assert airflow.start(make, ti).trigger.deadline == pytest.approx(time.time() + 7200 - 300, abs=60)


def test_when_airflows_own_time_is_over_the_answers_are_collected(
    aws: Any, localaws: LocalAws, airflow: Airflow, ti: FakeTask, arn: str
) -> None:
    make = loops(ti, arn, items(2))
    airflow.start(make, ti)
    answer(localaws, arn, count=1)
    result = make().resume_execution("__fail__", {"error": "Trigger timeout"}, {"ti": ti, "params": {}})
    assert (result["completed"], result["stopped"]) == (1, 1)


def test_loops_that_nobody_takes_in_time_are_counted_as_expired(
    aws: Any, airflow: Airflow, ti: FakeTask, request: pytest.FixtureRequest
) -> None:
    arn = make_flow(airflow, request.node.name, availability_lifetime=1)
    assert airflow.run(loops(ti, arn, items(2)), ti)["expired"] == 2
    line = answers(aws, answers_uri(ti))[0]
    assert (line["status"], line["failure_code"], line["output"]) == ("Failed", "Expired", None)
    assert line["failure_reason"]


def test_a_loop_that_is_there_already_is_waited_for_and_not_ours(
    aws: Any, localaws: LocalAws, airflow: Airflow, ti: FakeTask, arn: str
) -> None:
    airflow.start(loops(ti, arn, items(1)), ti)
    other = FakeTask(run_id=f"{ti.run_id}-other")
    make = loops(other, arn, [{"id": "r0", "input": {"text": "asked otherwise"}}, *items(1, "s")])
    deferred = airflow.start(make, other)
    assert len(statuses(aws, arn)) == 2
    assert answer(localaws, arn, count=2) == 2
    result = airflow.resume(make, other, deferred, airflow.fire(deferred))
    assert (result["items"], result["started"], result["completed"]) == (2, 1, 2)
    assert answers(aws, result["answers"])[0]["output"]["inputContent"] == {"text": "review 0"}


def test_the_deadline_leaves_the_loops_of_others_open(aws: Any, airflow: Airflow, ti: FakeTask, arn: str) -> None:
    airflow.start(loops(ti, arn, items(1)), ti)
    other = FakeTask(run_id=f"{ti.run_id}-other")
    result = airflow.run(loops(other, arn, items(2), timeout=timedelta(seconds=1)), other)
    assert (result["started"], result["stopped"], result["open"]) == (1, 1, 1)


def test_another_batch_asks_about_the_same_item_again(aws: Any, airflow: Airflow, ti: FakeTask, arn: str) -> None:
    for batch in ("", "second"):
        airflow.start(loops(ti, arn, items(1), batch=batch), ti)
    assert len(statuses(aws, arn)) == 2


def test_loops_of_items_that_are_asked_about_no_more_are_stopped(
    aws: Any, airflow: Airflow, ti: FakeTask, arn: str
) -> None:
    airflow.start(loops(ti, arn, items(3)), ti)
    before = statuses(aws, arn)
    airflow.start(loops(ti, arn, items(1)), ti.next_try())
    after = statuses(aws, arn)
    assert set(after) == set(before)
    assert sorted(after.values()) == ["InProgress", "Stopped", "Stopped"]


def test_waiting_asks_for_pages_and_not_for_each_loop(
    localaws: LocalAws, faults: Faults, airflow: Airflow, ti: FakeTask, arn: str
) -> None:
    deferred = airflow.start(loops(ti, arn, items(120)), ti)
    assert asked(faults, "POST", "/human-loops") == 120
    faults.seen.clear()
    deferred.trigger.deadline = time.time() + 3
    assert airflow.fire(deferred)["resource_status"] == "120 of 120 open"
    assert asked(faults, "GET", "/human-loops/") == 0
    rounds = asked(faults, "GET", "/human-loops?") / 2
    assert 1 <= rounds <= 3, "two pages a round, every two seconds"


def test_throttling_and_server_errors_are_tried_again(
    aws: Any, faults: Faults, airflow: Airflow, ti: FakeTask, arn: str
) -> None:
    passing = [(429, "ThrottlingException"), (503, "Unavailable"), (500, "InternalServerException")]
    faults.plan = {"POST /human-loops": passing * 3}
    deferred = airflow.start(loops(ti, arn, items(4), clients=2), ti)
    assert faults.plan["POST /human-loops"] == []
    assert len(statuses(aws, arn)) == 4
    faults.plan = ByPrefix({"GET /human-loops?": passing * 2})
    deferred.trigger.deadline = time.time() + 8
    assert airflow.fire(deferred)["resource_status"] == "4 of 4 open"
    assert faults.plan["GET /human-loops?"] == []


def test_a_quota_is_left_to_airflows_retries_which_start_the_others(
    aws: Any, faults: Faults, airflow: Airflow, ti: FakeTask, arn: str
) -> None:
    faults.plan = {"POST /human-loops": [(402, "ServiceQuotaExceededException")]}
    with pytest.raises(Exception, match="ServiceQuotaExceeded") as failure:
        airflow.run(loops(ti, arn, items(5), clients=1), ti)
    assert not isinstance(failure.value, RequestRefused)
    assert isinstance(airflow.start(loops(ti, arn, items(5)), ti.next_try()), TaskDeferred)
    assert len(statuses(aws, arn)) == 5


def test_an_item_that_aws_refuses_is_named(faults: Faults, airflow: Airflow, ti: FakeTask, arn: str) -> None:
    faults.plan = {"POST /human-loops": [(400, "ValidationException")]}
    with pytest.raises(RequestRefused, match=r"Item 'r0' was not taken: start_human_loop\(r0-.*ValidationException"):
        airflow.run(loops(ti, arn, items(2), clients=1), ti)


def test_access_lost_while_waiting_fails_the_task_and_the_next_try_goes_on(
    aws: Any, faults: Faults, airflow: Airflow, ti: FakeTask, arn: str
) -> None:
    make = loops(ti, arn, items(1))
    deferred = airflow.start(make, ti)

    faults.plan = ByPrefix({"GET /human-loops?": [(403, "AccessDeniedException")]})
    event = airflow.fire(deferred)
    with pytest.raises(JobFailed, match=r"its status could not be read.*AccessDeniedException"):
        airflow.resume(make, ti, deferred, event)
    assert set(statuses(aws, arn).values()) == {"InProgress"}


def test_a_manifest_of_somebody_else_is_refused(aws: Any, airflow: Airflow, ti: FakeTask, arn: str) -> None:
    aws("s3").put_object(Bucket=BUCKET, Key=f"human/{ti.run_id}/loops.jsonl", Body=b"something else\n")
    with pytest.raises(RequestRefused, match=r"loops.jsonl is not what this task writes there"):
        airflow.run(loops(ti, arn, items(1)), ti)


def test_a_worker_who_has_a_task_open_at_the_deadline_may_finish_it(
    aws: Any, localaws: LocalAws, airflow: Airflow, ti: FakeTask, arn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amazon_ml.operators.human_loops._SETTLE", 0.5)
    make = loops(ti, arn, items(1), timeout=timedelta(seconds=4))
    deferred = airflow.start(make, ti)
    people(localaws, "hold", arn.rpartition("/")[2], "ann")
    first = airflow.resume(make, ti, deferred, airflow.fire(deferred))
    assert (first["open"], first["stopped"]) == (1, 0)
    assert answer(localaws, arn, count=1) == 1
    until_ended(aws, arn)
    airflow.run(make, ti.next_try())
    assert answers(aws, answers_uri(ti))[0]["output"]["humanAnswers"]


def test_the_portal_is_one_click_away_from_the_task(
    aws: Any, airflow: Airflow, ti: FakeTask, arn: str, localaws: LocalAws
) -> None:
    from amazon_ml.links.portal import WorkerPortalLink

    operator = loops(ti, arn, items(1), timeout=timedelta(seconds=1))()
    airflow.start(lambda: operator, ti)
    host = aws("sagemaker").describe_workteam(WorkteamName="reviewers")["Workteam"]["SubDomain"]
    link: Any = WorkerPortalLink().get_link(operator, ti_key=None)  # type: ignore[arg-type]
    assert link == f"http://{host}"
    later = loops(ti, arn, items(1))()
    later.execute_complete({"ti": ti}, {"status": "deadline", "name": "", "resource_status": "", "message": ""})
    assert later.portal_url == link


def test_the_loops_hook_is_of_the_operators_connection() -> None:
    hook = SageMakerJobHook("aws_other", region_name="eu-west-1", verify=False).sibling(HumanLoopsHook)
    assert (hook.aws_conn_id, hook._region_name, hook._verify) == ("aws_other", "eu-west-1", False)
