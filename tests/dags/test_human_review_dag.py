"""What `human_review` chooses, whom it asks, and what it hands on."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

BACKENDS = ["a2i", "airflow", "label_studio"]


def test_people_are_asked_by_the_back_end_of_the_form_with_a2i_as_the_default(dagbag: Any) -> None:
    dag = dagbag.dags["human_review"]
    assert dag.params["review_backend"] == "a2i"
    assert dag.params.get_param("review_backend").schema["enum"] == BACKENDS


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_round_goes_on_with_the_tasks_of_its_back_end_alone(dagbag: Any, backend: str) -> None:
    from include.human_review.rounds import which_backend

    chosen = dagbag.dags["human_review"].get_task("round_1.backend")
    begin = chosen.op_args[0]
    found = which_backend(begin, {"review_backend": backend})
    assert found and all(task.startswith(f"round_1.{backend}.") for task in found)
    others = {task for name, tasks in begin.items() if name != backend for task in tasks}
    assert others | set(found) == chosen.downstream_task_ids


def test_only_reviews_of_the_training_split_can_be_chosen(dagbag: Any) -> None:
    inputs = dagbag.dags["human_review"].get_task("candidates").inputs
    assert {"reviews", "train", "validation", "test", "labels"} == inputs.keys()


def test_every_argument_of_the_selection_comes_from_the_form(dagbag: Any) -> None:
    arguments = dagbag.dags["human_review"].get_task("select").arguments
    asked = {value.strip("{} ") for value in arguments.values()}
    assert asked >= {f"params.{name}" for name in ("threshold", "budget", "control_share", "likeness", "seed")}
    assert dagbag.dags["human_review"].params["threshold"] == 0.9


def test_referees_are_another_team_than_the_reviewers(dagbag: Any) -> None:
    dag = dagbag.dags["human_review"]
    teams = [dag.get_task(f"round_{number}.a2i.workteam") for number in (1, 2)]
    assert [team.groups for team in teams] == [["reviewers"], ["referees"]]
    assert teams[0].workteam_name != teams[1].workteam_name
    assert dag.get_task("round_2.a2i.flow").task_count == "1"


def test_loops_are_the_batch_s_own_and_their_answers_are_the_run_s(dagbag: Any) -> None:
    loops = dagbag.dags["human_review"].get_task("round_1.a2i.loops")
    assert "run_id" in loops.batch and "run_id" in loops.output_uri
    assert loops.trigger_rule == "none_failed_min_one_success"


def test_labels_are_merged_whichever_back_end_has_asked(dagbag: Any) -> None:
    dag = dagbag.dags["human_review"]
    labels = dag.get_task("labels")
    assert labels.trigger_rule == "none_failed_min_one_success"
    assert labels.upstream_task_ids == {"ties", *(f"round_2.{name}.collect" for name in BACKENDS)}
    ties = dag.get_task("ties")
    assert ties.upstream_task_ids == {f"round_1.{name}.collect" for name in BACKENDS}


def test_the_labels_job_reads_the_answers_of_both_rounds_and_nothing_else(dagbag: Any) -> None:
    dag = dagbag.dags["human_review"]
    folder = dag.get_task("labels").inputs["answers"]
    written = {dag.get_task(f"round_{number}.{name}.collect").op_args[-1] for number in (1, 2) for name in BACKENDS}
    assert written == {f"{folder}round-{number}.jsonl" for number in (1, 2)}
    for number in (1, 2):
        assert not dag.get_task(f"round_{number}.a2i.loops").output_uri.startswith(folder)


def test_only_the_last_task_updates_the_asset(dagbag: Any) -> None:
    from include.assets import HUMAN_LABELS

    dag = dagbag.dags["human_review"]
    assert [task.task_id for task in dag.tasks if HUMAN_LABELS in task.outlets] == ["announce"]
    assert dag.get_task("announce").upstream_task_ids >= {"table", "ingest"}


class Events:
    """An Asset's events, as Airflow hands them to a task."""

    def __init__(self, batches: list[str]) -> None:
        self.batches = batches

    def ascending(self, ascending: bool) -> Events:
        return self

    def limit(self, limit: int) -> Events:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(SimpleNamespace(extra={"batch": batch}) for batch in self.batches)


REPORT = {"asked": 5, "labelled": 3, "synthetic": False}


def test_a_batch_is_announced_with_its_name_and_size() -> None:
    from include.assets import HUMAN_LABELS
    from include.human_review.labels import announce

    (event,) = announce("two", REPORT, {HUMAN_LABELS: Events(["one"])})
    assert event.asset == HUMAN_LABELS
    assert event.extra == {"batch": "two", "labels": 3, "synthetic": False}


def test_a_batch_that_was_announced_is_not_announced_again() -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    from include.assets import HUMAN_LABELS
    from include.human_review.labels import announce

    with pytest.raises(AirflowSkipException, match="batch two was announced before"):
        list(announce("two", REPORT, {HUMAN_LABELS: Events(["one", "two"])}))


@pytest.mark.parametrize(("labelled", "expected"), [(0, False), (1, True)])
def test_without_a_new_label_nothing_is_announced(labelled: int, expected: bool) -> None:
    from include.human_review.labels import is_new

    assert is_new({**REPORT, "labelled": labelled}) is expected


def test_the_table_has_the_columns_of_the_feature_group() -> None:
    from include.human_review.labels import SCHEMA, TABLE

    names = [part.split()[0] for part in TABLE.partition("(")[2].partition(")")[0].replace("\n", " ").split(",")]
    assert names == list(SCHEMA)


def test_the_template_asks_for_one_of_the_labels_that_are_read() -> None:
    from include.human_review.backends.a2i import QUESTION, TEMPLATE
    from include.human_review.backends.base import NAMES

    text = TEMPLATE.read_text()
    assert f'name="{QUESTION}"' in text
    assert f'categories="{list(NAMES)}"' in text
    assert all(part in text for part in ("task.input.title", "task.input.body", "task.input.initialValue"))
    assert "<full-instructions" in text and "<short-instructions" in text
