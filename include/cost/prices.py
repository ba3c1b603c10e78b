"""The price table, ``include/data/prices.json``: a dated copy, of one region, to be checked against AWS's pages."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

PRICES = Path(__file__).parents[1] / "data" / "prices.json"
_HOUR = 3600


class NoPrice(ValueError):
    """The table has no price for an instance type and its use."""


def hourly(instance_type: str, use: str) -> float:
    """
    Return USD for an hour of one instance.

    :param use: "processing", "training", "hosting" or "transform".
    :raises NoPrice: the table has none.
    """
    found = table()["instances"].get(instance_type)
    if not found or use not in found["uses"]:
        raise NoPrice(f"include/data/prices.json has no price of {instance_type} for {use}")
    return float(found["hour"])


def query(scanned_bytes: float) -> float:
    """Return USD for an Athena query, by the bytes that it has scanned."""
    athena = table()["athena"]
    return float(max(scanned_bytes, athena["least_bytes"]) / 1e12 * athena["terabyte"])


def crawl(dpus: float, seconds: float) -> float:
    """Return USD for a run of a Glue crawler."""
    glue = table()["glue"]
    return float(dpus * max(seconds, glue["least_seconds"]) / _HOUR * glue["crawler_dpu_hour"])


def records(count: int) -> float:
    """Return USD for writing records of at most 1 KB each to Feature Store."""
    return float(count / 1e6 * table()["feature_store"]["million_writes"])


def date_and_region() -> str:
    """Return of when and where the prices are."""
    found = table()
    return f"on-demand prices of {found['region']}, {found['date']}"


@lru_cache(maxsize=1)
def table() -> Any:
    """Return the price table."""
    return json.loads(PRICES.read_text())
