"""
The strategy Bayesian: a Gaussian process over the results so far, and the values that promise most to improve on them.

It works on places in 0 ... 1, see :mod:`.ranges`; a category is a corner of its own. The kernel is
Matern 5/2, its length and the noise are those of a few that explain the results best, and the criterion is expected
improvement over places at random and around the best ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from localaws.sagemaker.tuning import ranges
from localaws.sagemaker.tuning.ranges import Range

Record = dict[str, Any]
Array = np.ndarray[Any, np.dtype[np.floating[Any]]]

#: training jobs with values at random, before there is something to go by.
_BEGINNING = 4
#: places that are looked at: at random, and around the best results.
_ANYWHERE, _AROUND, _BEST, _NEAR = 400, 200, 3, 0.1
_LENGTHS = (0.1, 0.2, 0.4, 0.8, 1.6)
_NOISES = (1e-6, 1e-2, 1e-1)


def choose(
    found: Record, results: Sequence[tuple[dict[str, str], float | None]], seed: str, number: int
) -> dict[str, str]:
    """
    Choose the values of the training job ``number``; the same results give the same values.

    :param found: ParameterRanges.
    :param results: values and objective of the training jobs before it, more being better; ``None`` for one that runs
        or failed. Such a job counts as one of the worst, so that no other gets its values.
    """
    known = [objective for _, objective in results if objective is not None]
    if len(known) < _BEGINNING:
        return ranges.draw(found, seed, number)
    each = ranges.of(found)
    values = [values for values, _ in results]
    objectives = np.array([min(known) if objective is None else objective for _, objective in results])
    spread = float(objectives.std()) or 1.0
    scaled = (objectives - objectives.mean()) / spread
    seen = np.array([[one.place(text[one.name]) for one in each] for text in values])
    places = _places(each, seen, scaled, np.random.default_rng(list(f"{seed} {number}".encode())))
    # In the form in which they will be used: of whole numbers and categories the middles.
    candidates = [{one.name: one.value(place) for one, place in zip(each, row, strict=True)} for row in places]
    candidates = [candidate for candidate in candidates if candidate not in values] or candidates
    points = np.array([[one.place(candidate[one.name]) for one in each] for candidate in candidates])
    mean, deviation = _predict(_features(each, seen), scaled, _features(each, points))
    return candidates[int(np.argmax(_improvement(mean, deviation, float(scaled.max()))))]


def _places(each: list[Range], seen: Array, scaled: Array, chance: np.random.Generator) -> Array:
    anywhere = chance.random((_ANYWHERE, len(each)))
    best = seen[np.argsort(-scaled)[:_BEST]]
    around = np.clip(
        best[chance.integers(len(best), size=_AROUND)] + chance.normal(0, _NEAR, (_AROUND, len(each))), 0, 1
    )
    # A category has no neighbours: it stays, or is any.
    for column, one in enumerate(each):
        if one.parts:
            any_ = chance.random(_AROUND) < _NEAR
            kept = best[chance.integers(len(best), size=_AROUND), column]
            around[:, column] = np.where(any_, chance.random(_AROUND), kept)
    return np.concatenate([anywhere, around])


def _features(each: list[Range], places: Array) -> Array:
    """Places as points whose distances mean something: any two categories are one apart."""
    columns = []
    for column, one in enumerate(each):
        if one.parts:
            index = np.minimum((places[:, column] * one.parts).astype(int), one.parts - 1)
            columns.append(np.eye(one.parts)[index] / math.sqrt(2))
        else:
            columns.append(places[:, column : column + 1])
    return np.concatenate(columns, axis=1)


class _Fit(NamedTuple):
    """The process with one length and noise: how well it explains the results, and what predictions need of it."""

    likelihood: float
    length: float
    factor: Array
    weights: Array


def _fit(distances: Array, scaled: Array, length: float, noise: float) -> _Fit:
    factor = np.linalg.cholesky(_kernel(distances, length) + (noise + 1e-8) * np.eye(len(scaled)))
    weights = np.linalg.solve(factor.T, np.linalg.solve(factor, scaled))
    likelihood = -0.5 * float(scaled @ weights) - float(np.log(np.diag(factor)).sum())
    return _Fit(likelihood, length, factor, weights)


def _predict(seen: Array, scaled: Array, points: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of the objective at the points."""
    distances = _distances(seen, seen)
    fits = [_fit(distances, scaled, length, noise) for length in _LENGTHS for noise in _NOISES]
    best = max(fits, key=lambda fit: fit.likelihood)
    between = _kernel(_distances(points, seen), best.length)
    explained = np.linalg.solve(best.factor, between.T)
    return between @ best.weights, np.sqrt(np.maximum(1 - (explained**2).sum(axis=0), 1e-12))


def _distances(one: Array, other: Array) -> Array:
    found: Array = np.sqrt(((one[:, None, :] - other[None, :, :]) ** 2).sum(axis=2))
    return found


def _kernel(distances: Array, length: float) -> Array:
    scaled = math.sqrt(5) * distances / length
    found: Array = (1 + scaled + scaled**2 / 3) * np.exp(-scaled)
    return found


def _improvement(mean: Array, deviation: Array, best: float) -> Array:
    z = (mean - best) / deviation
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    below = np.array([math.erfc(-one / math.sqrt(2)) / 2 for one in z])
    found: Array = (mean - best) * below + deviation * density
    return found
