"""Three ways to ask people, one set of tests: the same items in, the same answers out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest
from label_studio_stand_in import ACCESS, JWT, TOKEN, StandIn, serve
from operator_kit import BUCKET

from include.human_review.backends import BACKENDS, a2i, airflow_forms, label_studio
from include.human_review.backends.base import NAMES, Answer, Answered, as_label, as_utc, read_lines, tied, write_lines
from include.human_review.backends.label_studio_client import LabelStudio, LabelStudioRefused
from include.human_review.rounds import next_round

AT = "2026-05-01T10:00:0{}.123Z"


class Person(Protocol):
    """Who answers through a back end: review -> label or None; then what the back end has collected."""

    def __call__(self, given: dict[str, str | None]) -> list[dict[str, Any]]: ...


@pytest.fixture
def place(aws: Any, request: pytest.FixtureRequest) -> str:
    return f"s3://{BUCKET}/{abs(hash(request.node.name))}/"


@pytest.fixture
def items(place: str) -> str:
    """Three reviews, the second without a title."""
    shown = {"a": ("Lovely", "I wear it\neach day"), "b": ("", "It ran {{ small }}"), "c": ("So so", "Well")}
    lines = [
        {"id": name, "input": {"initialValue": "Neutral", "taskObject": body, "title": title, "body": body}}
        for name, (title, body) in shown.items()
    ]
    write_lines(f"{place}items.jsonl", lines)
    return f"{place}items.jsonl"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with serve() as stand_in:
        monkeypatch.setattr(LabelStudio, "of", classmethod(lambda cls, _: cls(stand_in.url, TOKEN)))
        yield stand_in


@pytest.fixture
def by_a2i(items: str, place: str) -> Person:
    def answer(given: dict[str, str | None]) -> list[dict[str, Any]]:
        lines = []
        for number, (name, label) in enumerate(given.items()):
            answered = {
                "answerContent": {"sentiment": {"label": label}},
                "workerId": "0123456789abcdef",
                "submissionTime": AT.format(number),
                "timeSpentInSeconds": 2.5,
            }
            output = {"humanAnswers": [answered], "inputContent": {}} if label else None
            status = "Completed" if label else "Failed"
            lines.append({"id": name, "loop": f"l-{name}", "status": status, "output": output, "output_uri": None})
            lines[-1] |= {"failure_code": None if label else "Expired", "failure_reason": None}
        write_lines(f"{place}loops.jsonl", lines)
        a2i.collect(f"{place}loops.jsonl", f"{place}answers.jsonl")
        return read_lines(f"{place}answers.jsonl")

    return answer


@pytest.fixture
def by_airflow(items: str, place: str) -> Person:
    def answer(given: dict[str, str | None]) -> list[dict[str, Any]]:
        responses = [
            {
                "chosen_options": [label or "Neutral"],
                "params_input": {"comment": ""},
                "responded_by_user": {"id": "1", "name": "admin"} if label else None,
                "responded_at": datetime(2026, 5, 1, 10, 0, number, 123_000, UTC),
            }
            for number, label in enumerate(given.values())
        ]
        airflow_forms.collect(items, responses, f"{place}answers.jsonl")
        return read_lines(f"{place}answers.jsonl")

    return answer


@pytest.fixture
def by_label_studio(items: str, place: str, server: StandIn) -> Person:
    def answer(given: dict[str, str | None]) -> list[dict[str, Any]]:
        pushed = label_studio.push(items, "run one", 1, "1", "60")
        for number, (name, label) in enumerate(given.items()):
            if label:
                server.annotate(name, label, by=7, second=number)
        label_studio.collect(items, pushed, f"{place}answers.jsonl")
        return read_lines(f"{place}answers.jsonl")

    return answer


@pytest.fixture(params=sorted(BACKENDS))
def person(request: pytest.FixtureRequest) -> Person:
    return request.getfixturevalue(f"by_{request.param}")  # type: ignore[no-any-return]


def test_what_people_answer_is_kept_in_the_order_of_the_items(person: Person) -> None:
    found = person({"a": "Positive", "b": "Negative", "c": "Neutral"})
    assert [(line["id"], line["status"]) for line in found] == [(name, "answered") for name in "abc"]
    assert [line["answers"][0]["label"] for line in found] == ["Positive", "Negative", "Neutral"]


def test_who_answered_and_when_is_kept(person: Person) -> None:
    for number, line in enumerate(person({"a": "Positive", "b": "Negative", "c": "Neutral"})):
        (answer,) = line["answers"]
        assert answer["worker"] in ("0123456789abcdef", "airflow:admin", "label_studio:7")
        assert answer["at"] == AT.format(number)


def test_a_review_that_nobody_answered_has_a_reason_and_no_label(person: Person) -> None:
    found = {line["id"]: line for line in person({"a": "Positive", "b": None, "c": "Neutral"})}
    assert (found["b"]["status"], found["b"]["answers"]) == ("unanswered", [])
    assert found["b"]["reason"] in ("the human loop is Failed Expired", "nobody has answered in time")
    assert found["a"]["status"] == "answered"


def test_a_label_that_was_not_asked_for_is_refused(person: Person) -> None:
    with pytest.raises(ValueError, match="answered 'Great' to a, none of Negative, Neutral, Positive"):
        person({"a": "Great", "b": "Negative", "c": "Neutral"})


def test_every_back_end_is_known_by_its_name() -> None:
    assert {name: backend.name for name, backend in BACKENDS.items()} == {name: name for name in BACKENDS}


# -- Augmented AI


def test_partial_answers_of_a_loop_that_ended_early_count(items: str) -> None:
    one = {"answerContent": {"sentiment": {"label": "1"}}, "workerId": "w", "submissionTime": AT.format(0)}
    line = {"id": "a", "loop": "l", "status": "Stopped", "output": {"humanAnswers": [one]}, "failure_code": None}
    found = a2i.read_loop(line)
    assert [answer.label for answer in found.answers] == ["Positive"] and found.reason == ""


@pytest.mark.parametrize(("team", "param"), [("reviewers", "workers"), ("referees", "referees")])
def test_each_team_has_its_own_people_with_a_secret_each(team: str, param: str) -> None:
    params = {"workers": [], "referees": [], param: ["ann@example.com"]}
    assert a2i.accounts(team, params) == [
        {
            "username": "ann@example.com",
            "email_address": "ann@example.com",
            "secret_name": "human_review/ann@example.com",
        }
    ]


# -- Airflow's forms


def test_a_form_shows_the_review_as_it_is_and_not_as_a_template(items: str) -> None:
    found = airflow_forms.forms(items, "90")
    assert [form["defaults"] for form in found] == [["Neutral"]] * 3
    assert found[0]["body"] == "    Lovely\n    \n    I wear it\n    each day"
    assert "{{" not in found[1]["body"] and "small" in found[1]["body"]
    assert found[0]["response_timeout"].total_seconds() == 5400


def test_the_default_that_airflow_takes_after_the_time_is_no_answer() -> None:
    response = {"chosen_options": ["Neutral"], "responded_by_user": None, "responded_at": AT.format(1)}
    assert airflow_forms.read_response("a", response) == Answered("a", [], "nobody has answered in time")


# -- Label Studio


def test_pushing_again_adds_no_task_twice(items: str, server: StandIn) -> None:
    first = label_studio.push(items, "run one", 1, "2", "60")
    server.tasks.pop()
    again = label_studio.push(items, "run one", 1, "2", "60")
    assert first["project"] == again["project"] and len(server.projects) == 1
    assert sorted(task["data"]["review_id"] for task in server.tasks) == ["a", "b", "c"]
    assert server.projects[0]["maximum_annotations"] == 2


def test_each_batch_and_round_has_a_project_of_its_own(items: str, server: StandIn) -> None:
    found = {label_studio.push(items, *each, "1", "60")["project"] for each in (("one", 1), ("one", 2), ("two", 1))}
    assert len(found) == 3
    assert all(3 <= len(project["title"]) <= 50 for project in server.projects)


def test_the_model_s_label_is_shown_as_a_prediction(items: str, server: StandIn) -> None:
    label_studio.push(items, "run one", 1, "1", "60")
    (prediction,) = server.tasks[0]["predictions"]
    assert prediction["result"][0]["value"] == {"choices": ["Neutral"]}
    assert all(f'<Choice value="{name}"' in server.projects[0]["label_config"] for name in NAMES)


def test_the_wait_is_over_when_all_is_answered_or_the_time_is(items: str, server: StandIn) -> None:
    pushed = label_studio.push(items, "run one", 1, "1", "60")
    server.annotate("a", "Positive", by=1)
    server.annotate("b", "Positive", by=1)
    server.annotate("c", None, by=1)
    assert not label_studio.is_over(pushed)
    assert label_studio.is_over({**pushed, "until": "2020-01-01T00:00:00+00:00"})
    server.annotate("c", "Negative", by=2)
    assert label_studio.is_over(pushed)


def test_a_person_who_annotates_twice_counts_by_the_last_one(items: str, server: StandIn) -> None:
    label_studio.push(items, "run one", 1, "2", "60")
    server.annotate("a", "Positive", by=1, second=5)
    server.annotate("a", "Negative", by=1, second=9)
    found = label_studio.read_task(server.tasks[0])
    assert [(answer.label, answer.seconds) for answer in found.answers] == [("Negative", 3.5)]


def test_more_tasks_than_a_page_are_all_read(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("include.human_review.backends.label_studio_client.PAGE", 2)
    client = LabelStudio(server.url, TOKEN)
    project = client.project("many", "<View/>", 1, "")
    tasks = [{"data": {"review_id": str(number)}} for number in range(5)]
    assert client.push(project, tasks, "review_id") == 5
    assert [task["data"]["review_id"] for task in client.tasks(project)] == list("01234")


def test_a_personal_access_token_is_exchanged_for_a_short_lived_one(server: StandIn) -> None:
    client = LabelStudio(server.url, JWT)
    assert client.project("one", "<View/>", 1, "") == 1
    assert client._session.headers["Authorization"] == f"Bearer {ACCESS}"
    assert server.requests.count("POST /api/token/refresh/") == 1


@pytest.mark.parametrize(("token", "said"), [("wrong", "answered 401"), ("", "has no password"), ("a.b.c", "401")])
def test_a_token_that_is_not_taken_is_said(server: StandIn, token: str, said: str) -> None:
    with pytest.raises(LabelStudioRefused, match=said) as refused:
        LabelStudio(server.url, token).project("one", "<View/>", 1, "")
    assert not token or token not in str(refused.value)


def test_a_busy_server_is_asked_again(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    server.failures = [503, 429]
    assert LabelStudio(server.url, TOKEN).project("one", "<View/>", 1, "") == 1


# -- ties


def answers(place: str, given: dict[str, list[str]]) -> str:
    found = [
        Answered(name, [Answer(label, f"w{number}", AT.format(number)) for number, label in enumerate(labels)])
        for name, labels in given.items()
    ]
    write_lines(f"{place}answers.jsonl", [each.as_line() for each in found])
    return f"{place}answers.jsonl"


EVEN = {"a": ["Positive", "Negative"], "b": ["Positive", "Positive"], "c": ["Neutral"]}


@pytest.mark.parametrize(
    ("backend", "referees", "goes_on"),
    [("a2i", ["ann@example.com"], "round_2.backend"), ("a2i", [], "labels"), ("label_studio", [], "round_2.backend")],
)
def test_even_answers_go_to_a_third_person_if_there_is_one(
    items: str, place: str, aws: Any, backend: str, referees: list[str], goes_on: str
) -> None:
    params = {"review_backend": backend, "referees": referees}
    assert next_round(items, answers(place, EVEN), f"{place}ties.jsonl", params) == goes_on
    if goes_on != "labels":
        assert [line["id"] for line in read_lines(f"{place}ties.jsonl")] == ["a"]


def test_without_even_answers_there_is_no_second_round(items: str, place: str) -> None:
    given = {"a": ["Positive", "Positive", "Negative"], "c": ["Neutral"], "b": []}
    params = {"review_backend": "a2i", "referees": ["ann@example.com"]}
    assert next_round(items, answers(place, given), f"{place}ties.jsonl", params) == "labels"


def test_three_different_answers_are_even_and_a_repeated_one_counts_once() -> None:
    def line(*given: tuple[str, str]) -> dict[str, Any]:
        return {
            "id": "a",
            "answers": [{"worker": who, "label": label, "at": str(at)} for at, (who, label) in enumerate(given)],
        }

    assert list(tied([line(("x", "Positive"), ("y", "Negative"), ("z", "Neutral"))])) == ["a"]
    assert list(tied([line(("x", "Positive"), ("y", "Negative"), ("x", "Negative"))])) == []


@pytest.mark.parametrize(
    ("given", "name"), [("-1", "Negative"), ("0", "Neutral"), ("positive", "Positive"), ("Great", "Great")]
)
def test_labels_are_taken_by_name_or_number(given: str, name: str) -> None:
    assert as_label(given) == name


@pytest.mark.parametrize(
    "given", ["2026-05-01T10:00:00.123Z", "2026-05-01T12:00:00.123456+02:00", datetime(2026, 5, 1, 10, 0, 0, 123_000)]
)
def test_times_are_in_utc_and_compare_as_texts(given: Any) -> None:
    assert as_utc(given) == "2026-05-01T10:00:00.123Z"


def test_lines_survive_a_line_separator_in_a_review(place: str) -> None:
    write_lines(f"{place}x.jsonl", [{"id": "a\u2028b"}, {"id": "c"}])
    assert read_lines(f"{place}x.jsonl") == json.loads('[{"id": "a\\u2028b"}, {"id": "c"}]')


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        ({"host": "studio.example.com", "schema": "https"}, "https://studio.example.com"),
        ({"host": "127.0.0.1", "port": 8080}, "http://127.0.0.1:8080"),
        ({"host": "https://studio.example.com/"}, "https://studio.example.com"),
    ],
)
def test_the_server_is_that_of_the_airflow_connection(
    connection: dict[str, Any], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = json.dumps({"conn_type": "http", "password": TOKEN, **connection})
    monkeypatch.setenv("AIRFLOW_CONN_LABEL_STUDIO", given)
    found = LabelStudio.of(label_studio.CONNECTION)
    assert (found.url, found.token) == (url, TOKEN)


def test_a_connection_that_is_not_there_or_names_no_host_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LabelStudioRefused, match="there is no Airflow connection 'nowhere': make one of type http"):
        LabelStudio.of("nowhere")
    monkeypatch.setenv("AIRFLOW_CONN_EMPTY", json.dumps({"conn_type": "http", "password": TOKEN}))
    with pytest.raises(LabelStudioRefused, match="names no host"):
        LabelStudio.of("empty")
