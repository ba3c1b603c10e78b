"""
Processing job: transformed reviews -> the lines that BlazingText learns from.

Reads the CSV files in ``INPUT/reviews/`` (columns sentiment, review_body, ...) twice, never holding them, and the test
split of the features job in ``INPUT/test/``, if there is one: what is in that split is left out here, since the model
will be judged by it. What remains is balanced by sentiment down to the smallest class (seeded) and split, each class
alike, into training and validation. Writes, a line a review (``__label__1 i love this dress !``)::

    OUTPUT/train/train.txt
    OUTPUT/validation/validation.txt
    OUTPUT/report/report.json    {"rows_in", "held_out", "without_tokens", "by_sentiment", "rows", "train",
                                  "validation", "tokens", "seed", "synthetic"}

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

from held_out import read_held_out, same
from job import BadInput, is_synthetic, processing_parser, run
from tokens import tokenise

SENTIMENT, TEXT = "sentiment", "review_body"
SENTIMENTS = ("-1", "0", "1")


def read_rows(files: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Sentiment and text of each row. :raises BadInput: a file is no such CSV, or a row has an unknown sentiment."""
    csv.field_size_limit(16 * 1024 * 1024)
    for path in files:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text)
            try:
                missing = [name for name in (SENTIMENT, TEXT) if name not in (reader.fieldnames or [])]
                if missing:
                    raise BadInput(f"{path.name} lacks the columns {', '.join(missing)}")
                for number, row in enumerate(reader, start=1):
                    if row[SENTIMENT] not in SENTIMENTS or row[TEXT] is None:
                        raise BadInput(f"{path.name}:{number} has the sentiment {row[SENTIMENT]!r}")
                    yield row[SENTIMENT], row[TEXT]
            except (csv.Error, UnicodeDecodeError) as error:
                raise BadInput(f"{path.name} is not a CSV in UTF-8: {error}") from error


def usable(files: Sequence[Path], held_out: set[str], left_out: Counter[str]) -> Iterator[tuple[str, str]]:
    """Sentiment and tokens of each review that may be learnt from; why others may not is counted in ``left_out``."""
    for sentiment, text in read_rows(files):
        if same(text) in held_out:
            left_out["held_out"] += 1
        elif tokens := tokenise(text):
            yield sentiment, tokens
        else:
            left_out["without_tokens"] += 1


def place(counts: Counter[str], validation_share: float, seed: int) -> dict[str, dict[int, str]]:
    """
    Of each sentiment, the number of a review among its like -> the split it goes to.

    :raises BadInput: a sentiment does not occur, or so rarely that a split would have none of it.
    """
    lacking = [sentiment for sentiment in SENTIMENTS if not counts[sentiment]]
    if lacking:
        raise BadInput(f"no review has the sentiment {', '.join(lacking)}")
    size = min(counts[sentiment] for sentiment in SENTIMENTS)
    held = round(size * validation_share)
    if not 0 < held < size:
        raise BadInput(f"the rarest sentiment has {size} reviews: too few for training and validation")
    places = {}
    for sentiment in SENTIMENTS:
        chosen = random.Random(f"{seed} {sentiment}").sample(range(counts[sentiment]), size)
        places[sentiment] = {number: "validation" if at < held else "train" for at, number in enumerate(chosen)}
    return places


def prepare(source: Path, target: Path, validation_share: float, seed: int, synthetic: bool) -> dict[str, Any]:
    """Write the lines and the report below ``target``, all or nothing; the report."""
    folder = source / "reviews"
    files = sorted(folder.rglob("*.csv")) if folder.is_dir() else []
    if not files:
        raise BadInput(f"there is no .csv file in {folder}")
    held_out = read_held_out(source / "test")
    left_out: Counter[str] = Counter()
    counts = Counter(sentiment for sentiment, _ in usable(files, held_out, left_out))
    places = place(counts, validation_share, seed)
    target.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".prepare-", dir=target))
    try:
        written, tokens = _write(scratch, usable(files, held_out, Counter()), places)
        report = {
            "rows_in": counts.total() + left_out.total(),
            "held_out": left_out["held_out"],
            "without_tokens": left_out["without_tokens"],
            "by_sentiment": {sentiment: counts[sentiment] for sentiment in SENTIMENTS},
            "rows": written.total(),
            "train": written["train"],
            "validation": written["validation"],
            "tokens": tokens,
            "seed": seed,
            "synthetic": synthetic,
        }
        (scratch / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        for name, file in (("train", "train.txt"), ("validation", "validation.txt"), ("report", "report.json")):
            (target / name).mkdir(exist_ok=True)
            (scratch / file).replace(target / name / file)
    finally:
        shutil.rmtree(scratch)
    return report


def _write(
    folder: Path, reviews: Iterator[tuple[str, str]], places: dict[str, dict[int, str]]
) -> tuple[Counter[str], int]:
    """Write both files; how many lines each has, and how many tokens they have together."""
    seen: Counter[str] = Counter()
    written: Counter[str] = Counter()
    tokens = 0
    with (
        (folder / "train.txt").open("w", encoding="utf-8", newline="\n") as train,
        (folder / "validation.txt").open("w", encoding="utf-8", newline="\n") as validation,
    ):
        targets = {"train": train, "validation": validation}
        for sentiment, text in reviews:
            split = places[sentiment].get(seen[sentiment])
            seen[sentiment] += 1
            if split:
                targets[split].write(f"__label__{sentiment} {text}\n")
                written[split] += 1
                tokens += text.count(" ") + 1
    return written, tokens


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("reviews -> the lines that BlazingText learns from")
    parser.add_argument("--validation-share", type=_share, default=0.1)
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args(arguments)

    def work() -> None:
        synthetic = is_synthetic(options)
        report = prepare(options.input, options.output, options.validation_share, options.seed, synthetic)
        print(f"{report['rows_in']} reviews in, {report['held_out']} held out for the test")
        print(f"{report['train']} to train, {report['validation']} to validate, {report['tokens']} tokens")

    return run("blazingtext_prepare", work, options.reason)


if __name__ == "__main__":
    sys.exit(main())
