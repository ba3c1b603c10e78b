"""How long a run's jobs are expected to take, by ``include/data/run_times.json``, and so what they cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from include.cost import prices
from include.cost.bill import Line, instances

RUN_TIMES = Path(__file__).parents[1] / "data" / "run_times.json"
#: the base model that the speeds are of.
_MEASURED = "MiniLM"


def processing_seconds(job: str, reviews: int, instance_count: int = 1) -> float:
    """
    Return how long a processing job, or a transform job, is expected to take.

    :param job: its folder in ``include/jobs``, "clarify" or "batch_transform".
    :param instance_count: instances that share the reviews.
    """
    by_job = assumed()["processing"]
    seconds = by_job.get(job, by_job["default"]) * reviews / 1000
    return float(assumed()["overhead_seconds"] + seconds / instance_count)


def training_seconds(instance_type: str, params: Mapping[str, Any], reviews: int, instance_count: int = 1) -> float:
    """
    Return how long ``include/jobs/train`` is expected to take.

    :param params: of the run: ``epochs``, ``balance``, ``max_epoch_rows`` and ``base_model`` count.
    """
    training = assumed()["training"]
    speeds = training["examples_per_second"]
    speed = speeds.get(instance_type, speeds["default"]) * instance_count
    if _MEASURED not in str(params.get("base_model", _MEASURED)):
        speed /= training["slower_than_minilm"]
    examples = int(params.get("epochs", 1)) * _rows_an_epoch(params, reviews)
    return float(assumed()["overhead_seconds"] + examples / speed)


def _rows_an_epoch(params: Mapping[str, Any], reviews: int) -> float:
    training = assumed()["training"]
    balance, most = params.get("balance"), int(params.get("max_epoch_rows") or 0)
    if balance == "undersample":
        return float(reviews * training["share_when_undersampled"])
    # Oversampling gives each of the three sentiments as many rows as the commonest has, three quarters of all.
    rows = reviews * training["share_in_training"] * (2.3 if balance == "oversample" else 1)
    return float(min(rows, most) if most and balance == "oversample" else rows)


def asking_seconds(reviews: int) -> float:
    """Return how long it is expected to take to ask an endpoint about the test split."""
    return float(assumed()["share_in_test"] * reviews / assumed()["requests_per_second"])


def blazingtext_seconds() -> float:
    """Return how long BlazingText's training is expected to take."""
    return float(assumed()["overhead_seconds"] + assumed()["blazingtext_seconds"])


def autopilot(task: str, candidates: int, most_seconds: int) -> Line:
    """
    Return the line of an AutoML job, which chooses its instances itself.

    :param most_seconds: that the training of one candidate may take.
    """
    by = assumed()["autopilot"]
    seconds = min(by["seconds_per_candidate"] + assumed()["overhead_seconds"], most_seconds)
    return instances(task, "training", by["instance_type"], seconds, times=candidates)


def query(task: str, scanned_bytes: float = 0) -> Line:
    """Return the line of a query; Athena bills 10 MB at least, and the table of the reviews is about as large."""
    return Line(task, "a query", prices.query(scanned_bytes))


def crawl(task: str) -> Line:
    """Return the line of a crawl, which takes less than the ten minutes that are billed at least."""
    dpus = assumed()["crawler_dpus"]
    return Line(task, f"10 min of a crawler with {dpus} DPUs", prices.crawl(dpus, 0))


def ingestion(task: str, reviews: int) -> Line:
    """Return the line of the records that are written to Feature Store."""
    count = round(reviews * assumed()["records_share"])
    return Line(task, f"{count:,} records written", prices.records(count))


@lru_cache(maxsize=1)
def assumed() -> Any:
    """Return what is assumed of run times."""
    return json.loads(RUN_TIMES.read_text())
