"""
Processing job: the cleaned table of the reviews -> as many of each sentiment, in each category or over all of them.

Reads the transform job's Parquet files in ``--input`` twice, never holding them: once to count, once to keep a seeded
sample of every group, as large as the smallest of them. Groups are those of category and sentiment, or, with ``--by
sentiment``, of sentiment alone. A category that has no review of some sentiment cannot be balanced: it is left out, and
named in the report. Reviews of the features job's test split in ``--held-out``, where there is one, are left out too: a
model that learns from the result will be judged by them. Writes::

    OUTPUT/reviews/reviews.csv   sentiment, review_body, product_category, or those of ``--columns``; the table's order
    OUTPUT/report/report.json    {"rows_in", "held_out", "rows", "per_group", "by_sentiment", "by_category",
                                  "left_out": {category: [sentiments it lacks]}, "seed", "synthetic"}

``review_body`` is what a model reads of the review (``--text``), on one line and without commas.

Exit status 2, and one sentence, when the input cannot be used; nothing is written then.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from held_out import HeldOut, read_held_out
from job import BadInput, is_synthetic, processing_parser, run
from model_input import TEXTS, model_input
from review_body import as_in_the_table
from review_table import SENTIMENTS, read_reviews, table_files

READ = ("review_id", "title", "body", "sentiment", "category")
COLUMNS = ("sentiment", "review_body", "product_category")

#: category and sentiment; the category is "" where the sentiment alone makes the group.
Group = tuple[str, int]


@dataclass(frozen=True)
class Task:
    """
    What to balance and how.

    :param held_out: reviews to leave out.
    :param columns: to write, of ``COLUMNS``.
    :param text: what a model reads of a review, one of ``model_input.TEXTS``.
    """

    by_category: bool = True
    held_out: HeldOut = field(default_factory=HeldOut)
    columns: tuple[str, ...] = COLUMNS
    text: str = "body"
    seed: int = 42


def usable(files: Sequence[Path], task: Task) -> Iterator[tuple[Group, dict[str, Any]]]:
    """Return group and columns of the reviews that are not held out."""
    for review_id, title, body, sentiment, category in read_reviews(files, READ):
        if not task.held_out.has(review_id, body):
            text = as_in_the_table(model_input(title, body, task.text))
            group = (category if task.by_category else "", sentiment)
            yield group, {"sentiment": sentiment, "review_body": text, "product_category": as_in_the_table(category)}


def choose(counts: Counter[Group], task: Task) -> tuple[dict[Group, set[int]], dict[str, list[str]]]:
    """
    Choose the rows to keep of each group, by their numbers within it; and the categories left out, with what they lack.

    :raises BadInput: a sentiment does not occur, or not in two categories.
    """
    categories = {category for category, _ in counts}
    lacking = {
        category: [str(sentiment) for sentiment in SENTIMENTS if not counts[category, sentiment]]
        for category in sorted(categories)
    }
    left_out = {category: missing for category, missing in lacking.items() if missing}
    kept = [(category, sentiment) for category in sorted(categories - set(left_out)) for sentiment in SENTIMENTS]
    if not task.by_category and not kept:
        raise BadInput(f"no review has the sentiment {', '.join(lacking[''])}")
    if task.by_category and len(kept) < 2 * len(SENTIMENTS):
        raise BadInput(f"fewer than two of {len(categories)} categories have reviews of every sentiment: {left_out}")
    size = min(counts[group] for group in kept)
    # Each group draws by itself: a category more or less changes nothing for the others of the same size.
    return {
        group: set(random.Random(f"{task.seed} {group}").sample(range(counts[group]), size)) for group in kept
    }, left_out


def balance(files: Sequence[Path], target: Path, task: Task, synthetic: bool) -> dict[str, Any]:
    """Write the balanced reviews and the report below ``target``, both or neither; the report."""
    rows_in = sum(1 for _ in read_reviews(files, ("sentiment",)))
    if not rows_in:
        raise BadInput("the reviews table has no rows")
    counts = Counter(group for group, _ in usable(files, task))
    if not counts:
        raise BadInput("every review is in the test split")
    chosen, left_out = choose(counts, task)
    target.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".balance-", dir=target))
    try:
        written = _write(scratch / "reviews.csv", files, chosen, task)
        report = {
            "rows_in": rows_in,
            "held_out": rows_in - counts.total(),
            "rows": written.total(),
            "per_group": len(next(iter(chosen.values()))),
            "by_sentiment": _totals(written, 1),
            "by_category": _totals(written, 0) if task.by_category else {},
            "left_out": left_out,
            "seed": task.seed,
            "synthetic": synthetic,
        }
        (scratch / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        for folder, name in (("reviews", "reviews.csv"), ("report", "report.json")):
            (target / folder).mkdir(exist_ok=True)
            (scratch / name).replace(target / folder / name)
    finally:
        shutil.rmtree(scratch)
    return report


def _write(path: Path, files: Sequence[Path], chosen: dict[Group, set[int]], task: Task) -> Counter[Group]:
    seen: Counter[Group] = Counter()
    written: Counter[Group] = Counter()
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(task.columns)
        for group, values in usable(files, task):
            if seen[group] in chosen.get(group, ()):
                writer.writerow([values[name] for name in task.columns])
                written[group] += 1
            seen[group] += 1
    return written


def _totals(written: Counter[Group], place: int) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for group, count in written.items():
        totals[str(group[place])] += count
    return dict(sorted(totals.items()))


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("reviews -> as many of each sentiment", reads="reviews")
    parser.add_argument("--by", default="category", choices=("category", "sentiment"))
    parser.add_argument("--columns", nargs="+", default=COLUMNS, choices=COLUMNS, help="to write")
    parser.add_argument("--text", choices=TEXTS, default="body", help="what a model reads of a review")
    parser.add_argument("--held-out", type=Path, default=Path("/opt/ml/processing/input/test"))
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args(arguments)

    def work() -> None:
        files = table_files(options.input)
        held_out = read_held_out(options.held_out, files)
        task = Task(options.by == "category", held_out, tuple(options.columns), options.text, options.seed)
        report = balance(files, options.output, task, is_synthetic(options))
        print(f"{report['rows_in']} reviews in, {report['held_out']} held out for the test")
        print(f"{report['rows']} out, {report['per_group']} a group")
        for category, missing in report["left_out"].items():
            print(f"left out {category!r}: no review of sentiment {', '.join(missing)}")

    return run("balance", work, options.reason)


if __name__ == "__main__":
    sys.exit(main())
