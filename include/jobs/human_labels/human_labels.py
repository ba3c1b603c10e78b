"""
Processing job: what people answered -> labels, and how far people, and the model, agree.

Reads ``INPUT/selected/`` of the review_selection job, and the answers of all rounds, JSON lines below
``INPUT/answers/`` (see :mod:`answers`). Several answers to a review become one label by ``--method``. Writes::

    OUTPUT/labels/BATCH.parquet      the data set's new file (see :mod:`human_label_table`); absent without a label
    OUTPUT/report/report.json        {"batch", "method", "asked", "answers", "labelled", "unlabelled": {reason: n},
                                      "model": {"all" | "control" | "uncertain": {"reviews", "agree", "accuracy",
                                      "interval", "confusion"}}, "between_workers": {"reviews", "agreement", "kappa"},
                                      "workers": {worker: {"answers", "judged", "agree", "agreement"}}, "synthetic"}
    OUTPUT/report/report.md, people_and_model.png
    OUTPUT/report/answers.csv        review_id, worker, label, at, seconds: every answer

Exit status 2, and one sentence, when the input cannot be used; nothing is written then.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from agreeing import between_workers, of_each_worker, with_model
from answers import Item, read_answers
from drawing import draw
from human_label_table import SCHEMA
from job import BadInput, is_synthetic, processing_parser, run, write_files
from label_report import as_markdown
from merging import Merged, merge

Row = dict[str, Any]
TIE = "the answers are even, and nobody decided"


def read_selected(folder: Path) -> list[Row]:
    """Return the reviews that people were asked about. :raises BadInput: there are none."""
    try:
        rows = [row for part in sorted(folder.glob("*.parquet")) for row in pq.read_table(part).to_pylist()]
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{folder} is not a selection by review_selection: {str(error).splitlines()[0]}") from error
    if not rows:
        raise BadInput(f"there are no selected reviews in {folder}")
    return rows


def label_rows(
    selected: list[Row], items: Mapping[str, Item], merged: Mapping[str, Merged | None], batch: str
) -> list[Row]:
    """Return the data set's rows: a review each that has a label."""
    rows = []
    for row in selected:
        item, found = items.get(row["review_id"]), merged.get(row["review_id"])
        if item is None or found is None:
            continue
        label, confidence = found
        votes = sorted(item.votes.values(), key=lambda vote: (vote.at, vote.worker))
        given = {"votes": [vote.label for vote in votes], "workers": [vote.worker for vote in votes]}
        given |= {"label": label, "confidence": round(confidence, 4), "labelled_at": votes[-1].at, "batch": batch}
        rows.append({**row, **given})
    return rows


def why_unlabelled(selected: list[Row], items: Mapping[str, Item], labelled: set[str]) -> dict[str, int]:
    """Return reason -> how many of the reviews have no label for it."""
    missing = [items.get(row["review_id"], Item()) for row in selected if row["review_id"] not in labelled]
    return dict(sorted(Counter(TIE if item.votes else item.reason for item in missing).items()))


def answers_csv(items: Mapping[str, Item]) -> bytes:
    """Return every answer, by review, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["review_id", "worker", "label", "at", "seconds"])
    for name, item in sorted(items.items()):
        for vote in sorted(item.votes.values(), key=lambda vote: (vote.at, vote.worker)):
            writer.writerow([name, vote.worker, vote.label, vote.at, "" if vote.seconds is None else vote.seconds])
    return text.getvalue().encode()


def work(source: Path, target: Path, batch: str, method: str, synthetic: bool) -> dict[str, Any]:
    """Write labels and report below ``target``; the report."""
    selected, items = read_selected(source / "selected"), read_answers(source / "answers")
    if unknown := items.keys() - {row["review_id"] for row in selected}:
        raise BadInput(f"{len(unknown)} answered reviews were not asked about, such as {min(unknown)}")
    votes = {name: {worker: vote.label for worker, vote in item.votes.items()} for name, item in items.items()}
    rows = label_rows(selected, items, merge(votes, method), batch)
    labels = {row["review_id"]: row["label"] for row in rows}
    shares = {share: [row for row in rows if row["share"] == share] for share in ("control", "uncertain")}
    report = {
        "batch": batch,
        "method": method,
        "asked": len(selected),
        "answers": sum(map(len, votes.values())),
        "labelled": len(rows),
        "unlabelled": why_unlabelled(selected, items, set(labels)),
        "model": {name: with_model(own) for name, own in {"all": rows, **shares}.items()},
        "between_workers": between_workers(votes.values()),
        "workers": of_each_worker(votes, labels),
        "synthetic": synthetic,
    }
    written = {
        "report.json": (json.dumps(report, indent=2) + "\n").encode(),
        "report.md": as_markdown(report).encode(),
        "people_and_model.png": draw(report),
        "answers.csv": answers_csv(items),
    }
    if rows:
        table = io.BytesIO()
        pq.write_table(pa.Table.from_pylist([{key: row[key] for key in SCHEMA.names} for row in rows], SCHEMA), table)
        write_files(target / "labels", {f"{batch}.parquet": table.getvalue()})
    write_files(target / "report", written)
    return report


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("what people answered -> labels, and how far people and the model agree")
    parser.add_argument("--batch", required=True, help="name of the batch, and of its file")
    parser.add_argument("--method", choices=("majority", "dawid_skene"), default="majority")
    options = parser.parse_args(arguments)

    def job() -> None:
        found = work(options.input, options.output, options.batch, options.method, is_synthetic(options))
        print(json.dumps({key: found[key] for key in ("asked", "answers", "labelled", "unlabelled")}))

    return run("human_labels", job, options.reason)


if __name__ == "__main__":
    sys.exit(main())
