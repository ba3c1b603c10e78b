"""A round in which people answer, by the back end that the run takes, and a second one where they were even."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import TaskGroup, TriggerRule, chain, task

from include.human_review.backends import BACKENDS
from include.human_review.backends.base import Round, read_lines, tied, write_lines
from include.human_review.plan import BATCH, ITEMS, PLACE, TIES


def ask(number: int, items: str, people: str) -> tuple[Any, list[Any]]:
    """
    Make the tasks of one round by each back end, of which the run's param takes one; the first, and the last of each.

    :param number: 1, or 2 for the reviews on which the first was even.
    :param items: S3 URI of what is asked.
    :param people: answers wanted of each; a template.
    """
    place = f"{PLACE}/round-{number}/"
    this = Round(number, items, _answers(number), place, batch=BATCH, people=people, minutes="params.minutes")
    begin: dict[str, list[str]] = {}
    firsts: list[Any] = []
    lasts: list[Any] = []
    with TaskGroup(f"round_{number}"):
        for name, backend in BACKENDS.items():
            with TaskGroup(name):
                own, last = backend.ask(this)
            begin[name] = [_task_id(each) for each in own]
            firsts += own
            lasts.append(last)
        chosen = task.branch(task_id="backend")(which_backend)(begin)
        chain(chosen, firsts)
    return chosen, lasts


def _answers(number: int) -> str:
    """Return the S3 URI of a round's answers: the human_labels job reads all of the folder."""
    return f"{PLACE}/answers/round-{number}.jsonl"


def _task_id(made: Any) -> str:
    return str(getattr(made, "operator", made).task_id)


def which_backend(begin: Mapping[str, Sequence[str]], params: Any = None) -> list[str]:
    """Return the ids of the first tasks of the back end that the run's form names."""
    return list(begin[params["review_backend"]])


def ties(lasts: Sequence[Any]) -> Any:
    """Return the task that looks for even answers, and starts the second round where somebody can decide them."""
    rule = TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS
    found = task.branch(task_id="ties", trigger_rule=rule)(next_round)(ITEMS, _answers(1), TIES)
    chain(lasts, found)
    return found


def next_round(items: str, answers: str, ties: str, params: Any = None) -> str:
    """
    Write the items on which people were even, and return the id of the next task.

    :param ties: S3 URI for them.
    """
    even = set(tied(read_lines(answers)))
    if not even:
        return "labels"
    if params["review_backend"] == "a2i" and not params["referees"]:
        print(f"{len(even)} reviews stay without a label: answers are even, and the run names no referees")
        return "labels"
    write_lines(ties, (item for item in read_lines(items) if item["id"] in even))
    print(f"A third person decides {len(even)} reviews")
    return "round_2.backend"
