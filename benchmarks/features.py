"""
The features job: reviews a second against one-by-one tokenisation, and how time and memory grow with the rows.

    REVIEWS_SOURCE=reviews.csv.zip python -m benchmarks.features     # prints Markdown; made-up reviews without a source

Baselines, each called a review at a time and padded to 128 tokens as the reference workflow does it: the Python
tokenizer (what a plain ``BertTokenizer`` was until transformers 5), and the fast one.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.job_code import bundle
from benchmarks.local import offline_hub
from include.reviews.source import fetch

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
LENGTH = 128
ONE_BY_ONE = 1500
ROUNDS = 3
COPIES = 10
# A job's script in a process of its own; the time is that of its work, without Python's start and imports.
CODE = """
import importlib, json, resource, sys, time
folder, arguments = sys.argv[1], sys.argv[2:]
sys.path.insert(0, folder)
script = importlib.import_module(folder.rsplit("/", 1)[1])
began = time.perf_counter()
status = script.main(arguments)
seconds = time.perf_counter() - began
assert status == 0, status
print(json.dumps({"seconds": seconds, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        offline_hub()
        origin = fetch(os.environ.get("REVIEWS_SOURCE"), folder / "1" / "reviews.csv")
        rows = multiply(folder / "1" / "reviews.csv", folder / str(COPIES) / "reviews.csv")
        kind = "made-up (SYNTHETIC)" if origin.synthetic else "real"
        print("# Features\n")
        against_one_by_one(folder, kind)
        growth(folder, kind, rows)


def multiply(source: Path, target: Path) -> int:
    """Write ``COPIES`` times the rows, each copy's texts different; the rows of one copy."""
    with open(source, encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    target.parent.mkdir()
    with open(target, "w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        for copy in range(COPIES):
            for row in rows:
                body = row["Review Text"] and f"{row['Review Text']} {copy}"
                writer.writerow({**row, "Review Text": body})
    return len(rows)


def job(name: str, source: Path, *arguments: str) -> dict[str, float]:
    """Run a job's script: seconds of its work, and its largest memory in MiB."""
    with tempfile.TemporaryDirectory() as target:
        return job_into(Path(target), name, source, *arguments)


def job_into(target: Path, name: str, source: Path, *arguments: str) -> dict[str, float]:
    """The same, and what the job writes is kept in ``target``."""
    script = str(bundle(name))
    command = [sys.executable, "-c", CODE, script, "--input", str(source), "--output", str(target), *arguments]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(answer.stdout.splitlines()[-1]))


def features_of(raw: Path, target: Path) -> None:
    """Clean raw reviews and write their features, for benchmarks of what comes after."""
    job_into(target.with_name(f"{target.name}-cleaned"), "transform", raw)
    job_into(target, "features", target.with_name(f"{target.name}-cleaned") / "table", "--base-model", MODEL)


def against_one_by_one(folder: Path, kind: str) -> None:
    from transformers import AutoTokenizer
    from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

    with open(folder / "1" / "reviews.csv", encoding="utf-8", newline="") as text:
        texts = [row["Review Text"] for row in csv.DictReader(text) if row["Review Text"]][:ONE_BY_ONE]
    fast = AutoTokenizer.from_pretrained(MODEL)
    vocabulary = next(Path(os.environ["HF_HOME"]).rglob("vocab.txt"))
    python = BertTokenizerLegacy(str(vocabulary))  # type: ignore[no-untyped-call]
    one = [encode(python, texts[0]), encode(fast, texts[0])]
    assert one[0] == one[1], "the baselines must give the same ids"
    results: dict[str, list[float]] = {"python": [], "fast": [], "job": []}
    job_into(folder / "cleaned-1", "transform", folder / "1")
    table = folder / "cleaned-1" / "table"
    reviews = pq.read_metadata(table / "reviews.parquet").num_rows
    # In turns, so that other work on the machine meets all of them.
    for _ in range(ROUNDS):
        results["python"].append(len(texts) / timed(lambda: [encode(python, text) for text in texts]))
        results["fast"].append(len(texts) / timed(lambda: [encode(fast, text) for text in texts]))
        results["job"].append(reviews / job("features", table, "--base-model", MODEL)["seconds"])
    best = {name: max(speeds) for name, speeds in results.items()}
    print(f"The {kind} reviews, {reviews:,} usable ones, MiniLM's vocabulary. Best of {ROUNDS} rounds in turns.")
    print("The job's time is all of it: reading, tokenising, splitting, writing Parquet.\n")
    print("| | reviews/s | job against it |\n|---|---:|---:|")
    print(f"| `encode_plus` of the Python tokenizer, one by one | {best['python']:,.0f} | {ratio(best, 'python')} |")
    print(f"| the fast tokenizer, one by one | {best['fast']:,.0f} | {ratio(best, 'fast')} |")
    print(f"| **the features job** | **{best['job']:,.0f}** | |\n")
    print("Goal: at least 10 x one-by-one `encode_plus`.\n")


def encode(tokenizer: Any, text: str) -> list[int]:
    """What the reference workflow calls for each review."""
    encoded = tokenizer(
        text,
        add_special_tokens=True,
        max_length=LENGTH,
        return_token_type_ids=False,
        padding="max_length",
        return_attention_mask=True,
        return_tensors="pt",
        truncation=True,
    )
    return list(encoded["input_ids"][0].tolist())


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def ratio(speeds: dict[str, float], against: str) -> str:
    return f"{speeds['job'] / speeds[against]:.1f} x"


def growth(folder: Path, kind: str, rows: int) -> None:
    print(f"## {COPIES} times the rows\n")
    print(f"The {kind} file, {rows:,} rows, against {COPIES} copies of it with texts of their own.")
    print("Goal: at most 12 x the time, and flat memory.\n")
    print("| job | seconds | ten times the rows | time | memory (MiB) | ten times the rows |")
    print("|---|---:|---:|---:|---:|---:|")
    for copies in (1, COPIES):
        job_into(folder / f"cleaned-{copies}", "transform", folder / str(copies))
    for name, place, arguments in (
        ("transform", "{}", ()),
        ("features", "cleaned-{}/table", ("--base-model", MODEL)),
    ):
        small, large = (job(name, folder / place.format(copies), *arguments) for copies in (1, COPIES))
        times = f"{small['seconds']:.1f} | {large['seconds']:.1f} | {large['seconds'] / small['seconds']:.1f} x"
        print(f"| {name} | {times} | {small['mib']:,.0f} | {large['mib']:,.0f} |")


if __name__ == "__main__":
    main()
