"""
Ranges of hyperparameters, each as the interval from 0 to 1.

A place in it stands for a value by the range's scale, so that whoever chooses values chooses places and knows nothing
of scales. For a range of N whole numbers or N categories the interval is N equal parts.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]

#: How often values are drawn again that are known already.
_DRAWS = 100

_KINDS = ("IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges")


class RangeError(ValueError):
    """A range that no value can be taken from; the text names it."""


@dataclass(frozen=True)
class Range:
    """
    One hyperparameter's range.

    :param value: the value at a place, as text.
    :param place: the place of a value; the middle of its part, where there are parts.
    :param parts: how many categories there are; 0 where values have an order.
    """

    name: str
    value: Callable[[float], str]
    place: Callable[[str], float]
    parts: int = 0

    def covers(self, text: str) -> bool:
        """Return whether a value, as text, lies in the range."""
        try:
            return -1e-9 <= self.place(text) <= 1 + 1e-9
        except (ValueError, OverflowError):
            return False


def of(ranges: Record) -> list[Range]:
    """
    Return all ranges of a ParameterRanges.

    :raises RangeError: no value can be taken from a range.
    """
    makers = dict(zip(_KINDS, (_integer, _continuous, _categorical), strict=True))
    found = [makers[kind](each) for kind in _KINDS for each in ranges.get(kind, [])]
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        raise RangeError(f"Hyperparameters must be in one range only: {', '.join(names)}")
    return found


def draw(ranges: Record, seed: str, number: int, but: Sequence[dict[str, str]] = ()) -> dict[str, str]:
    """
    Return values at random, by the scale of each range; the same ones for the same seed and number.

    :param but: Combinations that are known already, and drawn only where nothing else is found.
    """
    chance = chances(seed, number)
    for _ in range(_DRAWS):
        values = {each.name: each.value(chance.random()) for each in of(ranges)}
        if values not in but:
            break
    return values


def chances(seed: str, number: int) -> random.Random:
    """Return the random generator of the training job ``number``, which is the same after a crash."""
    # Not for secrets, and the same in each version of Python: a text seeds by its SHA-512.
    return random.Random(f"{seed} {number}")


def grid(ranges: Record, number: int) -> dict[str, str]:
    """Return the combination ``number``, from 1, of categorical values."""
    categorical = ranges["CategoricalParameterRanges"]
    combinations = itertools.product(*(each["Values"] for each in categorical))
    values = next(itertools.islice(combinations, number - 1, None))
    return dict(zip((each["Name"] for each in categorical), values, strict=True))


def grid_size(ranges: Record) -> int:
    """Return how many combinations there are."""
    return math.prod(len(each["Values"]) for each in ranges["CategoricalParameterRanges"])


def _integer(each: Record) -> Range:
    low, high = _bounds(each, int)
    # From half below the lowest value to half above the highest: both are then as likely as the others.
    bottom, top = low - 0.5, high + 0.5
    scaling = each.get("ScalingType", "Auto")
    if scaling == "ReverseLogarithmic":
        raise RangeError(f"ReverseLogarithmic scaling of {each['Name']} is for continuous ranges only")
    if scaling == "Logarithmic":
        _positive(each, low)
    scale = _scale(scaling, bottom, top)
    return Range(
        each["Name"],
        lambda place: str(min(high, max(low, round(scale.value(place))))),
        lambda text: scale.place(int(text)),
    )


def _continuous(each: Record) -> Range:
    low, high = _bounds(each, float)
    scaling = each.get("ScalingType", "Auto")
    if scaling == "Logarithmic":
        _positive(each, low)
    if scaling == "ReverseLogarithmic" and not 0 <= low <= high < 1:
        raise RangeError(f"ReverseLogarithmic scaling of {each['Name']} is for ranges within 0 <= x < 1.0")
    scale = _scale(scaling, low, high)
    return Range(
        each["Name"],
        lambda place: repr(min(high, max(low, scale.value(place)))),
        lambda text: scale.place(float(text)),
    )


def _categorical(each: Record) -> Range:
    values: list[str] = each["Values"]
    if len(set(values)) < len(values):
        raise RangeError(f"The values of {each['Name']} must be unique: {', '.join(values)}")
    return Range(
        each["Name"],
        lambda place: values[min(len(values) - 1, int(place * len(values)))],
        lambda text: (values.index(text) + 0.5) / len(values),
        len(values),
    )


@dataclass(frozen=True)
class _Scale:
    """From the numbers between two bounds to 0 ... 1, evenly after ``straight``, which ``back`` undoes."""

    bottom: float
    top: float
    straight: Callable[[float], float]
    back: Callable[[float], float]

    def value(self, place: float) -> float:
        start, end = self.straight(self.bottom), self.straight(self.top)
        return self.back(start + place * (end - start))

    def place(self, value: float) -> float:
        start, end = self.straight(self.bottom), self.straight(self.top)
        return 0.5 if start == end else (self.straight(value) - start) / (end - start)


def _scale(scaling: str, bottom: float, top: float) -> _Scale:
    """Return the scale; Auto, which leaves the choice to us, is linear."""
    if scaling == "Logarithmic":
        return _Scale(bottom, top, math.log, math.exp)
    if scaling == "ReverseLogarithmic":
        return _Scale(bottom, top, lambda value: -math.log(1 - value), lambda value: 1 - math.exp(-value))
    return _Scale(bottom, top, float, float)


def _positive(each: Record, low: float) -> None:
    if low <= 0:
        raise RangeError(f"Logarithmic scaling of {each['Name']} is for ranges of values greater than 0")


def _bounds(each: Record, number: Callable[[str], Any]) -> tuple[Any, Any]:
    try:
        low, high = number(each["MinValue"]), number(each["MaxValue"])
    except ValueError as error:
        raise RangeError(f"The range of {each['Name']} is not of numbers: {error}") from error
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise RangeError(f"MinValue of {each['Name']} must not be greater than MaxValue: {low}, {high}")
    return low, high
