"""
Processing job: raw reviews -> token ids in three splits that no review shares.

Reads the raw CSV files in ``--input`` twice, never holding them: once to see which reviews each split gets, once to
write them. Rows with a blank in any column are dropped, as are ratings outside 1-5. Writes, with HOST the instance's
name (``algo-1``)::

    OUTPUT/{train,validation,test}/part-HOST.parquet
        review_id string, sentiment int (-1, 0, 1), label_id int (0, 1, 2), input_ids list<int32> (not padded),
        review_body string, date string (ISO 8601, the event time)
    OUTPUT/report/report.json (report-HOST.json on further instances)   {"rows_in", "rows", "dropped", "splits": {split: {sentiment: n}}, ...}

**Splits.** A hash of the text and ``--seed`` places a review, so a text that occurs twice is in one split only, on
whichever instance, and a review stays in its split when the data grows. The test and validation splits have as many
reviews of each class (the smallest class decides) and no text twice; they are held out before any balancing of the
training data. Reviews of larger classes that fall into their share but are not needed there stay unused, since another
instance could hold the same text.

**Several instances.** With inputs sharded by S3 key each reads its own files; with replicated inputs each takes its
share of the texts, by hash.

Exit status 2, and one sentence, when the input cannot be used; nothing is written then.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from base_model import load_tokenizer, locate, vocabulary_hash
from job import BadInput, run
from raw_csv import Drops, Row, input_files, read_rows
from transformers import PreTrainedTokenizerBase

TEXT, RATING = "Review Text", "Rating"
COLUMNS = (TEXT, RATING)
SPLITS = ("train", "validation", "test")
BATCH = 1024
FEWEST = 4
WHOLE = 1 << 64

SCHEMA = pa.schema(
    [
        ("review_id", pa.string()),
        ("sentiment", pa.int8()),
        ("label_id", pa.int8()),
        ("input_ids", pa.list_(pa.int32())),
        ("review_body", pa.string()),
        ("date", pa.string()),
    ]
)


@dataclass(frozen=True)
class Share:
    """The part of the texts that this instance takes: those whose hash leaves ``index`` when divided by ``of``."""

    host: str = "algo-1"
    first: bool = True
    index: int = 0
    of: int = 1

    @property
    def report(self) -> str:
        """The name of this instance's report: ``report.json`` on the first."""
        return "report.json" if self.first else f"report-{self.host}.json"

    def holds(self, key: int) -> bool:
        """True when the text with this hash is for this instance."""
        return key % self.of == self.index


@dataclass(frozen=True)
class Review:
    """A usable review with the hash that places it."""

    review_id: str
    text: str
    sentiment: int
    key: int


@dataclass
class Plan:
    """Which reviews are held out: for each split and class, the hashes up to a limit."""

    test_share: float
    validation_share: float
    limits: dict[tuple[str, int], int] = field(default_factory=dict)

    def pool(self, key: int) -> str:
        """The split whose share of the hashes ``key`` falls into."""
        position = key / WHOLE
        if position < self.test_share:
            return "test"
        return "validation" if position < self.test_share + self.validation_share else "train"

    def split(self, review: Review, taken: set[tuple[int, int]]) -> str | None:
        """Where ``review`` goes; None when it is in a held-out share and not needed there."""
        pool = self.pool(review.key)
        if pool == "train":
            return pool
        mark = (review.key, review.sentiment)
        if review.key > self.limits[pool, review.sentiment] or mark in taken:
            return None
        taken.add(mark)
        return pool


def text_key(text: str, seed: int) -> int:
    """64 bits of a hash of the text, letter case and spacing aside."""
    plain = " ".join(text.casefold().split())
    return int.from_bytes(hashlib.blake2b(f"{seed}\n{plain}".encode(), digest_size=8).digest(), "big")


def reviews(files: Sequence[Path], seed: int, share: Share, drops: Drops) -> Iterator[Review]:
    """The usable reviews of this instance's share; what is not usable is counted in ``drops``."""
    for row in read_rows(files, COLUMNS, drops):
        key = text_key(row.values[TEXT], seed)
        if not share.holds(key):
            continue
        blank = row.blank(tuple(row.values))
        sentiment = row.sentiment()
        if blank:
            drops.add(f"blank {blank or 'first column'}", row.place)
        elif sentiment is None:
            drops.add("rating outside 1-5", row.place)
        else:
            yield Review(_review_id(row, key), row.values[TEXT], sentiment, key)


def _review_id(row: Row, key: int) -> str:
    """The first column when it is an index (it has no name then, or this one), else the hash of the text."""
    for column in ("review_id", ""):
        if column in row.values:
            return row.values[column].strip()
    return f"{key:016x}"


def plan_splits(read: Callable[[], Iterator[Review]], test_share: float, validation_share: float) -> Plan:
    """
    Go through all reviews and set the limits that make the held-out splits balanced.

    Where the data are so few that a class has less than ``FEWEST`` in a held-out share, both shares are doubled, while
    half of the data stays for training.

    :param read: starts a pass over the reviews.
    :raises BadInput: there are no reviews, or of one class only, or too few to hold any out.
    """
    plan, totals, smallest = _plan(read(), test_share, validation_share)
    while min(smallest.values()) < FEWEST and plan.test_share + plan.validation_share <= 0.25:
        plan, totals, smallest = _plan(read(), 2 * plan.test_share, 2 * plan.validation_share)
    if not min(smallest.values()):
        raise BadInput(f"too few reviews to hold any out for validation and test: {dict(totals)} by sentiment")
    return plan


def _plan(found: Iterator[Review], test_share: float, validation_share: float) -> tuple[Plan, Counter[int], dict[str, int]]:
    """A plan by these shares, the reviews by sentiment, and the smallest class's part of each held-out split."""
    plan = Plan(test_share, validation_share)
    keys: dict[tuple[str, int], array[int]] = defaultdict(lambda: array("Q"))
    totals: Counter[int] = Counter()
    for review in found:
        totals[review.sentiment] += 1
        pool = plan.pool(review.key)
        if pool != "train":
            keys[pool, review.sentiment].append(review.key)
    if len(totals) < 2:
        what = f"all {totals.total()} usable reviews are of one class ({next(iter(totals))})" if totals else "no review"
        raise BadInput(f"{what}: there is nothing to train on (column {RATING})")
    smallest = {}
    for pool in ("test", "validation"):
        unique = {sentiment: np.unique(keys[pool, sentiment]) for sentiment in totals}
        smallest[pool] = min(map(len, unique.values()))
        for sentiment in totals:
            plan.limits[pool, sentiment] = int(unique[sentiment][smallest[pool] - 1]) if smallest[pool] else -1
    return plan, totals, smallest


class SplitWriter:
    """Writes reviews, tokenised a batch at a time, into one Parquet file a split."""

    def __init__(self, folder: Path, share: Share, tokenizer: PreTrainedTokenizerBase, length: int, date: str) -> None:
        self.folder, self.tokenizer, self.length, self.date = folder, tokenizer, length, date
        metadata = {"vocabulary": vocabulary_hash(tokenizer), "max_seq_length": str(length)}
        schema = SCHEMA.with_metadata(metadata)
        self.counts: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
        self.tokens = 0
        self.writers = {}
        for split in SPLITS:
            (folder / split).mkdir(parents=True)
            self.writers[split] = pq.ParquetWriter(folder / split / f"part-{share.host}.parquet", schema)

    def write(self, placed: Sequence[tuple[str, Review]]) -> None:
        """Tokenise and write one batch of ``(split, review)``."""
        # The cap bounds the work on a text of megabytes: what lies beyond it is beyond max_seq_length too.
        texts = [review.text[: self.length * 100] for _, review in placed]
        ids = self.tokenizer(texts, truncation=True, max_length=self.length, return_attention_mask=False)["input_ids"]
        self.tokens += sum(map(len, ids))
        for split in SPLITS:
            rows = [
                {
                    "review_id": review.review_id,
                    "sentiment": review.sentiment,
                    "label_id": review.sentiment + 1,
                    "input_ids": tokens,
                    "review_body": review.text,
                    "date": self.date,
                }
                for (where, review), tokens in zip(placed, ids, strict=True)
                if where == split
            ]
            if rows:
                self.writers[split].write_table(pa.Table.from_pylist(rows, schema=self.writers[split].schema))
                self.counts[split].update(str(row["sentiment"]) for row in rows)

    def close(self) -> None:
        """Finish the files."""
        for writer in self.writers.values():
            writer.close()


def build(options: argparse.Namespace) -> dict[str, Any]:
    """Plan, tokenise and write all splits below ``options.output``, or nothing; the report."""
    share = this_share(options.config, options.input)
    files = input_files(options.input)
    plan = plan_splits(
        lambda: reviews(files, options.seed, share, Drops()), options.test_share, options.validation_share
    )
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = load_tokenizer(locate(options.base_model, options.input.parent / "base_model", Path(folder)))
    options.output.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".features-", dir=options.output))
    try:
        writer = SplitWriter(scratch, share, tokenizer, options.max_seq_length, options.date)
        taken: set[tuple[int, int]] = set()
        unused = 0
        drops = Drops()
        found = reviews(files, options.seed, share, drops)
        while batch := list(islice(found, BATCH)):
            placed = [(split, review) for review in batch if (split := plan.split(review, taken))]
            unused += len(batch) - len(placed)
            writer.write(placed)
        writer.close()
        report = {
            "rows": sum(counts.total() for counts in writer.counts.values()) + unused,
            "dropped": dict(drops.counts),
            "first_dropped": drops.first,
            "splits": {split: dict(sorted(counts.items())) for split, counts in writer.counts.items()},
            "held_out_unused": unused,
            "tokens": writer.tokens,
            "vocabulary": vocabulary_hash(tokenizer),
            "max_seq_length": options.max_seq_length,
            "seed": options.seed,
        }
        (scratch / "report").mkdir()
        (scratch / "report" / share.report).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        for written in sorted(path for path in scratch.rglob("*") if path.is_file()):
            target = options.output / written.relative_to(scratch)
            target.parent.mkdir(parents=True, exist_ok=True)
            written.replace(target)
    finally:
        shutil.rmtree(scratch)
    for line in drops.lines():
        print(line)
    return report


def this_share(config: Path, source: Path) -> Share:
    """This instance among its siblings, by SageMaker's configuration files; alone where there are none."""
    resources = config / "resourceconfig.json"
    if not resources.exists():
        return Share()
    known = json.loads(resources.read_text())
    host, hosts = known["current_host"], sorted(known["hosts"])
    first = host == hosts[0]
    if len(hosts) == 1 or _sharded(config / "processingjobconfig.json", source):
        return Share(host, first)
    return Share(host, first, hosts.index(host), len(hosts))


def _sharded(job: Path, source: Path) -> bool:
    """True when S3 keys, rather than copies of everything, were dealt out to the instances."""
    inputs = json.loads(job.read_text()).get("ProcessingInputs", []) if job.exists() else []
    return any(
        one.get("S3Input", {}).get("S3DataDistributionType") == "ShardedByS3Key"
        for one in inputs
        if one.get("S3Input", {}).get("LocalPath", "").rstrip("/").endswith("/" + source.name)
    )


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 < value < 0.5:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 0.5")
    return value


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The job's arguments, with the container's paths as defaults."""
    parser = argparse.ArgumentParser(description="raw reviews -> token ids in three splits")
    parser.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input/raw"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--config", type=Path, default=Path("/opt/ml/config"))
    parser.add_argument("--reason", type=Path, default=Path("/opt/ml/output/message"))
    parser.add_argument("--base-model", default="roberta-base", help="hub name or folder")
    parser.add_argument("--max-seq-length", type=int, default=128, help="tokens a review at most")
    parser.add_argument("--test-share", type=_fraction, default=0.11, help="of each class, before balancing")
    parser.add_argument("--validation-share", type=_fraction, default=0.05, help="of each class, before balancing")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--date", default=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), help="event time")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    options = parse(arguments)

    def work() -> None:
        report = build(options)
        print(f"{report['rows']} reviews, {report['tokens']} tokens, splits by sentiment: {report['splits']}")

    return run("features", work, options.reason)


if __name__ == "__main__":
    sys.exit(main())
