"""What every review back end takes and leaves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

#: what people choose from, and what it means.
NAMES = {"Negative": -1, "Neutral": 0, "Positive": 1}
#: the states of an item.
ANSWERED, UNANSWERED = "answered", "unanswered"


@dataclass(frozen=True)
class Round:
    """
    One time of asking; its members are templates where they say S3.

    :param number: 1, and 2 for the reviews on which the first round was even.
    :param items: S3 URI of JSON lines ``{"id", "input": {"initialValue", "taskObject", "title", "body"}}``.
    :param answers: S3 URI for what comes of the items, as :func:`write_answers` writes it.
    :param place: S3 prefix for what the back end itself needs.
    :param batch: name of the batch.
    :param people: answers that are wanted of each item; a template.
    :param minutes: in which people have to answer; a template.
    """

    number: int
    items: str
    answers: str
    place: str
    batch: str
    people: str
    minutes: str


class Backend(Protocol):
    """A way to ask people."""

    #: as the param ``review_backend`` has it.
    name: str

    def ask(self, this: Round) -> tuple[Sequence[Any], Any]:
        """
        Return the first tasks of those that ask, and the last one, which writes the answers.

        Called within a task group of the back end. The last task returns what :func:`write_answers` does.
        """
        ...


@dataclass(frozen=True)
class Answer:
    """What one person said of an item. ``at`` is ISO 8601 in UTC; ``seconds`` is None where it is not known."""

    label: str
    worker: str
    at: str
    seconds: float | None = None


@dataclass(frozen=True)
class Answered:
    """What came of an item; ``reason`` says why there is no answer."""

    id: str
    answers: Sequence[Answer]
    reason: str = ""

    def as_line(self) -> dict[str, Any]:
        """Return the line that the human_labels job reads. :raises ValueError: a label is none of ``NAMES``."""
        for answer in self.answers:
            if answer.label not in NAMES:
                raise ValueError(f"{answer.worker} answered {answer.label!r} to {self.id}, none of {', '.join(NAMES)}")
        line = {"id": self.id, "status": ANSWERED if self.answers else UNANSWERED, "reason": self.reason}
        return {**line, "answers": [vars(answer) for answer in self.answers]}


def as_label(text: str) -> str:
    """Return the name of a label that is given by name or as -1, 0 or 1; anything else as it is."""
    return next(
        (name for name, value in NAMES.items() if text.strip().casefold() in (name.casefold(), str(value))), text
    )


def as_utc(moment: str | datetime) -> str:
    """Return a time in UTC as ISO 8601 to the millisecond, so that times of all back ends compare as texts."""
    found = moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_lines(uri: str) -> list[dict[str, Any]]:
    """Return the JSON lines of an object in S3."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    return [json.loads(line) for line in str(S3Hook().read_key(uri)).split("\n") if line.strip()]


def write_lines(uri: str, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines to S3, in place of what was there."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    S3Hook().load_string("".join(json.dumps(line) + "\n" for line in lines), uri, replace=True)


def write_answers(uri: str, found: Iterable[Answered]) -> dict[str, Any]:
    """
    Write what came of the items for the human_labels job.

    Returns ``{"items", "answered", "answers", "uri"}``: items with an answer, and answers altogether.
    """
    lines = [each.as_line() for each in found]
    write_lines(uri, lines)
    answered = sum(line["status"] == ANSWERED for line in lines)
    result = {"items": len(lines), "answered": answered, "answers": sum(len(line["answers"]) for line in lines)}
    print(f"{answered} of {len(lines)} reviews are answered, by {result['answers']} answers: {uri}")
    return {**result, "uri": uri}


def tied(lines: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Return the ids of the items with answers of which no label has more than all others."""
    for line in lines:
        # Whoever answers twice counts once, by the last answer, as in the human_labels job.
        votes = {answer["worker"]: answer["label"] for answer in sorted(line["answers"], key=lambda each: each["at"])}
        labels = list(votes.values())
        counts = sorted((labels.count(label) for label in set(labels)), reverse=True)
        if len(counts) > 1 and counts[0] == counts[1]:
            yield line["id"]
