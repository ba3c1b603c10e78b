"""
A program of its own: what a model's code answers, by the functions that an endpoint calls.

    python answering.py MODEL_DIR < records.jsonl > answers.json

Two models' modules have the same names, and the threads of one framework disturb the other: a process for each.
Writes ``{"answers": [[predicted_label, probability], ...], "milliseconds": median of one record alone}``.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LINES = "application/jsonlines"
#: records in one request, and requests of one record that are timed.
TOGETHER, ALONE = 64, 50


def answer(model: Path, records: Sequence[str]) -> dict[str, Any]:
    """Return what the model's code answers to the records, each a line of JSON."""
    sys.path[:] = [str(model / "code"), *(entry for entry in sys.path if entry != str(Path(__file__).parent))]
    serving = importlib.import_module("inference")
    loaded = serving.model_fn(str(model))

    def ask(lines: Sequence[str]) -> list[dict[str, Any]]:
        body = "".join(line.rstrip("\n") + "\n" for line in lines)
        text = serving.output_fn(serving.predict_fn(serving.input_fn(body, LINES), loaded), LINES)
        return [json.loads(line) for line in text.splitlines()]

    answers = [one for at in range(0, len(records), TOGETHER) for one in ask(records[at : at + TOGETHER])]
    times = []
    for record in records[:ALONE]:
        began = time.perf_counter()
        ask([record])
        times.append(1000 * (time.perf_counter() - began))
    pairs = [[one["predicted_label"], one["probability"]] for one in answers]
    return {"answers": pairs, "milliseconds": round(statistics.median(times), 2)}


if __name__ == "__main__":
    # What the model's code prints is no answer.
    out, sys.stdout = sys.stdout, sys.stderr
    json.dump(answer(Path(sys.argv[1]), sys.stdin.readlines()), out)
