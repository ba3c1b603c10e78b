"""Requests that arrive together go through the model together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class _Call(Generic[Item, Answer]):
    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.done = threading.Event()
        self.answers: list[Answer] = []
        self.error: BaseException | None = None


class MicroBatcher(Generic[Item, Answer]):
    """
    Runs ``work`` on the items of several threads at once.

    The thread that finds nobody at work works at once, without waiting; those that come meanwhile queue, and the next
    one at work takes all of them. So a lone request is never held up, and a crowd shares each pass of the model.

    :param work: items -> answers, one each, in order. Never called by two threads at once.
    :param most: items in one call of ``work``, unless a single request has more.
    """

    def __init__(self, work: Callable[[list[Item]], list[Answer]], most: int = 64) -> None:
        self.work, self.most = work, most
        self._queue: list[_Call[Item, Answer]] = []
        self._lock = threading.Lock()
        self._at_work = threading.Lock()

    def __call__(self, items: Sequence[Item]) -> list[Answer]:
        """Return the answers to ``items``. :raises Exception: whatever ``work`` raised for them."""
        call: _Call[Item, Answer] = _Call(items)
        with self._lock:
            self._queue.append(call)
        with self._at_work:
            # Whoever held the lock before may have done this one along with its own.
            if not call.done.is_set():
                self._work_on(self._take(call))
        if call.error is not None:
            raise call.error
        return call.answers

    def _take(self, mine: _Call[Item, Answer]) -> list[_Call[Item, Answer]]:
        """Take this call, and those that wait with it, as far as they fit."""
        with self._lock:
            taken, size = [mine], len(mine.items)
            for call in self._queue:
                if call is not mine and size + len(call.items) <= self.most:
                    taken.append(call)
                    size += len(call.items)
            self._queue = [call for call in self._queue if call not in taken]
        return taken

    def _work_on(self, calls: list[_Call[Item, Answer]]) -> None:
        try:
            answers = self.work([item for call in calls for item in call.items])
            for call in calls:
                call.answers, answers = answers[: len(call.items)], answers[len(call.items) :]
        except BaseException as error:
            for call in calls:
                call.error = error
        finally:
            for call in calls:
                call.done.set()
