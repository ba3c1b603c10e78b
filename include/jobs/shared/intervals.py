"""Wilson's interval of a share."""

from __future__ import annotations

from scipy.stats import binomtest

Interval = tuple[float, float]


def wilson(right: int, total: int, level: float = 0.95) -> Interval:
    """Return Wilson's score interval of a share (JASA 22, 1927)."""
    found = binomtest(right, total).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)
