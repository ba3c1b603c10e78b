"""Airflow's own human-in-the-loop: a form in Airflow's web page for each review. For accounts without A2I."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLEntryOperator
from airflow.sdk import Param, task

from include.human_review.backends.base import NAMES, Answer, Answered, Round, as_utc, read_lines, write_answers

#: characters of a review in a form; Airflow keeps the form in its database.
LONGEST = 4000
TIMED_OUT = "nobody has answered in time"


class AirflowForms:
    """A mapped task for each review, which waits in Airflow's list of required actions. Each is answered once."""

    name = "airflow"

    def ask(self, this: Round) -> tuple[Sequence[Any], Any]:
        """Make the forms, wait for them, and collect who answered what and when."""
        made = task(task_id="forms")(forms)(this.items, f"{{{{ {this.minutes} }}}}")
        asked = HITLEntryOperator.partial(
            task_id="ask",
            options=list(NAMES),
            params={"comment": Param("", type="string", title="Comment", description="Need not be filled in.")},
            map_index_template="{{ task.subject }}",
        ).expand_kwargs(made)
        return [made], task(task_id="collect")(collect)(this.items, asked.output, this.answers)


def forms(items: str, minutes: str) -> list[dict[str, Any]]:
    """
    Return the arguments of a form for each item.

    The default is what the model says, so that a form that nobody answers ends; it is never taken for an answer.
    """
    limit = timedelta(minutes=float(minutes))
    return [
        {
            "subject": f"Negative, neutral or positive? Review {item['id']}",
            "body": body(item["input"]),
            "defaults": [item["input"]["initialValue"]],
            "response_timeout": limit,
        }
        for item in read_lines(items)
    ]


def body(shown: Mapping[str, str]) -> str:
    """Return a review as an indented block, which Markdown leaves as it is; without Jinja's marks."""
    text = f"{shown['title']}\n\n{shown['body']}" if shown["title"].strip() else shown["body"]
    # The form's text is a template: a review must not be one.
    plain = text[:LONGEST].replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #")
    return "\n".join(f"    {line}" for line in plain.splitlines())


def collect(items: str, responses: Iterable[Mapping[str, Any]], answers: str) -> dict[str, Any]:
    """Read what each form came to, in the order of the items, and write it for the human_labels job."""
    names = [str(item["id"]) for item in read_lines(items)]
    return write_answers(answers, (read_response(*each) for each in zip(names, responses, strict=True)))


def read_response(name: str, response: Mapping[str, Any]) -> Answered:
    """Return what came of a form. Where nobody has responded, Airflow has taken the default: that is no answer."""
    user = response["responded_by_user"]
    if user is None:
        return Answered(name, [], TIMED_OUT)
    answer = Answer(response["chosen_options"][0], f"airflow:{user['name']}", as_utc(response["responded_at"]))
    return Answered(name, [answer])
