"""
Wilson's interval of a share.

The folders of the jobs that count right answers each hold a link to this module: a job sees its own folder only.
"""

from __future__ import annotations

from scipy.stats import binomtest

Interval = tuple[float, float]


def wilson(right: int, total: int, level: float = 0.95) -> Interval:
    """Return Wilson's score interval of a share (JASA 22, 1927)."""
    found = binomtest(right, total).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)
