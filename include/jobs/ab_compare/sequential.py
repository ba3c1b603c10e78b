"""
Group-sequential boundaries: how often an experiment may be looked at without more false winners.

A test that is repeated as data come in finds a difference between equal variants more often than its level says. Lan
and DeMets (Biometrika 70, 1983) spend the level over the looks by a function of the information gathered so far: the
boundaries follow by recursive integration (Armitage, McPherson and Rowe 1969; Jennison and Turnbull, "Group Sequential
Methods", 2000, chapters 7 and 19). Between the looks nothing is assumed of their number or times beyond this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

#: no level of practical use has a boundary beyond: where nothing is spent yet, nothing can be found.
FARTHEST = 8.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(240)


def _obrien_fleming(alpha: float, fraction: float) -> float:
    """Spend hardly anything early: the last look is about as sharp as a single test."""
    return float(2 * norm.sf(norm.isf(alpha / 2) / math.sqrt(fraction)))


def _pocock(alpha: float, fraction: float) -> float:
    """Spend about as much at each look: early stops are likelier, and the last look is blunter."""
    return alpha * math.log(1 + (math.e - 1) * fraction)


SPENDING: dict[str, Callable[[float, float], float]] = {"obrien_fleming": _obrien_fleming, "pocock": _pocock}


def boundaries(fractions: Sequence[float], alpha: float, spending: str) -> list[float]:
    """
    Return what ``|z|`` must reach at each look, for a two-sided test at ``alpha`` over all of them.

    :param fractions: share of the planned observations at each look: rising, above 0 and up to 1.
    :param spending: a name in ``SPENDING``.
    :raises ValueError: these are no such fractions.
    """
    _check(fractions)
    found: list[float] = []
    spent = 0.0
    for look, fraction in enumerate(fractions):
        due = SPENDING[spending](alpha / 2, fraction)
        step = due - spent
        exceeds = _tail(fractions[: look + 1], found, drift=0.0)
        if step <= exceeds(FARTHEST):
            bound = FARTHEST
        else:
            bound = float(brentq(lambda z: exceeds(z) - step, 0.0, FARTHEST, xtol=1e-10))  # noqa: B023 (used at once)
        found.append(bound)
        spent += exceeds(bound)
    return found


def power(fractions: Sequence[float], bounds: Sequence[float], drift: float) -> float:
    """
    Return how probable it is to cross the upper boundary at one of the looks.

    :param drift: mean of z with all planned observations; 0 gives half the level that ``bounds`` were made for.
    """
    _check(fractions)
    return sum(_tail(fractions[: look + 1], bounds[:look], drift)(bounds[look]) for look in range(len(fractions)))


@lru_cache
def inflation(looks: int, alpha: float, wanted: float, spending: str) -> float:
    """
    Return how many times the observations of a single test it takes for the same power with ``looks`` even looks.

    :param wanted: the power.
    """
    fractions = [(look + 1) / looks for look in range(looks)]
    bounds = boundaries(fractions, alpha, spending)
    drift = brentq(lambda value: power(fractions, bounds, value) - wanted, 0.0, 10.0)
    return float((drift / (norm.isf(alpha / 2) + norm.ppf(wanted))) ** 2)


def _check(fractions: Sequence[float]) -> None:
    rising = all(earlier < later for earlier, later in zip([0.0, *fractions], fractions, strict=False))
    if not fractions or not rising or fractions[-1] > 1:
        raise ValueError(f"looks must be at rising shares of the planned observations, up to 1: {list(fractions)}")


def _tail(fractions: Sequence[float], bounds: Sequence[float], drift: float) -> Callable[[float], float]:
    """Return the probability of z above a value at the last of ``fractions``, within ``bounds`` at those before."""
    last = fractions[-1]
    if not bounds:
        return lambda z: float(norm.sf(z - drift * math.sqrt(last)))
    *_, (places, masses) = _inside(fractions[:-1], bounds, drift)
    step = last - fractions[-2]
    moved = places + drift * step

    def above(z: float) -> float:
        return float(masses @ norm.sf((z * math.sqrt(last) - moved) / math.sqrt(step)))

    return above


def _inside(
    fractions: Sequence[float], bounds: Sequence[float], drift: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, after each look, places of the score between the boundaries, and the probability mass at each of them."""
    places, masses, before = np.zeros(1), np.ones(1), 0.0
    for fraction, bound in zip(fractions, bounds, strict=True):
        step, edge = fraction - before, bound * math.sqrt(fraction)
        reached = _NODES * edge
        density = norm.pdf(reached[:, None], places + drift * step, math.sqrt(step)) @ masses
        places, masses, before = reached, density * _WEIGHTS * edge, fraction
        yield places, masses
