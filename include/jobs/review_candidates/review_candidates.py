"""
Processing job: the cleaned table and the splits -> reviews that people may be asked about, and the endpoint before.

Reads the table's Parquet files in ``INPUT/reviews/``, the features job's splits in ``INPUT/train/``,
``INPUT/validation/`` and ``INPUT/test/``, and what people have labelled already in ``INPUT/labels/``, which may be
absent. Candidates are the reviews of the training split without a label: never one of a held-out split, nor one whose
text is in one. Writes::

    OUTPUT/requests/requests.jsonl        JSON lines of {"id", "body"} for the endpoint, several reviews each
    OUTPUT/candidates/candidates.parquet  review_id, title, body, text (what the model reads), request, line
    OUTPUT/report/report.json             {"reviews", "labelled", "held_out_text", "candidates", "requests", "seed",
                                           "synthetic"}

Of more than ``--candidates`` reviews a simple random sample is taken: what holds for the candidates on average holds
for the training split.

Exit status 2, and one sentence, when the input cannot be used; nothing is written then.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from human_label_table import read_labels
from job import BadInput, is_synthetic, processing_parser, run, write_files
from review_table import folded, read_reviews, table_files

HELD_OUT, COLUMNS = ("validation", "test"), ("review_id", "title", "body")
#: reviews a request, and characters of a review that are sent: a model reads a few hundred tokens.
BATCH, LONGEST = 20, 10_000

Row = dict[str, Any]


def read_split(folder: Path, *columns: str) -> list[tuple[Any, ...]]:
    """Return these columns of a split. :raises BadInput: there is no such split, or it has no rows."""
    found: list[tuple[Any, ...]] = []
    for part in sorted(folder.glob("*.parquet")) if folder.is_dir() else []:
        try:
            table = pq.read_table(part, columns=list(columns))
        except (pa.ArrowException, OSError, KeyError) as error:
            raise BadInput(f"{part.name} is not a split of the features job: {str(error).splitlines()[0]}") from error
        found += zip(*(table[name].to_pylist() for name in columns), strict=True)
    if not found:
        raise BadInput(f"there is no {folder.name} split with reviews in {folder}")
    return found


def find(source: Path, most: int, seed: int) -> tuple[list[Row], dict[str, Any]]:
    """
    Return the candidates in random order, and the report's counts.

    :raises BadInput: an input is not there, or nothing is left to ask about.
    """
    shown = {name: (title, body) for name, title, body in read_reviews(table_files(source / "reviews"), COLUMNS)}
    held_out = {name for split in HELD_OUT for (name,) in read_split(source / split, "review_id")}
    training = dict(read_split(source / "train", "review_id", "review_body"))
    if unknown := (training.keys() | held_out) - shown.keys():
        raise BadInput(f"{len(unknown)} reviews of the splits are not in the table, such as {min(unknown)}")
    if leaked := training.keys() & held_out:
        raise BadInput(f"{len(leaked)} reviews are in training and in a held-out split, such as {min(leaked)}")
    held_texts = {folded(shown[name][1]) for name in held_out}
    labelled = read_labels(source / "labels")
    fresh = [name for name in sorted(training) if name not in labelled]
    usable = [name for name in fresh if folded(shown[name][1]) not in held_texts]
    if not usable:
        raise BadInput(
            f"there is no review to ask about: {len(training)} to train on, {len(labelled)} labelled already"
        )
    order = np.random.default_rng(seed).permutation(len(usable))[: most or None]
    counts = {"reviews": len(training), "labelled": len(training) - len(fresh)}
    counts["held_out_text"] = len(fresh) - len(usable)
    names = [usable[at] for at in order]
    rows = [dict(zip(COLUMNS, (name, *shown[name]), strict=True), text=training[name]) for name in names]
    return rows, counts


def requests(rows: list[Row]) -> list[dict[str, str]]:
    """Return the endpoint's requests, and note in each row the request and the line that it is in."""
    found = []
    for number, start in enumerate(range(0, len(rows), BATCH)):
        batch = rows[start : start + BATCH]
        for line, row in enumerate(batch):
            row |= {"request": str(number), "line": line}
        body = "".join(json.dumps({"features": [row["text"][:LONGEST]]}) + "\n" for row in batch)
        found.append({"id": str(number), "body": body})
    return found


def work(source: Path, target: Path, most: int, seed: int, synthetic: bool) -> dict[str, Any]:
    """Write candidates and requests below ``target``; the report."""
    rows, counts = find(source, most, seed)
    asked = requests(rows)
    report = {**counts, "candidates": len(rows), "requests": len(asked), "seed": seed, "synthetic": synthetic}
    table = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), table)
    lines = "".join(json.dumps(request) + "\n" for request in asked).encode()
    write_files(target / "requests", {"requests.jsonl": lines})
    write_files(target / "candidates", {"candidates.parquet": table.getvalue()})
    write_files(target / "report", {"report.json": (json.dumps(report, indent=2) + "\n").encode()})
    return report


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("table and splits -> reviews that people may be asked about")
    parser.add_argument("--candidates", type=int, default=0, help="the most reviews to take; 0: all")
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args(arguments)

    def job() -> None:
        found = work(options.input, options.output, options.candidates, options.seed, is_synthetic(options))
        print(json.dumps(found))

    return run("review_candidates", job, options.reason)


if __name__ == "__main__":
    sys.exit(main())
