"""
The train job's model against its twin in eight bits: both behind endpoints of one localaws, in turns.

    python -m benchmarks.twins [--calls 300]     # prints Markdown; `python -m benchmarks.endpoint` ends with it

The classifier's head is random: what is timed does not depend on it. What the twin costs in accuracy is in the compile
job's report of a trained model.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.crowd import crowded
from benchmarks.endpoint import REVIEWS, deploy, one_client, percentile
from benchmarks.job_code import bundle
from benchmarks.local import offline_hub, raw_reviews, script, session
from localaws.core import packing
from localaws.images import hub

IMAGE = (
    "763104351884.dkr.ecr.us-east-1.amazonaws.com/"
    "huggingface-pytorch-inference:2.6.0-transformers4.51.3-cpu-py312-ubuntu22.04"
)
PYTORCH, TWIN = "PyTorch, float", "ONNX Runtime, eight bits"
SAMPLE = 100
GOAL = 4.0


def main(calls: int = 300) -> None:
    with tempfile.TemporaryDirectory() as name, session((folder := Path(name)) / "home") as aws:
        offline_hub()
        source, texts = sample(folder)
        archives, report = compiled(folder, texts)
        ways: dict[str, Callable[[bytes], Any]] = {}
        for number, (way, archive) in enumerate(archives.items()):
            endpoint = f"twins-{number}"
            runtime, _ = deploy(aws, archive, endpoint, IMAGE)
            ways[way] = asking(runtime, endpoint)
        own, reviews = ([json.dumps({"features": [text]}).encode() for text in given] for given in (REVIEWS, texts))
        short, alone = one_client(ways, own, calls), one_client(ways, reviews, calls)
        crowd = {
            way: crowded(call, [reviews[turn % len(reviews)] for turn in range(calls)]) for way, call in ways.items()
        }
    words = sorted(len(text.split()) for text in texts)
    print("\n## PyTorch against ONNX Runtime in eight bits\n")
    print("MiniLM (6 layers) as the train job saves it, and its twin of the compile job, each behind an endpoint of")
    print("its own; one review a request, milliseconds. The four reviews are those of the table above (4 to 45 words),")
    print(f"the {len(texts)} are of {source} ({words[0]} to {words[-1]} words, median {words[len(words) // 2]}).")
    print("In-process is the archive's code in a process of its own, without HTTP.\n")
    print("| | the four: InvokeEndpoint p10, p50, p95 | the hundred: in-process p50 | ", end="")
    print("InvokeEndpoint p10, p50, p95 | 8 at once: calls/s | errors | archive |\n|---|---:|---:|---:|---:|---:|---:|")
    for way, figures in ((PYTORCH, report["original"]), (TWIN, report["compiled"])):
        good, errors, took = crowd[way]
        print(
            f"| {way} | {figures_of(short[way])} | {figures['milliseconds']:.1f} | {figures_of(alone[way])} | "
            f"{len(good) / took:.0f} | {errors} | {figures['bytes'] / 1e6:.1f} MB |"
        )
    for name, times in (("the four", short), ("the hundred", alone)):
        fast, slow = percentile(times[TWIN], 50), percentile(times[PYTORCH], 50)
        print(f"\n{name.capitalize()}: p50 of the twin {fast:.1f} ms, {slow / fast:.1f} times as fast as the original.")
    print(f"\nGoal: p50 of the twin through InvokeEndpoint at most {GOAL:g} ms on 2 cores, of the four reviews.")


def figures_of(times: list[float]) -> str:
    return ", ".join(f"{percentile(times, percent):.1f}" for percent in (10, 50, 95))


def sample(folder: Path) -> tuple[str, list[str]]:
    """Which reviews, in words, and texts of some of them."""
    import csv

    source = raw_reviews(folder / "raw")
    with open(folder / "raw" / "reviews.csv", encoding="utf-8", newline="") as text:
        texts = [row["Review Text"] for row in csv.DictReader(text) if row["Review Text"].strip()]
    return source, Random(0).sample(texts, SAMPLE)


def compiled(folder: Path, texts: list[str]) -> tuple[dict[str, Path], dict[str, Any]]:
    """The archives of a model and of its twin, and the compile job's report."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(0)
    model, source = folder / "model", folder / "in"
    labels = {0: "-1", 1: "0", 2: "1"}
    AutoModelForSequenceClassification.from_pretrained(hub.MODEL, num_labels=3, id2label=labels).save_pretrained(model)
    AutoTokenizer.from_pretrained(hub.MODEL, model_max_length=128).save_pretrained(model)
    # All of the job's modules: which of them serve is the train job's to know.
    shutil.copytree(bundle("train"), model / "code")
    for name in ("model", "validation"):
        (source / name).mkdir(parents=True)
    packing.pack(model, source / "model" / "model.tar.gz")
    ids = [str(number) for number in range(len(texts))]
    rows = pa.table({"review_id": ids, "review_body": texts, "sentiment": [0] * len(texts)})
    pq.write_table(rows, source / "validation" / "part.parquet")
    script("compile", input=source, output=folder / "out", most_loss=1)
    report = json.loads((folder / "out" / "report" / "report.json").read_text())
    return {PYTORCH: source / "model" / "model.tar.gz", TWIN: folder / "out" / "model" / "model.tar.gz"}, report


def asking(runtime: Any, endpoint: str) -> Callable[[bytes], bytes]:
    def ask(body: bytes) -> bytes:
        answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=body, ContentType="application/jsonlines")
        return bytes(answer["Body"].read())

    return ask


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=300)
    main(parser.parse_args().calls)
