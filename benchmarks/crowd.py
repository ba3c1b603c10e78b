"""Timing calls: one after the other, and several clients at once."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

CLIENTS = 8

Argument = TypeVar("Argument")


def timed(call: Callable[[Argument], Any], argument: Argument) -> float:
    """Milliseconds of one call."""
    began = time.perf_counter()
    call(argument)
    return (time.perf_counter() - began) * 1000


def crowded(call: Callable[[Argument], Any], arguments: Sequence[Argument]) -> tuple[list[float], int, float]:
    """
    A call for each argument, by ``CLIENTS`` at once.

    :return: milliseconds of each call that succeeded, how many did not, and the seconds that all took.
    """

    def one(argument: Argument) -> float | None:
        try:
            return timed(call, argument)
        except Exception as error:
            print(error, file=sys.stderr)
            return None

    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        times = list(pool.map(one, arguments))
    good = [each for each in times if each is not None]
    return good, len(times) - len(good), time.perf_counter() - began
