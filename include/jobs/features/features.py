"""
Processing job: the cleaned table of the reviews -> token ids in three splits that no review shares.

Reads the transform job's Parquet files in ``--input`` once, and never holds them: the reviews and their token ids go
into a scratch file, and from there into the splits, once all hashes are known. What the model reads is title and body,
or with ``--text body`` the body alone. Writes, with HOST the instance's name (``algo-1``)::

    OUTPUT/{train,validation,test}/part-HOST.parquet
        review_id string, sentiment int (-1, 0, 1), label_id int (0, 1, 2), input_ids list<int32> (not padded),
        review_body string (what the model reads), date string (ISO 8601, the event time)
    OUTPUT/feature_store/part-HOST.parquet
        the records for Feature Store: the same columns and split_type ("train", ...), as many of each class in each
        split; review_body on one line, and cut to what there is room for in a feature
    OUTPUT/manifest/manifest-HOST.json
        what the instance read, took and wrote: {"host", "hosts", "sharded", "share": {"index", "of"},
        "inputs": [{"name", "sha256", "rows"}], "rows", "outputs": [{"name", "sha256", "rows"}]}
    OUTPUT/report/report.json    {"rows", "text", "splits": {split: {sentiment: n}},
                                 "feature_store": {sentiment: n},
                                 "human_labels": {"given", "in_training", "changed"}, ...};
                                 report-HOST.json on all instances but the first

**Splits.** A hash of the body and ``--seed`` places a review, so a body that occurs twice is in one split only, on
whichever instance, and a review stays in its split when the data grows. The test and validation splits have as many
reviews of each class (the smallest class decides) and no body twice; they are held out before any balancing of the
training data. Reviews of larger classes that fall into their share but are not needed there stay unused, since another
instance could hold the same text.

**Labels of people.** A review that people have labelled (``--labels``, Parquet files of the human_labels job; may be
absent) has their label in place of its rating's sentiment where it is in the training split, and only there: the splits
are made by the ratings, so the held-out reviews and their classes stay as they are whatever people say.

A table that was made by ``--drop reference`` is split as the reference workflow does: as many of each class in all
splits, 90 % of them to train, and the rest halved.

**Several instances.** With inputs sharded by S3 key each reads its own files, and one without any writes its manifest
alone; with replicated inputs each takes its share of the texts, by hash. An instance with its own files cannot tell
whether ``--reviews-sha256`` is that of the whole table: who reads the manifests can.

Exit status 2, and one sentence, when the input cannot be used; nothing is written then.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import sys
import tempfile
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from base_model import load_tokenizer, locate, vocabulary_hash
from expectation import add_expectation, require
from human_label_table import read_labels
from job import PROCESSING, processing_parser, run
from manifest import manifest
from model_input import TEXTS, model_input
from review_body import as_in_the_table
from review_table import BATCH, count_rows, drop_of, read_reviews, table_files
from splitting import SPLITS, UNUSED, Plan, Review, Share, balanced, plan_reference, plan_splits, text_key, this_share
from tokenising import token_ids
from transformers import PreTrainedTokenizerBase

COLUMNS = ("review_id", "title", "body", "sentiment")
#: batches that go into one row group of a split.
ROW_GROUP = 4

#: in place of a label: people were not asked.
UNLABELLED = 2

#: letters of a text at most: Feature Store takes 358,400 bytes a feature.
LONGEST_FEATURE = 50_000

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
STORE = "feature_store"
STORE_SCHEMA = SCHEMA.append(pa.field("split_type", pa.string()))


def reviews(files: Sequence[Path], seed: int, share: Share, text: str) -> Iterator[Review]:
    """Return the reviews of this instance's share; ``text`` says what the model reads of them."""
    for review_id, title, body, sentiment in read_reviews(files, COLUMNS):
        key = text_key(body, seed)
        if share.holds(key):
            yield Review(review_id, model_input(title, body, text), sentiment, key)


class Spool:
    """
    A scratch file of the reviews, tokenised a batch at a time; what places them is kept in memory, 10 bytes each.

    :param labels: review_id -> what people said of it.
    """

    def __init__(
        self, path: Path, tokenizer: PreTrainedTokenizerBase, length: int, date: str, labels: Mapping[str, int]
    ) -> None:
        self.path, self.length, self.date, self.labels = path, length, date, labels
        self.ids_of = token_ids(tokenizer, length)
        self.keys, self.sentiments, self.given = array("Q"), array("b"), array("b")
        self.writer = pa.ipc.new_file(str(path), SCHEMA)

    def add(self, batch: Sequence[Review]) -> None:
        """Tokenise and write one batch."""
        self.keys.extend(review.key for review in batch)
        self.sentiments.extend(review.sentiment for review in batch)
        self.given.extend(self.labels.get(review.review_id, UNLABELLED) for review in batch)
        # The cap bounds the work on a text of megabytes: what lies beyond it is beyond max_seq_length too.
        ids = self.ids_of([review.text[: self.length * 100] for review in batch])
        columns = {
            "review_id": [review.review_id for review in batch],
            "sentiment": [review.sentiment for review in batch],
            "label_id": [review.sentiment + 1 for review in batch],
            "input_ids": ids,
            "review_body": [review.text for review in batch],
            "date": [self.date] * len(batch),
        }
        self.writer.write_batch(pa.record_batch(columns, schema=SCHEMA))

    def fill(self, found: Iterator[Review]) -> None:
        """Add all reviews and finish the file. The next batch is read while one is tokenised."""
        with ThreadPoolExecutor(1) as pool:
            writing: Future[None] | None = None
            while batch := list(islice(found, BATCH)):
                if writing:
                    writing.result()
                writing = pool.submit(self.add, batch)
            if writing:
                writing.result()
        self.writer.close()

    def placing(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the hashes of all texts, and their sentiments."""
        return np.array(self.keys, np.uint64), np.array(self.sentiments, np.int8)

    def learned(self, plan: Plan) -> tuple[np.ndarray, dict[str, int]]:
        """
        Return the sentiments that the splits are written with, and what people changed of them.

        What people said counts in the training split alone: models are compared by held-out splits that never change.
        """
        sentiments, given = np.array(self.sentiments, np.int8), np.array(self.given, np.int8)
        counted = (given != UNLABELLED) & (plan.splits == SPLITS.index("train"))
        learned = np.where(counted, given, sentiments).astype(np.int8)
        changed = {"in_training": int(counted.sum()), "changed": int((learned != sentiments).sum())}
        return learned, {"given": len(self.labels), **changed}

    def batches(self) -> Iterator[pa.Table]:
        """Yield the reviews in the order in which they came, some batches at a time."""
        with pa.OSFile(str(self.path)) as source, pa.ipc.open_file(source) as reader:
            for first in range(0, reader.num_record_batches, ROW_GROUP):
                several = range(first, min(first + ROW_GROUP, reader.num_record_batches))
                yield pa.Table.from_batches([reader.get_batch(number) for number in several])


class Writers:
    """A Parquet file for each split, and one for Feature Store; what went into them."""

    def __init__(self, folder: Path, host: str, metadata: dict[str, str]) -> None:
        self.metadata = metadata
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in (*SPLITS, STORE)}
        self.tokens = 0
        self.files = {}
        for name in self.counts:
            (folder / name).mkdir(parents=True)
            schema = (STORE_SCHEMA if name == STORE else SCHEMA).with_metadata(metadata)
            self.files[name] = pq.ParquetWriter(folder / name / f"part-{host}.parquet", schema)

    def write(self, table: pa.Table, splits: np.ndarray, stored: np.ndarray) -> None:
        """Write reviews, given the split of each, and whether it goes to Feature Store."""
        for number, split in enumerate(SPLITS):
            own = table.filter(splits == number)
            self.tokens += pc.sum(pc.list_value_length(own["input_ids"])).as_py() or 0
            self._add(split, own)
        kept, names = table.filter(stored), np.array(SPLITS)[splits[stored]]
        bodies = [as_in_the_table(text)[:LONGEST_FEATURE] for text in kept["review_body"].to_pylist()]
        place = SCHEMA.get_field_index("review_body")
        kept = kept.set_column(place, SCHEMA.field(place), pa.array(bodies, pa.string()))
        self._add(STORE, kept.append_column("split_type", pa.array(names, pa.string())))

    def _add(self, name: str, table: pa.Table) -> None:
        if len(table):
            self.files[name].write_table(table.replace_schema_metadata(self.metadata))
            self.counts[name].update(map(str, table["sentiment"].to_pylist()))

    def close(self) -> None:
        """Finish the files."""
        for file in self.files.values():
            file.close()


def write_splits(spool: Spool, plan: Plan, writers: Writers) -> dict[str, Any]:
    """Write every review to its place; the reviews of each file by sentiment, and the tokens of the splits."""
    learned, changed = spool.learned(plan)
    stored = balanced(plan, spool.placing()[0], learned)
    begin = 0
    for table in spool.batches():
        here = slice(begin, begin + len(table))
        writers.write(with_sentiments(table, learned[here]), plan.splits[here], stored[here])
        begin = here.stop
    writers.close()
    counts = {name: dict(sorted(found.items())) for name, found in writers.counts.items()}
    splits = {split: counts[split] for split in SPLITS}
    return {"splits": splits, STORE: counts[STORE], "human_labels": changed, "tokens": writers.tokens}


def with_sentiments(table: pa.Table, sentiments: np.ndarray) -> pa.Table:
    """Return the reviews with these sentiments, and the label ids that go with them."""
    for name, values in (("sentiment", sentiments), ("label_id", sentiments + 1)):
        place = SCHEMA.get_field_index(name)
        table = table.set_column(place, SCHEMA.field(place), pa.array(values, pa.int8()))
    return table


def build(options: argparse.Namespace) -> dict[str, Any]:
    """Read, tokenise, place and write the reviews below ``options.output``, or nothing; the report."""
    share = this_share(options.config, options.input)
    if share.sharded and not any(options.input.rglob("*.parquet")):
        return without_files(options, share)
    files = table_files(options.input)
    if not share.sharded:
        require(files, options, "reviews", "reviews", count_rows)
    labels = read_labels(options.labels)
    with tempfile.TemporaryDirectory() as name:
        tokenizer = load_tokenizer(locate(options.base_model, options.input.parent / "base_model", Path(name)))
    length = options.max_seq_length
    metadata = {"vocabulary": vocabulary_hash(tokenizer), "max_seq_length": str(length), "text": options.text}
    options.output.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".features-", dir=options.output))
    try:
        spool = Spool(scratch / "reviews.arrow", tokenizer, length, options.date, labels)
        spool.fill(reviews(files, options.seed, share, options.text))
        shares = {"test": options.test_share, "validation": options.validation_share}
        like_reference = drop_of(files) == "reference"
        plan = plan_reference(*spool.placing()) if like_reference else plan_splits(*spool.placing(), shares)
        written = scratch / "written"
        report = {
            "rows": len(plan.splits),
            "held_out_unused": int((plan.splits == UNUSED).sum()),
            "shares": {split: round(share, 4) for split, share in plan.shares.items()},
            **write_splits(spool, plan, Writers(written, share.host, metadata)),
            **metadata,
            "max_seq_length": length,
            "seed": options.seed,
        }
        write_json(written / "report" / share.report, report)
        write_json(
            written / "manifest" / f"manifest-{share.host}.json", manifest(share, files, len(plan.splits), written)
        )
        for path in sorted(path for path in written.rglob("*") if path.is_file()):
            target = options.output / path.relative_to(written)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
    finally:
        shutil.rmtree(scratch)
    return report


def without_files(options: argparse.Namespace, share: Share) -> dict[str, Any]:
    """Write the manifest and the report of an instance for which there was no file; the report."""
    report = {
        "rows": 0,
        "splits": {split: {} for split in SPLITS},
        STORE: {},
        "human_labels": dict.fromkeys(("given", "in_training", "changed"), 0),
        "tokens": 0,
    }
    write_json(options.output / "report" / share.report, report)
    told = manifest(share, [], 0, None)
    write_json(options.output / "manifest" / f"manifest-{share.host}.json", told)
    return report


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a document, and the folder that it goes into."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 < value < 0.5:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 0.5")
    return value


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the job's arguments, with the container's paths as defaults."""
    parser = processing_parser("reviews -> token ids in three splits", reads="reviews", synthetic=False)
    add_expectation(parser, "reviews")
    parser.add_argument("--text", choices=TEXTS, default=TEXTS[0], help="what the model reads of a review")
    labels = PROCESSING / "input" / "labels"
    parser.add_argument("--labels", type=Path, default=labels, help="what people said of reviews; may be absent")
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
        # What the imports made is here to stay: without this, the collector goes through all of it again and again.
        gc.freeze()
        report = build(options)
        print(f"{report['rows']} reviews, {report['tokens']} tokens, splits by sentiment: {report['splits']}")

    return run("features", work, options.reason)


if __name__ == "__main__":
    sys.exit(main())
