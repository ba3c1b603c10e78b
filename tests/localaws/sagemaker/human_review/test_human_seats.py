"""What workers do: take, answer, put off, decline and give back tasks."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from human_kit import Desk, Person, label, team

from localaws.core.errors import ValidationException
from localaws.sagemaker.human_review import flow_definition, human_loop, loops, seats, tables, templates


def _job(desk: Desk, worker: Person) -> tuple[int, int]:
    found = seats.jobs(desk.ctx, worker)
    assert len(found) <= 1
    return (found[0].open, found[0].mine) if found else (0, 0)


# -- jobs and take


def test_jobs_say_what_a_worker_could_take_and_has_taken(desk: Desk) -> None:
    flow = desk.flow("flow", TaskKeywords=["text"], TaskAvailabilityLifetimeInSeconds=1000)
    ann, bob = desk.worker("ann"), desk.worker("bob")
    assert seats.jobs(desk.ctx, ann) == []
    for number in range(3):
        desk.start(f"loop-{number}", flow)
        desk.ctx.wait(1)
    (job,) = seats.jobs(desk.ctx, ann)
    assert (job.flow_name, job.flow_arn, job.team_arn) == ("flow", flow, desk.team)
    assert (job.title, job.description, job.keywords) == (
        "Sentiment of a review",
        "Say what the writer thinks.",
        ("text",),
    )
    assert (job.open, job.mine) == (3, 0)
    assert job.expires_at == desk.ctx.now() + timedelta(seconds=997)
    seats.take(desk.ctx, ann, "flow")
    assert _job(desk, ann) == (2, 1)
    assert _job(desk, bob) == (2, 0)


def test_the_oldest_task_comes_first(desk: Desk) -> None:
    flow = desk.flow("flow")
    for name in ("zebra", "apple"):
        desk.start(name, flow)
        desk.ctx.wait(1)
    assert seats.take(desk.ctx, desk.worker("ann"), "flow").loop_name == "zebra"
    assert seats.take(desk.ctx, desk.worker("bob"), "flow").loop_name == "apple"


def test_a_worker_gets_his_open_task_again(desk: Desk) -> None:
    flow = desk.flow("flow")
    for number in range(2):
        desk.start(f"loop-{number}", flow)
    first = seats.take(desk.ctx, desk.worker(), "flow")
    assert seats.take(desk.ctx, desk.worker(), "flow") == first
    assert seats.get(desk.ctx, desk.worker(), first.seat_id) == first
    assert 'initial-value="1"' in first.html
    assert "Lovely &lt;b&gt;dress&lt;/b&gt;" in first.html


def test_a_worker_of_another_team_sees_and_gets_nothing(desk: Desk) -> None:
    flow = desk.flow("flow")
    desk.start("loop-0", flow)
    desk.start("loop-1", flow)
    task = seats.take(desk.ctx, desk.worker(), "flow")
    stranger = desk.worker("eve", team(desk.ctx, "others"))
    assert seats.jobs(desk.ctx, stranger) == []
    with pytest.raises(seats.NothingLeft):
        seats.take(desk.ctx, stranger, "flow")
    for call in (seats.get, seats.decline, seats.release, seats.pause):
        with pytest.raises(seats.NoSuchSeat):
            call(desk.ctx, stranger, task.seat_id)
    with pytest.raises(seats.NoSuchSeat):
        seats.submit(desk.ctx, stranger, task.seat_id, label("1"))


def test_a_worker_who_left_the_team_cannot_answer_the_task_that_is_open(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow"))
    task = seats.take(desk.ctx, desk.worker(), "flow")
    with pytest.raises(seats.NoSuchSeat):
        seats.submit(desk.ctx, desk.worker("ann", team(desk.ctx, "others")), task.seat_id, label("1"))


def test_an_unknown_flow_has_nothing(desk: Desk) -> None:
    with pytest.raises(seats.NothingLeft):
        seats.take(desk.ctx, desk.worker(), "no-such-flow")


def test_another_workers_seat_is_not_told_from_one_that_is_not_there(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow"))
    task = seats.take(desk.ctx, desk.worker("ann"), "flow")
    messages = []
    for seat in (task.seat_id, "0" * 32):
        with pytest.raises(seats.NoSuchSeat) as error:
            seats.get(desk.ctx, desk.worker("bob"), seat)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_workers_at_once_never_get_more_seats_than_there_are(desk: Desk, count: int) -> None:
    flow = desk.flow("flow", TaskCount=count)
    for number in range(10):
        desk.start(f"loop-{number}", flow)
    taken: list[tuple[str, str]] = []
    lock = threading.Lock()

    def work(worker: Person) -> None:
        while True:
            try:
                task = seats.take(desk.ctx, worker, "flow")
            except seats.NothingLeft:
                return
            with lock:
                taken.append((task.loop_name, worker.username))
            seats.submit(desk.ctx, worker, task.seat_id, label("0"))

    threads = [threading.Thread(target=work, args=(desk.worker(f"w{number}"),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 10 * count


# -- answers


def test_an_answer_completes_the_loop_and_its_output_has_awss_shape(desk: Desk) -> None:
    flow = desk.flow("flow")
    desk.start("loop", flow)
    ann = desk.worker()
    desk.ctx.wait(7)
    task = seats.take(desk.ctx, ann, "flow")
    desk.ctx.wait(4.25)
    seats.submit(desk.ctx, ann, task.seat_id, label("-1"))
    assert desk.describe("loop")["HumanLoopStatus"] == "InProgress"
    desk.ctx.wait(0)
    described = desk.describe("loop")
    assert described["HumanLoopStatus"] == "Completed"
    assert described["HumanLoopOutput"]["OutputS3Uri"] == (
        "s3://reviews/answers/flow/2026/11/24/12/00/00/loop/output.json"
    )
    assert desk.output("loop") == {
        "flowDefinitionArn": flow,
        "humanAnswers": [
            {
                "acceptanceTime": "2026-11-24T12:00:07.000Z",
                "answerContent": {"sentiment": {"label": "-1"}},
                "submissionTime": "2026-11-24T12:00:11.250Z",
                "timeSpentInSeconds": 4.25,
                "workerId": ann.worker_id,
                "workerMetadata": {
                    "identityData": {"identityProviderType": "Cognito", "issuer": ann.issuer, "sub": ann.sub}
                },
            }
        ],
        "humanLoopName": "loop",
        "inputContent": {"initialValue": "1", "taskObject": "Lovely <b>dress</b>"},
    }
    assert re.fullmatch("[0-9a-f]{16}", ann.worker_id)


def test_answers_come_from_as_many_workers_as_task_count_says(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow", TaskCount=3))
    for number, value in enumerate(("1", "0", "1")):
        worker = desk.worker(f"w{number}")
        task = seats.take(desk.ctx, worker, "flow")
        assert desk.describe("loop")["HumanLoopStatus"] == "InProgress"
        seats.submit(desk.ctx, worker, task.seat_id, label(value))
        desk.ctx.wait(1)
        with pytest.raises(seats.NothingLeft):
            seats.take(desk.ctx, worker, "flow")
    assert desk.describe("loop")["HumanLoopStatus"] == "Completed"
    answers = desk.output("loop")["humanAnswers"]
    assert [answer["answerContent"]["sentiment"]["label"] for answer in answers] == ["1", "0", "1"]
    assert len({answer["workerId"] for answer in answers}) == 3


def test_the_same_answer_twice_is_fine_and_another_is_not(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow"))
    task = seats.take(desk.ctx, desk.worker(), "flow")
    for _ in range(2):
        seats.submit(desk.ctx, desk.worker(), task.seat_id, label("1"))
    desk.ctx.wait(1)
    seats.submit(desk.ctx, desk.worker(), task.seat_id, label("1"))
    with pytest.raises(seats.AlreadyAnswered):
        seats.submit(desk.ctx, desk.worker(), task.seat_id, label("0"))
    assert len(desk.output("loop")["humanAnswers"]) == 1
    assert seats.counts(desk.ctx, desk.worker()) == {"answered": 1, "declined": 0}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([], "JSON object"),
        ("1", "JSON object"),
        ({}, "Choose one of the categories of sentiment: -1, 0, 1"),
        ({"sentiment": {}}, "Choose one"),
        ({"sentiment": "1"}, "Choose one"),
        ({"sentiment": {"label": "2"}}, "'2' is not one of the categories"),
        ({"sentiment": {"label": 1}}, "1 is not one of the categories"),
        ({"sentiment": {"label": "1"}, "note": float("nan")}, "not JSON"),
        ({"sentiment": {"label": "1"}, "note": "x" * 1024**2}, "bytes"),
    ],
)
def test_an_answer_that_is_none_is_refused_and_the_task_stays_open(desk: Desk, answer: Any, words: str) -> None:
    desk.start("loop", desk.flow("flow"))
    task = seats.take(desk.ctx, desk.worker(), "flow")
    with pytest.raises(seats.BadAnswer, match=re.escape(words)):
        seats.submit(desk.ctx, desk.worker(), task.seat_id, answer)
    seats.submit(desk.ctx, desk.worker(), task.seat_id, label("1"))


def test_several_labels_of_a_multi_select_are_checked_each(desk: Desk) -> None:
    template = """<crowd-form><crowd-classifier-multi-select name="topics" categories='["fit", "colour"]'>
        </crowd-classifier-multi-select></crowd-form>"""
    desk.start("loop", desk.flow("flow", template=template))
    task = seats.take(desk.ctx, desk.worker(), "flow")
    with pytest.raises(seats.BadAnswer, match="'price'"):
        seats.submit(desk.ctx, desk.worker(), task.seat_id, {"topics": {"labels": ["fit", "price"]}})
    seats.submit(desk.ctx, desk.worker(), task.seat_id, {"topics": {"labels": ["fit", "colour"]}})


@pytest.mark.parametrize("answer", [{"topics": {"labels": []}}, {"topics.labels": ["fit"]}], ids=["none", "flattened"])
def test_no_label_and_a_flattened_one_are_answers_too(desk: Desk, answer: dict[str, Any]) -> None:
    template = """<crowd-form answer-format="flatten-objects"><crowd-classifier-multi-select name="topics"
        categories='["fit", "colour"]' exclusion-category="None"></crowd-classifier-multi-select></crowd-form>"""
    desk.start("loop", desk.flow("flow", template=template))
    task = seats.take(desk.ctx, desk.worker(), "flow")
    seats.submit(desk.ctx, desk.worker(), task.seat_id, answer)
    desk.ctx.wait(1)
    assert desk.output("loop")["humanAnswers"][0]["answerContent"] == answer


def test_a_flattened_label_is_checked_too(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow"))
    task = seats.take(desk.ctx, desk.worker(), "flow")
    with pytest.raises(seats.BadAnswer, match="'2'"):
        seats.submit(desk.ctx, desk.worker(), task.seat_id, {"sentiment.label": "2"})


# -- leases, drafts


def test_a_lease_runs_out_and_the_task_goes_to_another(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow", TaskTimeLimitInSeconds=60))
    ann, bob = desk.worker("ann"), desk.worker("bob")
    task = seats.take(desk.ctx, ann, "flow")
    assert task.lease_until == desk.ctx.now() + timedelta(seconds=60)
    desk.ctx.wait(59)
    with pytest.raises(seats.NothingLeft):
        seats.take(desk.ctx, bob, "flow")
    # Not before the reconciler has been there: the lease itself counts.
    desk.ctx.clock[0] += timedelta(seconds=1)
    assert seats.take(desk.ctx, bob, "flow").loop_name == "loop"
    with pytest.raises(seats.LeaseOver):
        seats.submit(desk.ctx, ann, task.seat_id, label("1"))
    desk.ctx.wait(0)
    with pytest.raises(seats.LeaseOver):
        seats.get(desk.ctx, ann, task.seat_id)


def test_a_draft_is_still_there_when_its_lease_ran_out_and_the_task_is_taken_again(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow", TaskTimeLimitInSeconds=60))
    task = seats.take(desk.ctx, desk.worker(), "flow")
    assert task.draft is None
    seats.save_draft(desk.ctx, desk.worker(), task.seat_id, {"note": "half a th"})
    assert seats.get(desk.ctx, desk.worker(), task.seat_id).draft == {"note": "half a th"}
    desk.ctx.wait(61)
    with pytest.raises(seats.LeaseOver):
        seats.save_draft(desk.ctx, desk.worker(), task.seat_id, {"note": "late"})
    again = seats.take(desk.ctx, desk.worker(), "flow")
    assert again.draft == {"note": "half a th"}
    assert again.lease_until == desk.ctx.now() + timedelta(seconds=60)


def test_the_time_limit_is_an_hour_where_the_flow_does_not_say(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow"))
    task = seats.take(desk.ctx, desk.worker(), "flow")
    assert task.lease_until == desk.ctx.now() + timedelta(hours=1)


def test_a_lease_does_not_outlast_its_loop(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow", TaskAvailabilityLifetimeInSeconds=100))
    desk.ctx.wait(90)
    task = seats.take(desk.ctx, desk.worker(), "flow")
    assert task.lease_until == task.expires_at == desk.ctx.now() + timedelta(seconds=10)
    desk.ctx.wait(10)
    with pytest.raises(seats.LoopEnded):
        seats.submit(desk.ctx, desk.worker(), task.seat_id, label("1"))
    assert desk.describe("loop")["FailureCode"] == "Expired"


def test_the_clock_factor_shortens_leases_and_lifetimes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALAWS_CLOCK_FACTOR", "30")
    desk.start("loop", desk.flow("flow", TaskTimeLimitInSeconds=60, TaskAvailabilityLifetimeInSeconds=300))
    task = seats.take(desk.ctx, desk.worker(), "flow")
    assert task.lease_until == desk.ctx.now() + timedelta(seconds=2)
    assert task.expires_at == desk.ctx.now() + timedelta(seconds=10)


def test_a_draft_is_64_kib_at_most(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow"))
    task = seats.take(desk.ctx, desk.worker(), "flow")
    with pytest.raises(seats.BadAnswer, match="65,536"):
        seats.save_draft(desk.ctx, desk.worker(), task.seat_id, {"note": "x" * 64 * 1024})


# -- decline, release, pause, stop


def test_a_declined_task_does_not_come_back_and_others_get_it(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow"))
    task = seats.take(desk.ctx, desk.worker("ann"), "flow")
    seats.decline(desk.ctx, desk.worker("ann"), task.seat_id)
    assert _job(desk, desk.worker("ann")) == (0, 0)
    with pytest.raises(seats.NothingLeft):
        seats.take(desk.ctx, desk.worker("ann"), "flow")
    assert seats.take(desk.ctx, desk.worker("bob"), "flow").loop_name == "loop"
    assert seats.counts(desk.ctx, desk.worker("ann")) == {"answered": 0, "declined": 1}


def test_a_released_task_loses_its_draft_and_may_be_taken_again(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow"))
    task = seats.take(desk.ctx, desk.worker(), "flow")
    seats.save_draft(desk.ctx, desk.worker(), task.seat_id, {"note": "lost"})
    seats.release(desk.ctx, desk.worker(), task.seat_id)
    with pytest.raises(seats.NoSuchSeat):
        seats.get(desk.ctx, desk.worker(), task.seat_id)
    assert _job(desk, desk.worker()) == (1, 0)
    assert seats.take(desk.ctx, desk.worker(), "flow").draft is None


def test_a_paused_task_stays_its_workers_and_its_time_runs_on(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow", TaskTimeLimitInSeconds=60))
    task = seats.take(desk.ctx, desk.worker("ann"), "flow")
    seats.save_draft(desk.ctx, desk.worker("ann"), task.seat_id, {"note": "later"})
    seats.pause(desk.ctx, desk.worker("ann"), task.seat_id)
    desk.ctx.wait(30)
    assert _job(desk, desk.worker("ann")) == (0, 1)
    with pytest.raises(seats.NothingLeft):
        seats.take(desk.ctx, desk.worker("bob"), "flow")
    again = seats.take(desk.ctx, desk.worker("ann"), "flow")
    assert (again.seat_id, again.draft, again.lease_until) == (task.seat_id, {"note": "later"}, task.lease_until)
    seats.pause(desk.ctx, desk.worker("ann"), task.seat_id)
    desk.ctx.wait(31)
    assert seats.take(desk.ctx, desk.worker("bob"), "flow").loop_name == "loop"


def test_a_lease_that_runs_out_lets_a_stopping_loop_stop(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow", TaskTimeLimitInSeconds=60))
    task = seats.take(desk.ctx, desk.worker(), "flow")
    desk.stop("loop")
    desk.ctx.wait(59)
    assert desk.describe("loop")["HumanLoopStatus"] == "Stopping"
    desk.ctx.wait(1)
    assert desk.describe("loop")["HumanLoopStatus"] == "Stopped"
    with pytest.raises(seats.LoopEnded):
        seats.submit(desk.ctx, desk.worker(), task.seat_id, label("1"))


def test_an_input_that_a_template_does_not_take_any_more_fails_its_loop_and_the_next_one_comes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = desk.flow("flow")
    desk.start("bad", flow, '{"taskObject": "unlucky"}')
    desk.ctx.wait(1)
    desk.start("good", flow)
    render = templates.render

    def unlucky(source: str, content: str, ctx: Any) -> templates.Rendered:
        if "unlucky" in content:
            return templates.Rendered("", templates.Problem("TemplateRenderingError", "It takes too long."))
        return render(source, content, ctx)

    monkeypatch.setattr(templates, "render", unlucky)
    assert seats.take(desk.ctx, desk.worker(), "flow").loop_name == "good"
    described = desk.describe("bad")
    assert (described["HumanLoopStatus"], described["FailureCode"]) == ("Failed", "ValidationError")
    assert described["FailureReason"] == "It takes too long."


def test_a_loop_does_not_begin_in_a_flow_that_is_deleted_meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = desk.flow("flow")
    render = templates.render

    def late(source: str, content: str, ctx: Any) -> templates.Rendered:
        flow_definition.delete_flow_definition({"FlowDefinitionName": "flow"}, ctx)
        return render(source, content, ctx)

    monkeypatch.setattr(templates, "render", late)
    with pytest.raises(ValidationException, match="does not exist"):
        desk.start("loop", flow)
    assert loops.find(desk.ctx, "loop") is None


# -- the lead


def test_the_lead_sees_the_queue_and_who_answered_when(desk: Desk) -> None:
    flow = desk.flow("flow", TaskCount=2, TaskAvailabilityLifetimeInSeconds=1000)
    soon = desk.flow("soon", TaskAvailabilityLifetimeInSeconds=10)
    for name, arn in (("first", flow), ("second", flow), ("hurry", soon)):
        desk.start(name, arn)
        desk.ctx.wait(1)
    ann, bob = desk.worker("ann"), desk.worker("bob")
    task = seats.take(desk.ctx, ann, "flow")
    desk.ctx.wait(2)
    seats.submit(desk.ctx, ann, task.seat_id, label("1"))
    seats.take(desk.ctx, bob, "flow")
    overview = seats.lead(desk.ctx, desk.team)
    assert (overview.waiting, overview.answered, overview.older) == (3, 1, None)
    assert [(each.loop_name, each.wanted, each.answered, each.held) for each in overview.queue] == [
        ("hurry", 1, 0, 0),
        ("second", 2, 0, 0),
        ("first", 2, 1, 1),
    ]
    assert overview.expiring[0].loop_name == "hurry"
    (answer,) = overview.answers
    assert (answer.loop_name, answer.worker, answer.label, answer.seconds) == ("first", "ann", "1", 2.0)


def test_the_leads_answers_come_page_by_page_and_newest_first(desk: Desk) -> None:
    flow = desk.flow("flow")
    for number in range(5):
        desk.start(f"loop-{number}", flow)
        desk.ctx.wait(1)
        task = seats.take(desk.ctx, desk.worker(), "flow")
        seats.submit(desk.ctx, desk.worker(), task.seat_id, label("0"))
    found: list[str] = []
    before = None
    while True:
        overview = seats.lead(desk.ctx, desk.team, size=2, before=before)
        found += [answer.loop_name for answer in overview.answers]
        before = overview.older
        if before is None:
            break
    assert found == [f"loop-{number}" for number in (4, 3, 2, 1, 0)]
    assert seats.lead(desk.ctx, team(desk.ctx, "others")).answers == []


def test_labels_of_a_team_say_who_chose_what(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow", TaskCount=2))
    for name, value in (("ann", "1"), ("bob", "0")):
        task = seats.take(desk.ctx, desk.worker(name), "flow")
        seats.submit(desk.ctx, desk.worker(name), task.seat_id, label(value))
        desk.ctx.wait(1)
    ann, bob = (desk.worker(name).worker_id for name in ("ann", "bob"))
    assert seats.labels(desk.ctx, desk.team) == [("loop", bob, "0"), ("loop", ann, "1")]
    assert seats.answered_since(desk.ctx, desk.worker("bob"), desk.ctx.now() - timedelta(seconds=1)) == 1
    assert seats.answered_since(desk.ctx, desk.worker("ann"), desk.ctx.now() - timedelta(seconds=1)) == 0


def test_seats_of_an_older_home_are_those_of_cognitos_workers(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow", TaskCount=2))
    task = seats.take(desk.ctx, desk.worker("ann"), "flow")
    seats.submit(desk.ctx, desk.worker("ann"), task.seat_id, label("1"))
    desk.ctx.wait(1)
    with desk.ctx.store.transaction() as connection:
        connection.execute("ALTER TABLE seat DROP COLUMN provider")
    tables._made.clear()
    eve = replace(desk.worker("eve"), provider="Oidc", issuer="https://idp.example")
    task = seats.take(desk.ctx, eve, "flow")
    seats.submit(desk.ctx, eve, task.seat_id, label("0"))
    desk.ctx.wait(1)
    given = [one["workerMetadata"]["identityData"] for one in desk.output("loop")["humanAnswers"]]
    assert [one["identityProviderType"] for one in given] == ["Cognito", "Oidc"]


def test_deleting_a_loop_keeps_its_workers_counts(desk: Desk) -> None:
    desk.start("loop", desk.flow("flow"))
    task = seats.take(desk.ctx, desk.worker(), "flow")
    seats.submit(desk.ctx, desk.worker(), task.seat_id, label("0"))
    desk.ctx.wait(0)
    human_loop.delete_human_loop({"HumanLoopName": "loop"}, desk.ctx)
    assert seats.counts(desk.ctx, desk.worker()) == {"answered": 1, "declined": 0}
    with pytest.raises(seats.NoSuchSeat):
        seats.submit(desk.ctx, desk.worker(), task.seat_id, label("0"))
