"""
Processing job: Athena's answers to the five questions -> five charts and the numbers in them.

Each input folder ``INPUT/<query>/`` holds one answer as Athena wrote it (``<id>.csv``). Writes::

    OUTPUT/charts/{sentiments,average_sentiment,categories,split,words}.png
    OUTPUT/charts/report.json   {"rows", "by_sentiment", "by_category", "average_sentiment", "words", "synthetic"}

``--synthetic true`` marks every chart as drawn from generated reviews. Exit status 2, and one sentence, when an answer
is missing or the answers contradict one another; nothing is written then.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")

from drawing import draw_average_sentiment, draw_categories, draw_sentiments, draw_split, draw_words
from job import BadInput, is_synthetic, processing_parser, run

QUERIES = {
    "sentiments": ("sentiment", "reviews"),
    "categories": ("product_category", "reviews"),
    "average_sentiment": ("product_category", "average_sentiment"),
    "split": ("product_category", "sentiment", "reviews", "percentage"),
    "words": ("words", "reviews"),
}
DECILES = [number / 10 for number in range(1, 10)]

Row = dict[str, str]


@dataclass(frozen=True)
class Answers:
    """What the five queries answered, by category or sentiment in the order of the queries."""

    by_sentiment: dict[int, int]
    by_category: dict[str, int]
    average_sentiment: dict[str, float]
    split: dict[str, dict[int, float]]
    words: dict[int, int]

    @classmethod
    def read(cls, source: Path) -> Answers:
        """Read all five from ``source``. :raises BadInput: one is missing, broken or contradicts another."""
        rows = {query: _answer(source / query, columns) for query, columns in QUERIES.items()}
        split: dict[str, dict[int, float]] = defaultdict(dict)
        try:
            for row in rows["split"]:
                split[row["product_category"]][int(row["sentiment"])] = float(row["percentage"])
            answers = cls(
                {int(row["sentiment"]): int(row["reviews"]) for row in rows["sentiments"]},
                {row["product_category"]: int(row["reviews"]) for row in rows["categories"]},
                {row["product_category"]: float(row["average_sentiment"]) for row in rows["average_sentiment"]},
                dict(split),
                {int(row["words"]): int(row["reviews"]) for row in rows["words"]},
            )
        except ValueError as error:
            raise BadInput(f"an answer has no number where one belongs: {error}") from error
        answers.check(sum(int(row["reviews"]) for row in rows["split"]))
        return answers

    def check(self, split_total: int) -> None:
        """Check that all answers count the same reviews. :raises BadInput: they do not, or there are none."""
        totals = {
            "sentiments": sum(self.by_sentiment.values()),
            "categories": sum(self.by_category.values()),
            "split": split_total,
            "words": sum(self.words.values()),
        }
        if not totals["sentiments"]:
            raise BadInput("the table has no reviews: there is nothing to draw")
        if len(set(totals.values())) > 1:
            raise BadInput(f"the answers do not count the same reviews: {totals}")
        if not self.by_category.keys() == self.average_sentiment.keys() == self.split.keys():
            raise BadInput("the answers do not name the same categories")

    def report(self, synthetic: bool) -> dict[str, Any]:
        """Return the numbers in the charts."""
        return {
            "rows": sum(self.by_sentiment.values()),
            "by_sentiment": {str(sentiment): self.by_sentiment.get(sentiment, 0) for sentiment in (-1, 0, 1)},
            "by_category": self.by_category,
            "average_sentiment": self.average_sentiment,
            "words": {"max": max(self.words), "deciles": deciles(self.words)},
            "synthetic": synthetic,
        }


def _answer(folder: Path, columns: tuple[str, ...]) -> list[Row]:
    files = sorted(folder.glob("*.csv")) if folder.is_dir() else []
    if not files:
        raise BadInput(f"no answer of the query {folder.name}: there is no .csv in {folder}")
    # A query that was asked again after a fault leaves a second answer beside the first.
    if len({file.read_bytes() for file in files}) > 1:
        raise BadInput(f"the query {folder.name} has {len(files)} answers that differ, in {folder}")
    with files[0].open(encoding="utf-8", newline="") as text:
        reader = csv.DictReader(text)
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise BadInput(f"the answer of the query {folder.name} lacks the columns {', '.join(missing)}")
        return list(reader)


def deciles(counts: dict[int, int]) -> dict[str, float]:
    """Return the values below which each tenth of the reviews lies; ``counts`` is value -> number of reviews."""
    values = np.repeat(list(counts), list(counts.values()))
    return {f"{d:.1f}": round(float(value), 6) for d, value in zip(DECILES, np.quantile(values, DECILES), strict=True)}


def draw(source: Path, target: Path, synthetic: bool) -> dict[str, Any]:
    """Draw all charts below ``target/charts``, or nothing; the report."""
    answers = Answers.read(source)
    report = answers.report(synthetic)
    target.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".charts-", dir=target))
    charts: dict[str, Callable[[Path], None]] = {
        "sentiments": lambda path: draw_sentiments(answers.by_sentiment, path, synthetic),
        "average_sentiment": lambda path: draw_average_sentiment(answers.average_sentiment, path, synthetic),
        "categories": lambda path: draw_categories(answers.by_category, path, synthetic),
        "split": lambda path: draw_split(answers.split, path, synthetic),
        "words": lambda path: draw_words(answers.words, path, synthetic),
    }
    try:
        for name, chart in charts.items():
            chart(scratch / f"{name}.png")
        (scratch / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        (target / "charts").mkdir(exist_ok=True)
        for written in scratch.iterdir():
            written.replace(target / "charts" / written.name)
    finally:
        shutil.rmtree(scratch)
    return report


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("Athena's answers -> charts")
    options = parser.parse_args(arguments)

    def work() -> None:
        report = draw(options.input, options.output, is_synthetic(options))
        kind = "SYNTHETIC reviews" if report["synthetic"] else "reviews"
        print(f"drew {len(QUERIES)} charts of {report['rows']} {kind}")

    return run("charts", work, options.reason)


if __name__ == "__main__":
    sys.exit(main())
