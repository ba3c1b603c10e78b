"""What is made when first asked for, and then kept: by one thread, which the others wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

Key = TypeVar("Key")
Made = TypeVar("Made")


def once(make: Callable[[Key], Made]) -> Callable[[Key], Made]:
    """
    Keep what a function of one argument returns, and call it once for each argument.

    ``functools.cache`` lets threads that ask at the same time all do the work, and each of them the more slowly.
    """
    kept: dict[Key, Made] = {}
    lock = threading.RLock()

    @wraps(make)
    def get(key: Key) -> Made:
        if key not in kept:
            with lock:
                if key not in kept:
                    kept[key] = make(key)
        return kept[key]

    return get
