"""
Processing job: what the endpoint said of the candidates -> the reviews that people are asked about.

Reads ``INPUT/candidates/`` of the review_candidates job and the endpoint's answers, JSON lines of ``{"id", "status",
"answer"}``, in ``INPUT/answers/``. Takes a random control share, and of the predictions below ``--threshold`` the least
sure ones within ``--budget``, no two near-duplicates. Writes::

    OUTPUT/items/items.jsonl          JSON lines of {"id", "input": {"initialValue", "taskObject", "title", "body"}},
                                      a review each: what people see
    OUTPUT/selected/selected.parquet  review_id, share ("uncertain", "control"), predicted_label, probability
    OUTPUT/report/report.json         {"candidates", "scored", "unscored", "below_threshold", "control", "uncertain",
                                       "near_duplicates", "items", "threshold", "budget", "seed", "synthetic"}

Exit status 2, and one sentence, when the input cannot be used; nothing is written then.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from choosing import Plan, Row, choose
from job import BadInput, is_synthetic, processing_parser, run, write_files

NAMES = {-1: "Negative", 0: "Neutral", 1: "Positive"}
#: more candidates without an answer than this share, and what is left is no fair sample of them.
MOST_UNSCORED = 0.1
#: characters of a title and a body that people are shown: a task's input takes 3,145,728, and nobody reads as many.
LONGEST_TITLE, LONGEST_BODY = 500, 20_000
SELECTED = pa.schema(
    [
        ("review_id", pa.string()),
        ("share", pa.string()),
        ("predicted_label", pa.int8()),
        ("probability", pa.float64()),
    ]
)

Answer = tuple[int, float]


def read_candidates(folder: Path) -> list[Row]:
    """Return the candidates. :raises BadInput: there are none."""
    parts = sorted(folder.glob("*.parquet")) if folder.is_dir() else []
    try:
        rows = [row for part in parts for row in pq.read_table(part).to_pylist()]
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{folder} has no candidates of review_candidates: {str(error).splitlines()[0]}") from error
    if not rows:
        raise BadInput(f"there are no candidates in {folder}")
    return rows


def read_answers(folder: Path) -> dict[str, list[Answer]]:
    """Return request -> what the endpoint said of each of its lines; requests that failed are absent."""
    found: dict[str, list[Answer]] = {}
    for part in sorted(folder.glob("*.jsonl")) if folder.is_dir() else []:
        for line in map(json.loads, filter(str.strip, part.read_text("utf-8").split("\n"))):
            if line["status"] == 200:
                found[line["id"]] = list(_predictions(line["answer"]))
    return found


def _predictions(answer: str) -> Iterator[Answer]:
    for line in filter(str.strip, answer.split("\n")):
        try:
            found = json.loads(line)
            label, probability = int(found["predicted_label"]), float(found["probability"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"the endpoint does not answer like jsonlines ({error!r}): {line[:200]}") from error
        if label not in NAMES or not 0 <= probability <= 1:
            raise BadInput(f"the endpoint answered label {label} with probability {probability}")
        yield label, probability


def score(rows: list[Row], answers: dict[str, list[Answer]]) -> list[Row]:
    """
    Return the candidates that the endpoint has answered, with ``predicted_label`` and ``probability``.

    :raises BadInput: it has answered too few of them.
    """
    scored = []
    for row in rows:
        said = answers.get(row["request"], [])
        if row["line"] < len(said):
            label, probability = said[row["line"]]
            scored.append({**row, "predicted_label": label, "probability": probability})
    if len(rows) - len(scored) > MOST_UNSCORED * len(rows):
        raise BadInput(f"the endpoint has answered {len(scored)} of {len(rows)} candidates: see its log")
    return scored


def item(row: Row) -> dict[str, Any]:
    """Return what people see of a review, in the form of the worker template."""
    shown = {"title": row["title"][:LONGEST_TITLE], "body": row["body"][:LONGEST_BODY]}
    return {
        "id": row["review_id"],
        "input": {"initialValue": NAMES[row["predicted_label"]], "taskObject": row["text"][:LONGEST_BODY], **shown},
    }


def work(source: Path, target: Path, plan: Plan, synthetic: bool) -> dict[str, Any]:
    """Write the selection below ``target``; the report."""
    rows = read_candidates(source / "candidates")
    scored = score(rows, read_answers(source / "answers"))
    chosen, counts = choose(scored, plan)
    report: dict[str, Any] = {"candidates": len(rows), "scored": len(scored), "unscored": len(rows) - len(scored)}
    report |= {**counts, "items": len(chosen), "threshold": plan.threshold, "budget": plan.budget, "seed": plan.seed}
    table = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{key: row[key] for key in SELECTED.names} for row in chosen], SELECTED), table)
    lines = "".join(json.dumps(item(row)) + "\n" for row in chosen).encode()
    write_files(target / "items", {"items.jsonl": lines})
    write_files(target / "selected", {"selected.parquet": table.getvalue()})
    report["synthetic"] = synthetic
    write_files(target / "report", {"report.json": (json.dumps(report, indent=2) + "\n").encode()})
    return report


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("what the endpoint said of candidates -> the reviews that people are asked about")
    parser.add_argument("--threshold", type=float, default=0.9)
    parser.add_argument("--budget", type=int, default=40)
    parser.add_argument("--control-share", type=float, default=0.25)
    parser.add_argument("--likeness", type=float, default=0.6)
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args(arguments)

    def job() -> None:
        names = ("threshold", "budget", "control_share", "likeness", "seed")
        plan = Plan(**{name: getattr(options, name) for name in names})
        print(json.dumps(work(options.input, options.output, plan, is_synthetic(options))))

    return run("review_selection", job, options.reason)


if __name__ == "__main__":
    sys.exit(main())
