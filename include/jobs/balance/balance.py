"""
Processing job: transformed reviews -> as many of each sentiment, in each category or over all of them.

Reads the CSV files in ``--input`` (columns sentiment, review_body, product_category) twice, never holding them: once to
count, once to keep a seeded sample of every group, as large as the smallest of them. Groups are those of category and
sentiment, or, with ``--by sentiment``, of sentiment alone. A category that has no review of some sentiment cannot be
balanced: it is left out, and named in the report. Reviews of the features job's test split in ``--held-out``, where
there is one, are left out too: a model that learns from the result will be judged by them. Writes::

    OUTPUT/reviews/reviews.csv   the order of the input, and its columns or those of ``--columns``
    OUTPUT/report/report.json    {"rows_in", "held_out", "rows", "per_group", "by_sentiment", "by_category",
                                  "left_out": {category: [sentiments it lacks]}, "seed", "synthetic"}

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

from held_out import read_held_out, same
from job import BadInput, is_synthetic, processing_parser, run

SENTIMENT, CATEGORY, TEXT = "sentiment", "product_category", "review_body"
SENTIMENTS = ("-1", "0", "1")

#: category and sentiment; the category is "" where the sentiment alone makes the group.
Group = tuple[str, str]


@dataclass(frozen=True)
class Task:
    """
    What to balance and how.

    :param held_out: texts to leave out, in the form of :func:`held_out.same`.
    :param columns: to write; none for those of the input.
    """

    by_category: bool = True
    held_out: frozenset[str] = field(default_factory=frozenset)
    columns: tuple[str, ...] = ()
    seed: int = 42

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns that the input must have."""
        text = (TEXT,) if self.held_out else ()
        return tuple(dict.fromkeys((SENTIMENT, *((CATEGORY,) if self.by_category else ()), *text, *self.columns)))


def usable(files: Sequence[Path], task: Task) -> Iterator[tuple[list[str], Group, list[str]]]:
    """The rows that are not held out."""
    for header, group, fields in read_rows(files, task):
        if not task.held_out or same(fields[header.index(TEXT)]) not in task.held_out:
            yield header, group, fields


def read_rows(files: Sequence[Path], task: Task) -> Iterator[tuple[list[str], Group, list[str]]]:
    """
    Header, group and fields of each row.

    :raises BadInput: a file is no such CSV, or a row has no category or an unknown sentiment.
    """
    csv.field_size_limit(16 * 1024 * 1024)
    first: list[str] = []
    for path in files:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text)
            try:
                header = next(reader, [])
                missing = [name for name in task.needed if name not in header]
                if missing:
                    raise BadInput(f"{path.name} lacks the columns {', '.join(missing)}")
                first = first or header
                if header != first:
                    raise BadInput(f"{path.name} has other columns than {files[0].name}: {', '.join(header)}")
                for number, fields in enumerate(reader, start=1):
                    yield header, _group(fields, header, task, f"{path.name}:{number}"), fields
            except (csv.Error, UnicodeDecodeError) as error:
                raise BadInput(f"{path.name} is not a CSV in UTF-8: {error}") from error


def _group(fields: list[str], header: list[str], task: Task, place: str) -> Group:
    if len(fields) != len(header):
        raise BadInput(f"{place} has {len(fields)} fields and the header {len(header)}")
    sentiment = fields[header.index(SENTIMENT)]
    if not task.by_category:
        if sentiment not in SENTIMENTS:
            raise BadInput(f"{place} has the sentiment {sentiment!r}")
        return "", sentiment
    category = fields[header.index(CATEGORY)]
    if not category.strip() or sentiment not in SENTIMENTS:
        raise BadInput(f"{place} has category {category!r} and sentiment {sentiment!r}")
    return category, sentiment


def choose(counts: Counter[Group], task: Task) -> tuple[dict[Group, set[int]], dict[str, list[str]]]:
    """
    The rows to keep of each group, by their numbers within it; and the categories left out, with what they lack.

    :raises BadInput: a sentiment does not occur, or not in two categories.
    """
    categories = {category for category, _ in counts}
    lacking = {
        category: [sentiment for sentiment in SENTIMENTS if not counts[category, sentiment]]
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


def balance(source: Path, target: Path, task: Task, synthetic: bool) -> dict[str, Any]:
    """Write the balanced table and the report below ``target``, both or neither; the report."""
    files = sorted(source.rglob("*.csv")) if source.is_dir() else []
    if not files:
        raise BadInput(f"there is no .csv file in {source}")
    rows_in = sum(1 for _ in read_rows(files, task))
    if not rows_in:
        raise BadInput("the input has no rows")
    counts = Counter(group for _, group, _ in usable(files, task))
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
        for header, group, fields in usable(files, task):
            if seen[group] in chosen.get(group, ()):
                places = [header.index(name) for name in task.columns or header]
                if not written:
                    writer.writerow([header[place] for place in places])
                writer.writerow([fields[place] for place in places])
                written[group] += 1
            seen[group] += 1
    return written


def _totals(written: Counter[Group], place: int) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for group, count in written.items():
        totals[group[place]] += count
    return dict(sorted(totals.items()))


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("reviews -> as many of each sentiment", reads="reviews")
    parser.add_argument("--by", default="category", choices=("category", "sentiment"))
    parser.add_argument("--columns", nargs="+", default=[], help="to write; default: those of the input")
    parser.add_argument("--held-out", type=Path, default=Path("/opt/ml/processing/input/test"))
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args(arguments)

    def work() -> None:
        held_out = frozenset(read_held_out(options.held_out))
        task = Task(options.by == "category", held_out, tuple(options.columns), options.seed)
        report = balance(options.input, options.output, task, is_synthetic(options))
        print(f"{report['rows_in']} reviews in, {report['held_out']} held out for the test")
        print(f"{report['rows']} out, {report['per_group']} a group")
        for category, missing in report["left_out"].items():
            print(f"left out {category!r}: no review of sentiment {', '.join(missing)}")

    return run("balance", work, options.reason)


if __name__ == "__main__":
    sys.exit(main())
