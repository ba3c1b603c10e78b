"""The answers of both variants beside what the reviews' authors said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from job import BadInput
from split_rows import rows

#: between a review's id and the number of its repetition, in a request's id.
REPEATED = "#"
OK = 200


class Asked(NamedTuple):
    """One request: at which look, about which review, who answered, whether rightly, and how fast."""

    look: int
    review: str
    variant: str
    answered: bool
    right: bool
    latency_ms: float


def read_labels(folder: Path) -> dict[str, int]:
    """Read review_id -> sentiment of the test split. :raises BadInput: there are no such Parquet parts, or no rows."""
    found = {str(review_id): sentiment for review_id, sentiment in rows(folder, "review_id", "sentiment")}
    if not found:
        raise BadInput(f"there is no test split with reviews in {folder}")
    return found


def read_answers(folder: Path, labels: dict[str, int], looks: int) -> list[Asked]:
    """
    Return the requests of the first ``looks`` looks, from the JSON lines in ``folder/look-<number>/``.

    A request that was not answered counts as not answered rightly.

    :raises BadInput: a line is no answer, its review is not in the test split, or nothing was asked.
    """
    found = [asked for look in range(1, looks + 1) for asked in _read_look(folder / f"look-{look}", look, labels)]
    if not found:
        raise BadInput(f"there are no answers in {folder}/look-1 to look-{looks}")
    return found


def _read_look(folder: Path, look: int, labels: dict[str, int]) -> Iterator[Asked]:
    for path in sorted(folder.rglob("*.jsonl")) if folder.is_dir() else []:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                try:
                    yield _as_asked(json.loads(line), look, labels)
                except (ValueError, KeyError, TypeError) as error:
                    raise BadInput(
                        f"line {number} of {path.name} is not a labelled answer ({error!r}): {line[:200]}"
                    ) from (error)


def _as_asked(record: dict[str, Any], look: int, labels: dict[str, int]) -> Asked:
    review = record["id"].split(REPEATED)[0]
    answered = record["status"] == OK
    right = answered and predicted(record["answer"]) == labels[review]
    return Asked(look, review, str(record["variant"] or ""), answered, right, float(record["latency_ms"] or 0.0))


def predicted(answer: Any) -> int:
    """Return the sentiment in an answer: a JSON line, or its document, with ``predicted_label``."""
    if isinstance(answer, str):
        answer = json.loads(re.split(r"[\r\n]", answer.strip(), maxsplit=1)[0])
    return int(answer["predicted_label"])
