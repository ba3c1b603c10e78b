"""
Processing job: the cleaned table of the reviews -> the lines that BlazingText learns from.

Reads the transform job's Parquet files in ``INPUT/reviews/`` several times, never holding them, and the test split of
the features job in ``INPUT/test/``, if there is one: what is in that split is left out here, since the model will be
judged by it. What remains is split (seeded) into training and validation, as many reviews of each sentiment in both.
The training lines are written in ``--repeats`` rounds: each has all reviews of the rarest sentiment, and as many of
each of the others, other ones in each round as long as there are any. Writes, a line a review
(``__label__1 i love this dress !``)::

    OUTPUT/train/train.txt
    OUTPUT/validation/validation.txt
    OUTPUT/report/report.json    {"rows_in", "held_out", "without_tokens", "by_sentiment", "rows", "train",
                                  "validation", "tokens", "repeats", "seed", "text", "synthetic"}

Exit status 2, and one sentence, when the input cannot be used; nothing is written then.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from held_out import HeldOut, read_held_out
from job import BadInput, is_synthetic, processing_parser, run, share
from model_input import TEXTS, model_input
from review_table import read_reviews, table_files
from tokens import tokenise

READ = ("review_id", "title", "body", "sentiment")
SENTIMENTS = ("-1", "0", "1")

#: sentiment and tokens of a review.
Line = tuple[str, str]


def usable(files: Sequence[Path], held_out: HeldOut, text: str, left_out: Counter[str]) -> Iterator[Line]:
    """Yield sentiment and tokens of each review to train on; why others are left out is counted in ``left_out``."""
    for review_id, title, body, sentiment in read_reviews(files, READ):
        if held_out.has(review_id, body):
            left_out["held_out"] += 1
        elif tokens := tokenise(model_input(title, body, text)):
            yield str(sentiment), tokens
        else:
            left_out["without_tokens"] += 1


@dataclass(frozen=True)
class Places:
    """Where reviews go, by sentiment and their number among their like; ``rounds`` are those of the training lines."""

    validation: dict[str, frozenset[int]]
    rounds: list[dict[str, frozenset[int]]]


def place(counts: Counter[str], validation_share: float, repeats: int, seed: int) -> Places:
    """
    Decide where reviews go.

    :param counts: reviews of each sentiment.
    :raises BadInput: a sentiment does not occur, or so rarely that a split would have none of it.
    """
    lacking = [sentiment for sentiment in SENTIMENTS if not counts[sentiment]]
    if lacking:
        raise BadInput(f"no review has the sentiment {', '.join(lacking)}")
    size = min(counts[sentiment] for sentiment in SENTIMENTS)
    held = round(size * validation_share)
    if not 0 < held < size:
        raise BadInput(f"the rarest sentiment has {size} reviews: too few for training and validation")
    places = Places({}, [{} for _ in range(repeats)])
    for sentiment in SENTIMENTS:
        order = list(range(counts[sentiment]))
        random.Random(f"{seed} {sentiment}").shuffle(order)
        places.validation[sentiment] = frozenset(order[:held])
        endless = cycle(order[held:])
        for chosen in places.rounds:
            chosen[sentiment] = frozenset(islice(endless, size - held))
    return places


def prepare(options: argparse.Namespace) -> dict[str, Any]:
    """Write the lines and the report below ``options.output``, all or nothing; the report."""
    target, seed, text = options.output, options.seed, options.text
    files = table_files(options.input / "reviews")
    held_out = read_held_out(options.input / "test", files)
    left_out: Counter[str] = Counter()
    counts = Counter(sentiment for sentiment, _ in usable(files, held_out, text, left_out))
    places = place(counts, options.validation_share, options.repeats, seed)
    target.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".prepare-", dir=target))
    try:
        written, tokens = _write(scratch, lambda: usable(files, held_out, text, Counter()), places)
        report = {
            "rows_in": counts.total() + left_out.total(),
            "held_out": left_out["held_out"],
            "without_tokens": left_out["without_tokens"],
            "by_sentiment": {sentiment: counts[sentiment] for sentiment in SENTIMENTS},
            "rows": written.total(),
            "train": written["train"],
            "validation": written["validation"],
            "tokens": tokens,
            "repeats": options.repeats,
            "seed": seed,
            "text": text,
            "synthetic": is_synthetic(options),
        }
        (scratch / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        for name, file in (("train", "train.txt"), ("validation", "validation.txt"), ("report", "report.json")):
            (target / name).mkdir(exist_ok=True)
            (scratch / file).replace(target / name / file)
    finally:
        shutil.rmtree(scratch)
    return report


def _write(folder: Path, read: Callable[[], Iterator[Line]], places: Places) -> tuple[Counter[str], int]:
    """Write both files; how many lines each has, and how many tokens they have together."""
    written: Counter[str] = Counter()
    tokens = 0
    nothing: dict[str, frozenset[int]] = dict.fromkeys(SENTIMENTS, frozenset())
    with (
        (folder / "train.txt").open("w", encoding="utf-8", newline="\n") as train,
        (folder / "validation.txt").open("w", encoding="utf-8", newline="\n") as validation,
    ):
        for number, chosen in enumerate(places.rounds):
            targets = (("train", train, chosen), ("validation", validation, nothing if number else places.validation))
            seen: Counter[str] = Counter()
            for sentiment, text in read():
                for split, file, wanted in targets:
                    if seen[sentiment] in wanted[sentiment]:
                        file.write(f"__label__{sentiment} {text}\n")
                        written[split] += 1
                        tokens += text.count(" ") + 1
                seen[sentiment] += 1
    return written, tokens


def _repeats(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 100")
    return value


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("reviews -> the lines that BlazingText learns from")
    parser.add_argument("--validation-share", type=share, default=0.1)
    parser.add_argument("--repeats", type=_repeats, default=2, help="of the rarest sentiment's reviews in training")
    parser.add_argument("--text", choices=TEXTS, default=TEXTS[0], help="what the model reads of a review")
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args(arguments)

    def work() -> None:
        report = prepare(options)
        print(f"{report['rows_in']} reviews in, {report['held_out']} held out for the test")
        print(f"{report['train']} to train, {report['validation']} to validate, {report['tokens']} tokens")

    return run("blazingtext_prepare", work, options.reason)


if __name__ == "__main__":
    sys.exit(main())
