"""What a slice tells the slices above it, which it does not import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Event(Generic[P]):
    """
    Functions that are called when something happens, in the thread and the transaction in which it happens.

    A listener that raises ends that transaction: the change and what follows from it are kept together or not at all.
    """

    def __init__(self) -> None:
        self._listeners: list[Callable[P, None]] = []

    def listen(self, listener: Callable[P, None]) -> Callable[P, None]:
        """Call a function at every event; a decorator."""
        self._listeners.append(listener)
        return listener

    def emit(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call the listeners, in the order in which they came."""
        for listener in self._listeners:
            listener(*args, **kwargs)
