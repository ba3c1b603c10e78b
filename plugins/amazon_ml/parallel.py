"""Many calls of AWS, several at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Got = TypeVar("Got")


def mapped(function: Callable[[Given], Got], given: Iterable[Given], threads: int, *, ahead: int = 4) -> Iterator[Got]:
    """
    Yield the results in order, with a few of what is given in memory.

    The first exception ends it: what has begun is finished, nothing else is begun.

    :param ahead: calls a thread that are handed out before the first of them has ended.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Got]] = deque()
        try:
            for each in given:
                waiting.append(pool.submit(function, each))
                if len(waiting) >= threads * ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
