"""Label Studio: a project for each round of a batch on a server of one's own. For accounts without A2I."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import chain, task, timezone

from include.human_review.backends.base import (
    NAMES,
    Answer,
    Answered,
    Round,
    as_label,
    as_utc,
    read_lines,
    write_answers,
)

#: the Airflow connection: the server's address, and an access token as password.
CONNECTION = "label_studio"
#: which task of the project is which item.
KEY = "review_id"
_CHOICES = "".join(f'<Choice value="{name}" hotkey="{number}"/>' for number, name in enumerate(NAMES, 1))
CONFIG = f"""
<View>
  <Header value="Is the review negative, neutral or positive?"/>
  <Text name="title" value="$title"/>
  <Text name="text" value="$body"/>
  <Choices name="sentiment" toName="text" choice="single-radio" required="true" showInline="true">{_CHOICES}</Choices>
</View>
"""


class LabelStudioProjects:
    """Pushes the items as tasks of a project, waits for the annotations, and pulls them."""

    name = "label_studio"

    def ask(self, this: Round) -> tuple[Sequence[Any], Any]:
        """Push, wait until all is answered or the time is over, and pull what is there."""
        pushed = task(task_id="push")(push)(
            this.items, this.batch, this.number, this.people, f"{{{{ {this.minutes} }}}}"
        )
        waited = task.sensor(
            task_id="wait",
            mode="reschedule",
            poke_interval=10,
            exponential_backoff=True,
            max_wait=timedelta(minutes=5),
            timeout=timedelta(days=10).total_seconds(),
        )(is_over)(pushed)
        collected = task(task_id="collect")(collect)(this.items, pushed, this.answers)
        chain(waited, collected)
        return [pushed], collected


def push(items: str, batch: str, number: int, people: str, minutes: str) -> dict[str, Any]:
    """
    Push the items; ``{"project", "people", "until"}``.

    One project a batch and round, one task an item, however often this is repeated. The time counts from here.
    """
    from include.human_review.backends.label_studio_client import LabelStudio

    server = LabelStudio.of(CONNECTION)
    # Label Studio takes fifty characters, and a run's name may have more.
    title = f"Reviews {hashlib.sha256(batch.encode()).hexdigest()[:12]}, round {number}"
    project = server.project(title, CONFIG, int(people), f"human_review {batch}, round {number}")
    added = server.push(project, [as_task(item) for item in read_lines(items)], KEY)
    until = timezone.utcnow() + timedelta(minutes=float(minutes))
    print(f"{added} reviews pushed into project {project} of {server.url}: {title}")
    return {"project": project, "people": int(people), "until": until.isoformat()}


def as_task(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item as a task of Label Studio, with what the model says as its prediction."""
    value = {"choices": [item["input"]["initialValue"]]}
    chosen = {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": value}
    data = {KEY: str(item["id"]), "title": item["input"]["title"], "body": item["input"]["body"]}
    return {"data": data, "predictions": [{"model_version": "endpoint", "result": [chosen]}]}


def is_over(pushed: Mapping[str, Any]) -> bool:
    """Say whether all tasks have as many answers as are wanted, or the time is over."""
    from include.human_review.backends.label_studio_client import LabelStudio

    tasks = list(LabelStudio.of(CONNECTION).tasks(pushed["project"]))
    done = sum(len(read_task(each).answers) >= pushed["people"] for each in tasks)
    print(f"{done} of {len(tasks)} reviews are answered")
    return done == len(tasks) or timezone.utcnow() >= datetime.fromisoformat(pushed["until"])


def collect(items: str, pushed: Mapping[str, Any], answers: str) -> dict[str, Any]:
    """Pull the annotations, in the order of the items, and write them for the human_labels job."""
    from include.human_review.backends.label_studio_client import LabelStudio

    found = {each["data"].get(KEY): each for each in LabelStudio.of(CONNECTION).tasks(pushed["project"])}
    names = [str(item["id"]) for item in read_lines(items)]
    gone = "the task was deleted in Label Studio"
    return write_answers(
        answers, (read_task(found[name]) if name in found else Answered(name, [], gone) for name in names)
    )


def read_task(given: Mapping[str, Any]) -> Answered:
    """Return the answers to a task, one a person, without those that were skipped or have no choice."""
    latest: dict[str, Answer] = {}
    for each in sorted(given["annotations"], key=lambda annotation: str(annotation["updated_at"])):
        chosen = [choice for part in each["result"] for choice in part.get("value", {}).get("choices", [])]
        if each.get("was_cancelled") or len(chosen) != 1:
            continue
        worker = f"label_studio:{each['completed_by']}"
        latest[worker] = Answer(as_label(chosen[0]), worker, as_utc(each["updated_at"]), each.get("lead_time"))
    reason = "" if latest else "nobody has answered in time"
    return Answered(str(given["data"][KEY]), list(latest.values()), reason)
