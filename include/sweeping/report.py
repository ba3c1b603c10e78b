"""What was found, and what was done: tables for people, and JSON for the task that carries it out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from include.sweeping.selection import KEEP

if TYPE_CHECKING:
    from amazon_ml.hooks.s3 import ObjectsHook

Record = Mapping[str, Any]

#: the columns of a table: heading, and member of a finding.
_COLUMNS = {"what": "kind", "name": "name", "to do": "action", "why": "reason", "run": "run", "done": "outcome"}


def table(findings: Sequence[Record]) -> list[str]:
    """Return the lines of a Markdown table, its columns aligned; one line where nothing was found."""
    if not findings:
        return ["Nothing."]
    columns = {head: key for head, key in _COLUMNS.items() if any(each.get(key) for each in findings)}
    rows = [list(columns), *([str(each.get(key, "")) for key in columns.values()] for each in findings)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in rows]
    return [lines[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *lines[1:]]


def summary(findings: Sequence[Record]) -> dict[str, int]:
    """Return how many findings there are of each action."""
    return dict(Counter(each["action"] for each in findings))


def outcomes(done: Sequence[Record]) -> dict[str, int]:
    """Return how often there was each outcome, whatever its reason."""
    return dict(Counter(each["outcome"].partition(":")[0] for each in done))


def page(title: str, findings: Sequence[Record], notes: Sequence[str] = ()) -> str:
    """Return a Markdown page: what there is to do, what stays, and what was done."""
    todo = [each for each in findings if each["action"] != KEEP]
    kept = [each for each in findings if each["action"] == KEEP]
    parts = [f"# {title}", "", *(f"* {note}" for note in notes), "", "## To do", "", *table(todo), ""]
    if kept:
        parts += ["## Stays", "", *table(kept), ""]
    return "\n".join(parts)


def show(text: str) -> None:
    """Print a page, a line of the log each."""
    for line in text.splitlines():
        print(line)


class Reports:
    """
    The reports of one run in S3, as ``<name>.json`` and ``<name>.md``.

    :param folder: S3 URI, without a slash at its end.
    """

    def __init__(self, s3: ObjectsHook, folder: str) -> None:
        self.s3 = s3
        self.folder = folder

    def write(self, name: str, page: str, document: Record) -> str:
        """
        Write a report, in place of one of an earlier try; return the URI of the JSON.

        Before the first ingest there is no bucket, and nothing to be deleted: "" then.
        """
        from amazon_ml.hooks.s3 import split

        bucket, key = split(f"{self.folder}/{name}")
        if not self.s3.has_bucket(bucket):
            return ""
        for ending, text in {"md": page, "json": json.dumps(document, indent=2) + "\n"}.items():
            self.s3.put_object(bucket, f"{key}.{ending}", text.encode())
        return f"{self.folder}/{name}.json"

    def read(self, name: str) -> dict[str, Any]:
        """
        Read what :meth:`write` wrote.

        :raises ValueError: it is not there any more.
        """
        content = self.s3.read(f"{self.folder}/{name}.json")
        if content is None:
            raise ValueError(f"{self.folder}/{name}.json is gone: nobody knows what was to be done, start another run")
        found: dict[str, Any] = json.loads(content)
        return found


def notes(given: Record) -> Iterator[str]:
    """Yield what was given, a note each."""
    yield from (f"{name}: {value}" for name, value in given.items() if value not in ("", None))
