"""Two shares of right answers: tests, intervals of their difference, and how many requests a test needs."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from intervals import Interval, wilson
from scipy.optimize import brentq
from scipy.stats import binomtest, chi2_contingency, fisher_exact, norm

#: expected answers in a cell below which the normal approximation is not trusted.
FEW = 5


class HypothesisTest(NamedTuple):
    """A two-sided test between two variants: its name, the difference of their shares, and the p-value."""

    name: str
    difference: float
    p_value: float

    @property
    def z(self) -> float:
        """The p-value as a signed deviate of the normal distribution: what boundaries are compared with."""
        return math.copysign(float(norm.isf(max(self.p_value, 1e-300) / 2)), self.difference)


def two_proportions(champion: tuple[int, int], challenger: tuple[int, int]) -> HypothesisTest:
    """
    Test two shares of different reviews: the pooled two-proportion z-test, or Fisher's exact test for few answers.

    :param champion: right answers, and all of them.
    :param challenger: the same; a positive difference is in its favour.
    """
    (right_a, total_a), (right_b, total_b) = champion, challenger
    table = np.array([[right_a, total_a - right_a], [right_b, total_b - right_b]])
    difference = right_b / total_b - right_a / total_a
    if table.sum(axis=0).min() == 0:
        return HypothesisTest("two proportions", difference, 1.0)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    if expected.min() < FEW:
        return HypothesisTest("Fisher's exact", difference, float(fisher_exact(table).pvalue))
    # One degree of freedom: the square of the pooled z.
    return HypothesisTest("two proportions", difference, float(chi2_contingency(table, correction=False).pvalue))


def newcombe(champion: tuple[int, int], challenger: tuple[int, int], level: float) -> Interval:
    """Return the interval of the difference between independent shares (Newcombe, Statistics in Medicine 17, 1998)."""
    share_a, share_b = champion[0] / champion[1], challenger[0] / challenger[1]
    (low_a, high_a), (low_b, high_b) = wilson(*champion, level), wilson(*challenger, level)
    difference = share_b - share_a
    return (
        difference - math.hypot(share_b - low_b, high_a - share_a),
        difference + math.hypot(high_b - share_b, share_a - low_a),
    )


def mcnemar(gained: int, lost: int, total: int) -> HypothesisTest:
    """
    Test two shares of the same reviews: McNemar's exact test.

    :param gained: reviews that only the challenger got right; ``lost``: those that only the champion did.
    :param total: reviews that went to both.
    """
    differing = gained + lost
    p_value = float(binomtest(gained, differing).pvalue) if differing else 1.0
    return HypothesisTest("McNemar", (gained - lost) / total, p_value)


def bonett_price(gained: int, lost: int, total: int, level: float) -> Interval:
    """Return the interval of the difference between paired shares (Bonett and Price, J. Educ. Behav. Stat. 2012)."""
    up, down = (gained + 1) / (total + 2), (lost + 1) / (total + 2)
    spread = float(norm.isf((1 - level) / 2)) * math.sqrt((up + down - (up - down) ** 2) / (total + 2))
    return max(-1.0, up - down - spread), min(1.0, up - down + spread)


def requests_needed(share: float, difference: float, alpha: float, power: float) -> int:
    """
    Return how many reviews each variant needs for a two-proportion test to find ``difference`` (Fleiss 1981, 3.14).

    :param share: of right answers without the difference.
    :param power: probability of finding it.
    """
    other = min(share + difference, 1.0) if share + difference <= 1 else share - difference
    mean = (share + other) / 2
    reach: float = norm.isf(alpha / 2) * math.sqrt(2 * mean * (1 - mean))
    reach += norm.ppf(power) * math.sqrt(share * (1 - share) + other * (1 - other))
    return math.ceil((reach / difference) ** 2)


def pairs_needed(differing: float, difference: float, alpha: float, power: float) -> int:
    """
    Return how many reviews must go to both for McNemar's test to find ``difference`` (Connor, Biometrics 43, 1987).

    :param differing: share of the reviews that only one of the two gets right.
    """
    differing = max(differing, difference)
    reach: float = norm.isf(alpha / 2) * math.sqrt(differing)
    reach += norm.ppf(power) * math.sqrt(max(differing - difference**2, 0.0))
    return math.ceil((reach / difference) ** 2)


def smallest_difference(reviews: float, share: float, alpha: float, power: float) -> float:
    """Return the difference that ``reviews`` for each variant are enough for, by :func:`requests_needed`."""
    widest = max(share, 1 - share)
    if requests_needed(share, widest, alpha, power) > reviews:
        return widest
    return float(brentq(lambda size: requests_needed(share, size, alpha, power) - reviews, 1e-4, widest, xtol=1e-5))


def smallest_paired_difference(reviews: float, differing: float, alpha: float, power: float) -> float:
    """Return the difference that ``reviews`` to both variants are enough for, by :func:`pairs_needed`."""
    if pairs_needed(differing, 1.0, alpha, power) > reviews:
        return 1.0
    return float(brentq(lambda size: pairs_needed(differing, size, alpha, power) - reviews, 1e-4, 1.0, xtol=1e-5))
