"""
The strategy Hyperband: many training jobs are started, and most of them are stopped after a few epochs.

It is the asynchronous form (ASHA, Li et al. 2020, https://arxiv.org/abs/1810.05934). A training job belongs to a
bracket, by its number. A bracket has rungs, which are numbers of epochs. At each rung only the best third of those of
its bracket that have come so far continue. Brackets differ in their first rung: some training jobs get more time to
prove themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from localaws.core.errors import ValidationException
from localaws.sagemaker.tuning.search import Search, search_of

Record = dict[str, Any]

#: One of this number continues at each rung: Hyperband's eta.
ETA = 3
#: AWS's own maximum of epochs.
_MOST_EPOCHS = 20_000
#: Static hyperparameters that MaxResource is inferred from, as CreateHyperParameterTuningJob names them.
_EPOCHS = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")


class Resources(NamedTuple):
    """Epochs that a training job has at least before it may be stopped, and at most."""

    least: int
    most: int


def check(config: Mapping[str, Any], found: Sequence[Search]) -> None:
    """
    Refuse a request that Hyperband cannot serve.

    :raises ValidationException: As AWS's documentation of HyperbandStrategyConfig says.
    """
    if config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        raise ValidationException("TrainingJobEarlyStoppingType must be Off to use the Hyperband strategy.")
    for search in found:
        _resources(config, search)


def worse(record: Record, number: int, values: Sequence[float], others: Mapping[int, Sequence[float]]) -> bool:
    """
    Return whether a training job is to be stopped.

    :param number: Its number in the tuning job, from 1.
    :param values: Its objective after each epoch so far.
    :param others: Those of all training jobs of the tuning job, by number; its own are ignored.
    """
    search, turn = search_of(record, number)
    resources = _resources(record["HyperParameterTuningJobConfig"], search)
    # One that has just reached its last epoch still saves its model.
    if len(values) > resources.most:
        return True
    first = _first_rung(resources, turn)
    rung = _last_reached(first, resources.most, len(values))
    if rung is None:
        return False
    rivals = []
    for other, theirs in others.items():
        rival, rival_turn = search_of(record, other)
        same = rival == search and _first_rung(resources, rival_turn) == first
        if other != number and same and len(theirs) >= rung:
            rivals.append(search.sign * _at(search, theirs, rung))
    mine = search.sign * _at(search, values, rung)
    # As long as there are too few to make a third, the best of them continues.
    continuing = max(1, (len(rivals) + 1) // ETA)
    return sum(rival > mine for rival in rivals) >= continuing


def _at(search: Search, values: Sequence[float], rung: int) -> float:
    """Return the best objective up to a rung, as the final metric of a training job would be judged."""
    return search.sign * max(search.sign * value for value in values[:rung])


def _first_rung(resources: Resources, turn: int) -> int:
    """Return the first rung of a training job's bracket: in each cycle more of them are stopped early than late."""
    depth = int(math.log(resources.most / resources.least, ETA) + 1e-9)
    sizes = [math.ceil((depth + 1) / (bracket + 1) * ETA**bracket) for bracket in range(depth, -1, -1)]
    place = (turn - 1) % sum(sizes)
    for skipped, size in enumerate(sizes):
        if place < size:
            return int(resources.least * ETA**skipped)
        place -= size
    raise AssertionError("a place lies in one of the brackets")


def _last_reached(first: int, most: int, epochs: int) -> int | None:
    """Return the highest rung below the last epoch that these epochs reach."""
    rung, reached = first, None
    while rung < most and rung <= epochs:
        reached, rung = rung, rung * ETA
    return reached


def _resources(config: Mapping[str, Any], search: Search) -> Resources:
    given = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {})
    least = given.get("MinResource", 1)
    most = given.get("MaxResource")
    if most is None:
        most = _inferred(search.definition.get("StaticHyperParameters", {}))
    if most > _MOST_EPOCHS:
        raise ValidationException(f"MaxResource of the Hyperband strategy must be at most {_MOST_EPOCHS}: {most}")
    if least > most:
        raise ValidationException(f"MinResource must not be greater than MaxResource: {least}, {most}")
    return Resources(least, most)


def _inferred(static: Mapping[str, str]) -> int:
    for name in _EPOCHS:
        # Hyperparameters of script mode are JSON in text.
        text = static.get(name, "").strip('"')
        if text.isdecimal() and int(text) > 0:
            return int(text)
    raise ValidationException(
        "MaxResource of the Hyperband strategy is not given, and none of the static hyperparameters "
        f"{', '.join(_EPOCHS)} has it."
    )
