"""Looking again until there is something to see."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from stack.layout import StackError

T = TypeVar("T")


def until(look: Callable[[], T | None], seconds: float, complaint: str, *, every: float = 0.5) -> T:
    """
    Look until there is something to see, and return it.

    :param every: seconds between two looks.
    :raises StackError: there is nothing in time; with the complaint.
    """
    again = Retrying(
        retry=retry_if_result(lambda seen: not seen), stop=stop_after_delay(seconds), wait=wait_fixed(every)
    )
    try:
        seen = again(look)
    except RetryError as error:
        raise StackError(complaint) from error
    assert seen is not None
    return seen
