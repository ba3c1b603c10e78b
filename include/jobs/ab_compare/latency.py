"""Latency percentiles and their bootstrap intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import bootstrap

PERCENTILES = (50, 95, 99)
RESAMPLES = 2000


def percentiles(milliseconds: np.ndarray, level: float = 0.95, seed: int = 42) -> dict[str, dict[str, float]]:
    """Return ``{"p50": {"value", "low", "high"}, "p95", "p99"}``, with percentile bootstrap intervals."""
    low, high = _interval((milliseconds,), _percentiles, level, seed)
    values = np.percentile(milliseconds, PERCENTILES)
    return {
        f"p{place}": {"value": round(float(value), 3), "low": round(float(least), 3), "high": round(float(most), 3)}
        for place, value, least, most in zip(PERCENTILES, values, np.atleast_1d(low), np.atleast_1d(high), strict=True)
    }


def speedup(champion: np.ndarray, challenger: np.ndarray, level: float, seed: int = 42) -> dict[str, float]:
    """
    Return ``{"value", "low", "high"}``: by which share of the champion's median latency the challenger's is shorter.

    Negative where it is slower.
    """
    low, high = _interval((champion, challenger), _shorter, level, seed)
    value = float(_shorter(champion, challenger))
    return {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _percentiles(values: np.ndarray, axis: int = -1) -> np.ndarray:
    found: np.ndarray = np.percentile(values, PERCENTILES, axis=axis)
    return found


def _shorter(champion: np.ndarray, challenger: np.ndarray, axis: int = -1) -> Any:
    return 1 - np.median(challenger, axis=axis) / np.median(champion, axis=axis)


def _interval(data: tuple[np.ndarray, ...], statistic: Any, level: float, seed: int) -> tuple[Any, Any]:
    if min(len(values) for values in data) < 2:
        raise ValueError("a bootstrap needs at least two latencies of each variant")
    found = bootstrap(
        data,
        statistic,
        n_resamples=RESAMPLES,
        batch=200,
        vectorized=True,
        confidence_level=level,
        method="percentile",
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return found.low, found.high
