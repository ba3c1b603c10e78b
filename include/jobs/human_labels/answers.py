"""What people answered, as the review back ends hand it on: JSON lines, the same whoever asked them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from job import BadInput

NAMES = {"negative": -1, "neutral": 0, "positive": 1, "-1": -1, "0": 0, "1": 1}


@dataclass(frozen=True)
class Vote:
    """One answer. ``at`` is ISO 8601 in UTC; ``seconds`` is what it took, None where that is not known."""

    worker: str
    label: int
    at: str
    seconds: float | None


@dataclass
class Item:
    """What came of a review over all rounds; ``reason`` says why it has no answer."""

    votes: dict[str, Vote] = field(default_factory=dict)
    reason: str = "nobody has answered"


def read_answers(folder: Path) -> dict[str, Item]:
    """
    Return review id -> what came of it, of all JSON lines of ``{"id", "status", "answers": [{"worker", "label", "at",
    "seconds"}]}`` in a folder, in the order of the rounds.

    Who answers a review twice is counted once, by the answer that was given last.

    :raises BadInput: a line is none of these, or a label is none of Negative, Neutral and Positive.
    """
    found: dict[str, Item] = {}
    for path in sorted(folder.rglob("*.jsonl")) if folder.is_dir() else []:
        for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
            if line.strip():
                _add(found, line, f"{path.relative_to(folder)}, line {number}")
    return found


def _add(found: dict[str, Item], line: str, place: str) -> None:
    try:
        content = json.loads(line)
        votes = list(_votes(content, place))
        item, status = found.setdefault(content["id"], Item()), content["status"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{place} is not an answer ({error!r}): {line[:200]}") from error
    for vote in votes:
        if vote.worker not in item.votes or item.votes[vote.worker].at <= vote.at:
            item.votes[vote.worker] = vote
    if status != "answered":
        item.reason = content.get("reason") or status


def _votes(content: Mapping[str, Any], place: str) -> Iterator[Vote]:
    for answer in content["answers"]:
        label = str(answer["label"]).casefold()
        if label not in NAMES:
            raise BadInput(f"{place}: the answer {answer['label']!r} is not one of Negative, Neutral, Positive")
        seconds = answer.get("seconds")
        yield Vote(answer["worker"], NAMES[label], answer["at"], None if seconds is None else float(seconds))
