"""
Processing job: raw reviews -> token ids in three splits that no review shares.

Reads the raw CSV files in ``--input`` twice, never holding them: once to see which reviews each split gets, once to
write them. Rows with a blank in any column are dropped, as are ratings outside 1-5. Writes, with HOST the instance's
name (``algo-1``)::

    OUTPUT/{train,validation,test}/part-HOST.parquet
        review_id string, sentiment int (-1, 0, 1), label_id int (0, 1, 2), input_ids list<int32> (not padded),
        review_body string, date string (ISO 8601, the event time)
    OUTPUT/report/report.json    {"rows", "dropped": {reason: n}, "splits": {split: {sentiment: n}}, ...};
                                 report-HOST.json on all instances but the first

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
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from base_model import load_tokenizer, locate, vocabulary_hash
from job import processing_parser, run
from raw_csv import Drops, Row, input_files, read_rows
from splitting import SPLITS, Plan, Review, Share, plan_splits, text_key, this_share
from tokenising import token_ids
from transformers import PreTrainedTokenizerBase

TEXT, RATING = "Review Text", "Rating"
COLUMNS = (TEXT, RATING)
BATCH = 1024

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


class SplitWriter:
    """Writes reviews, tokenised a batch at a time, into one Parquet file a split."""

    def __init__(self, folder: Path, share: Share, tokenizer: PreTrainedTokenizerBase, length: int, date: str) -> None:
        self.length, self.date = length, date
        self.ids_of = token_ids(tokenizer, length)
        self.vocabulary = vocabulary_hash(tokenizer)
        metadata = {"vocabulary": self.vocabulary, "max_seq_length": str(length)}
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
        ids = self.ids_of(texts)
        self.tokens += len(ids.values)
        columns = {
            "review_id": [review.review_id for _, review in placed],
            "sentiment": [review.sentiment for _, review in placed],
            "label_id": [review.sentiment + 1 for _, review in placed],
            "input_ids": ids,
            "review_body": [review.text for _, review in placed],
            "date": [self.date] * len(placed),
        }
        table = pa.table(columns, schema=SCHEMA)
        for split, writer in self.writers.items():
            rows = [at for at, (where, _) in enumerate(placed) if where == split]
            if rows:
                writer.write_table(table.take(rows).replace_schema_metadata(writer.schema.metadata))
                self.counts[split].update(str(placed[at][1].sentiment) for at in rows)

    def close(self) -> None:
        """Finish the files."""
        for writer in self.writers.values():
            writer.close()


def write_all(found: Iterator[Review], plan: Plan, writer: SplitWriter) -> int:
    """Write every review into its split; how many go into none. The next batch is read while one is tokenised."""
    taken: set[tuple[int, int]] = set()
    unused = 0
    with ThreadPoolExecutor(1) as pool:
        writing: Future[None] | None = None
        while batch := list(islice(found, BATCH)):
            placed = [(split, review) for review in batch if (split := plan.split(review, taken))]
            unused += len(batch) - len(placed)
            if writing:
                writing.result()
            writing = pool.submit(writer.write, placed)
        if writing:
            writing.result()
    writer.close()
    return unused


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
        drops = Drops()
        unused = write_all(reviews(files, options.seed, share, drops), plan, writer)
        report = {
            "rows": sum(counts.total() for counts in writer.counts.values()) + unused,
            "dropped": dict(drops.counts),
            "first_dropped": drops.first,
            "splits": {split: dict(sorted(counts.items())) for split, counts in writer.counts.items()},
            "held_out_unused": unused,
            "shares": {"test": round(plan.test_share, 4), "validation": round(plan.validation_share, 4)},
            "tokens": writer.tokens,
            "vocabulary": writer.vocabulary,
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


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 < value < 0.5:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 0.5")
    return value


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The job's arguments, with the container's paths as defaults."""
    parser = processing_parser("raw reviews -> token ids in three splits", reads="raw", synthetic=False)
    parser.add_argument("--config", type=Path, default=Path("/opt/ml/config"))
    parser.add_argument("--base-model", default="roberta-base", help="hub name or folder")
    parser.add_argument("--max-seq-length", type=int, default=128, help="tokens a review at most")
    parser.add_argument("--test-share", type=_fraction, default=0.11, help="of each class, before balancing")
    parser.add_argument("--validation-share", type=_fraction, default=0.05, help="of each class, before balancing")
    parser.add_argument("--seed", type=int, default=42)
    now = datetime.now(timezone.utc)  # noqa: UP017 (the containers' Python may be 3.10, which has no datetime.UTC)
    parser.add_argument("--date", default=now.strftime("%Y-%m-%dT%H:%M:%SZ"), help="event time of all reviews")
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
