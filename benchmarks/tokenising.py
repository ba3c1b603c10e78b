"""
The features job's tokenisation: its cache of words against the batched fast tokenizer.

    REVIEWS_SOURCE=reviews.csv.zip python -m benchmarks.tokenising     # prints Markdown; made-up ones without a source

All three get the same texts in the job's batches and must give the same ids. Seconds of the processor count, since the
tokenizers library uses all cores.
"""

from __future__ import annotations

import csv
import importlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.features import LENGTH, MODEL
from benchmarks.job_code import bundle
from benchmarks.local import offline_hub
from include.reviews.source import fetch

ROUNDS = 3


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        offline_hub()
        # After offline_hub(): its settings are read at the import.
        sys.path.insert(0, str(bundle("features")))
        tokenising, size = importlib.import_module("tokenising"), importlib.import_module("review_table").BATCH
        from transformers import AutoTokenizer

        origin = fetch(os.environ.get("REVIEWS_SOURCE"), folder / "reviews.csv")
        with open(folder / "reviews.csv", encoding="utf-8", newline="") as text:
            texts = [row["Review Text"] for row in csv.DictReader(text) if row["Review Text"]]

        def fast() -> Any:
            return AutoTokenizer.from_pretrained(MODEL)

        def wrapped() -> Callable[[Sequence[str]], pa.Array]:
            tokenizer = fast()
            return lambda batch: pa.array(
                tokenizer(list(batch), truncation=True, max_length=LENGTH)["input_ids"], type=pa.list_(pa.int32())
            )

        def below() -> Any:
            backend = fast().backend_tokenizer
            # As token_ids does: MiniLM's file turns padding on.
            backend.no_padding()
            return tokenising.WholeTexts(backend, LENGTH)

        ways: dict[str, Callable[[], Callable[[Sequence[str]], pa.Array]]] = {
            "transformers' fast tokenizer, batched": wrapped,
            "the tokenizer below it, `encode_batch_fast`": below,
            "**the job's cache of words**": lambda: tokenising.token_ids(fast(), LENGTH),
        }
        report(texts, ways, size, "made-up (SYNTHETIC)" if origin.synthetic else "real")


def report(texts: list[str], ways: dict[str, Callable[[], Any]], size: int, kind: str) -> None:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    ids = {}
    # In turns, so that other work on the machine meets all of them; each with a tokenizer, and a cache, of its own.
    for _ in range(ROUNDS):
        for name, make in ways.items():
            tokenise = make()
            wall, processor = time.perf_counter(), time.process_time()
            ids[name] = pa.chunked_array([tokenise(batch) for batch in batches(texts, size)])
            times[name].append((time.process_time() - processor, time.perf_counter() - wall))
    one, *others = ids.values()
    assert all(one.equals(other) for other in others), "all must give the same ids"
    print("# Tokenising\n")
    print(f"The {kind} reviews, {len(texts):,} texts in batches of {size:,}, MiniLM's vocabulary, {LENGTH} tokens.")
    print(f"Best of {ROUNDS} rounds in turns; all three give the same ids.\n")
    print("| | processor, s | seconds | reviews/s of one processor |\n|---|---:|---:|---:|")
    for name, found in times.items():
        processor, wall = (min(each) for each in zip(*found, strict=True))
        print(f"| {name} | {processor:.2f} | {wall:.2f} | {len(texts) / processor:,.0f} |")
    load = statistics.fmean(os.getloadavg())
    print(f"\nLoad of the machine, mean of 1, 5 and 15 minutes: {load:.1f}.")


def batches(texts: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


if __name__ == "__main__":
    main()
