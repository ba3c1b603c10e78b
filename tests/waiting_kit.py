"""Waiting for what happens in another process or thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def until(
    look: Callable[[], T],
    done: Callable[[T], Any] = bool,
    timeout: float = 60,
    *,
    every: float = 0.05,
    what: str = "",
) -> T:
    """
    Look until it is done, and return what was seen then.

    :param timeout: seconds, after which it fails with what was seen last.
    :param every: seconds between two looks.
    :param what: is waited for, for the message.
    """
    deadline = time.monotonic() + timeout
    while not done(seen := look()):
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what or 'last seen'}: {seen!r}"
        time.sleep(every)
    return seen
