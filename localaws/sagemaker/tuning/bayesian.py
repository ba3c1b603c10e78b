"""
The strategy Bayesian: a Gaussian process over the results so far, and the values that promise most to improve on them.

It works on places in 0 ... 1, see :mod:`.ranges`; a category is a corner of its own. The process is scikit-learn's,
with a Matern 5/2 kernel and noise. The criterion is expected improvement over places at random and around the best
ones.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from localaws.sagemaker.tuning import ranges
from localaws.sagemaker.tuning.ranges import Range

Record = dict[str, Any]
Array = np.ndarray[Any, np.dtype[np.floating[Any]]]

#: training jobs with values at random, before there is something to go by.
_BEGINNING = 4
#: places that are looked at: at random, and around the best results.
_ANYWHERE, _AROUND, _BEST, _NEAR = 400, 200, 3, 0.1
#: where the fit begins, and its bounds: of the kernel's length, and of the noise's variance.
_LENGTH, _LENGTHS = 0.4, (0.05, 3.0)
_NOISE, _NOISES = 1e-2, (1e-6, 1e-1)


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


def _predict(seen: Array, scaled: Array, points: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation of the objective, without its noise, at the points."""
    # Loaded here: it takes a second, and the first training jobs need none of it.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern, WhiteKernel

    kernel = Matern(_LENGTH, _LENGTHS, nu=2.5) + WhiteKernel(_NOISE, _NOISES)
    with warnings.catch_warnings():
        # A length or a noise at its bound is an answer: results without noise end at the least one.
        warnings.simplefilter("ignore", ConvergenceWarning)
        process = GaussianProcessRegressor(kernel).fit(seen, scaled)
    mean, deviation = process.predict(points, return_std=True)
    noise = process.kernel_.k2.noise_level
    return mean, np.sqrt(np.maximum(deviation**2 - noise, 1e-12))


def _improvement(mean: Array, deviation: Array, best: float) -> Array:
    from scipy.special import ndtr

    z = (mean - best) / deviation
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    found: Array = (mean - best) * ndtr(z) + deviation * density
    return found
