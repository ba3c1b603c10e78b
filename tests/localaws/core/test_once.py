"""Values that are made once, whoever asks for them at the same time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from localaws.core.once import once


def test_threads_that_ask_at_the_same_time_wait_for_one_answer() -> None:
    made: list[str] = []
    together = threading.Barrier(8)

    @once
    def slowly(key: str) -> object:
        made.append(key)
        time.sleep(0.05)
        return object()

    def ask(key: str) -> object:
        together.wait(10)
        return slowly(key)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, ["a", "b"] * 4))
    assert sorted(made) == ["a", "b"]
    assert len(set(answers)) == 2


def test_what_could_not_be_made_is_tried_again() -> None:
    tries: list[int] = []

    @once
    def second(key: int) -> int:
        tries.append(key)
        if len(tries) == 1:
            raise OSError("not yet")
        return key

    with pytest.raises(OSError, match="not yet"):
        second(1)
    assert (second(1), second(1)) == (1, 1)
    assert tries == [1, 1]


def test_one_value_may_need_another_of_the_same_kind() -> None:
    @once
    def factorial(number: int) -> int:
        return number * factorial(number - 1) if number else 1

    assert factorial(5) == 120
