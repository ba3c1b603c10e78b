"""
Processing job: transformed reviews -> as many of each sentiment in each category.

Reads the CSV files in ``--input`` (columns sentiment, review_body, product_category) twice, never holding them: once to
count, once to keep a seeded sample of every group of category and sentiment, as large as the smallest of them. A
category that has no review of some sentiment cannot be balanced: it is left out, and named in the report. Writes::

    OUTPUT/reviews/reviews.csv   the columns and the order of the input
    OUTPUT/report/report.json    {"rows_in", "rows", "per_group", "by_sentiment", "by_category",
                                  "left_out": {category: [sentiments it lacks]}, "seed", "synthetic"}

Exit status 2, and one sentence, when the input cannot be used; nothing is written then.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from job import BadInput, run

SENTIMENT, CATEGORY = "sentiment", "product_category"
SENTIMENTS = ("-1", "0", "1")

Group = tuple[str, str]


def read_rows(files: Sequence[Path]) -> Iterator[tuple[list[str], Group, list[str]]]:
    """
    Header, group (category, sentiment) and fields of each row.

    :raises BadInput: a file is no such CSV, or a row has no category or an unknown sentiment.
    """
    csv.field_size_limit(16 * 1024 * 1024)
    first: list[str] = []
    for path in files:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text)
            try:
                header = next(reader, [])
                missing = [name for name in (SENTIMENT, CATEGORY) if name not in header]
                if missing:
                    raise BadInput(f"{path.name} lacks the columns {', '.join(missing)}")
                first = first or header
                if header != first:
                    raise BadInput(f"{path.name} has other columns than {files[0].name}: {', '.join(header)}")
                places = header.index(CATEGORY), header.index(SENTIMENT)
                for number, fields in enumerate(reader, start=1):
                    yield header, _group(fields, places, len(header), f"{path.name}:{number}"), fields
            except (csv.Error, UnicodeDecodeError) as error:
                raise BadInput(f"{path.name} is not a CSV in UTF-8: {error}") from error


def _group(fields: list[str], places: tuple[int, int], width: int, place: str) -> Group:
    if len(fields) != width:
        raise BadInput(f"{place} has {len(fields)} fields and the header {width}")
    category, sentiment = fields[places[0]], fields[places[1]]
    if not category.strip() or sentiment not in SENTIMENTS:
        raise BadInput(f"{place} has category {category!r} and sentiment {sentiment!r}")
    return category, sentiment


def choose(counts: Counter[Group], seed: int) -> tuple[dict[Group, set[int]], dict[str, list[str]]]:
    """
    The rows to keep of each group, by their numbers within it; and the categories left out, with what they lack.

    :raises BadInput: fewer than two categories have all sentiments.
    """
    categories = {category for category, _ in counts}
    lacking = {
        category: [sentiment for sentiment in SENTIMENTS if not counts[category, sentiment]]
        for category in sorted(categories)
    }
    left_out = {category: missing for category, missing in lacking.items() if missing}
    kept = [(category, sentiment) for category in sorted(categories - set(left_out)) for sentiment in SENTIMENTS]
    if len(kept) < 2 * len(SENTIMENTS):
        raise BadInput(f"fewer than two of {len(categories)} categories have reviews of every sentiment: {left_out}")
    size = min(counts[group] for group in kept)
    # Each group draws by itself: a category more or less changes nothing for the others of the same size.
    return {group: set(random.Random(f"{seed} {group}").sample(range(counts[group]), size)) for group in kept}, left_out


def balance(source: Path, target: Path, seed: int, synthetic: bool) -> dict[str, Any]:
    """Write the balanced table and the report below ``target``, both or neither; the report."""
    files = sorted(source.rglob("*.csv")) if source.is_dir() else []
    if not files:
        raise BadInput(f"there is no .csv file in {source}")
    counts = Counter(group for _, group, _ in read_rows(files))
    if not counts:
        raise BadInput("the input has no rows")
    chosen, left_out = choose(counts, seed)
    target.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".balance-", dir=target))
    try:
        written = _write(scratch / "reviews.csv", files, chosen)
        report = {
            "rows_in": counts.total(),
            "rows": written.total(),
            "per_group": len(next(iter(chosen.values()))),
            "by_sentiment": _totals(written, 1),
            "by_category": _totals(written, 0),
            "left_out": left_out,
            "seed": seed,
            "synthetic": synthetic,
        }
        (scratch / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        for folder, name in (("reviews", "reviews.csv"), ("report", "report.json")):
            (target / folder).mkdir(exist_ok=True)
            (scratch / name).replace(target / folder / name)
    finally:
        shutil.rmtree(scratch)
    return report


def _write(path: Path, files: Sequence[Path], chosen: dict[Group, set[int]]) -> Counter[Group]:
    seen: Counter[Group] = Counter()
    written: Counter[Group] = Counter()
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        for header, group, fields in read_rows(files):
            if seen[group] in chosen.get(group, ()):
                if not written:
                    writer.writerow(header)
                writer.writerow(fields)
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
    parser = argparse.ArgumentParser(description="reviews -> as many of each sentiment in each category")
    parser.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input/reviews"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--synthetic", default="false", choices=("true", "false", "True", "False"))
    parser.add_argument("--reason", type=Path, default=Path("/opt/ml/output/message"))
    options = parser.parse_args(arguments)

    def work() -> None:
        report = balance(options.input, options.output, options.seed, options.synthetic.lower() == "true")
        print(f"{report['rows_in']} reviews in, {report['rows']} out, {report['per_group']} a group")
        for category, missing in report["left_out"].items():
            print(f"left out {category!r}: no review of sentiment {', '.join(missing)}")

    return run("balance", work, options.reason)


if __name__ == "__main__":
    sys.exit(main())
