"""How many connections there are, and which one makes room for another."""

from __future__ import annotations

import threading
import time
from typing import Protocol

#: a connection that has shown no good signature is left alone for so long, in seconds: its request may be on its way.
_GRACE = 0.25


class Evictable(Protocol):
    """A connection, as the limit sees it. :class:`Connections` alone changes these, under its lock."""

    #: whether a request of it ever had a good signature.
    proven: bool
    #: whether it has a request in hand whose signature is good: then it is not ended.
    working: bool
    #: since when it waits for what it waits for.
    since: float

    def evict(self) -> None:
        """End it: whatever it waits for fails."""


class Connections:
    """
    The open connections, at most ``most`` of them.

    Where a new one comes and all places are taken, one that waits makes room: of those that never showed a good
    signature the one that waits longest, else of the idle ones. Requests that are let in are never cut off for another,
    nor those that may be about to be; where such take all places, up to as many again are given, since the server's own
    services are its clients too. Whoever comes after that waits in the kernel's queue.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[Evictable] = set()
        self._condition = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    def make_room(self, seconds: float) -> bool:
        """Wait until one more may be opened, end another if needed, and return True if it may."""
        deadline = time.monotonic() + seconds
        with self._condition:
            while len(self._open) >= self._most:
                victim = self._victim()
                if victim is not None:
                    victim.evict()
                    self._open.discard(victim)
                elif len(self._open) < 2 * self._most:
                    break
                elif time.monotonic() < deadline:
                    self._condition.wait(_GRACE / 5)
                else:
                    return False
            return True

    def add(self, connection: Evictable) -> None:
        """Count a new one."""
        with self._condition:
            self._open.add(connection)

    def remove(self, connection: Evictable) -> None:
        """Count it no more."""
        with self._condition:
            self._open.discard(connection)
            self._condition.notify_all()

    def wait(self, connection: Evictable) -> None:
        """Note that it waits for its client."""
        with self._condition:
            connection.working = False
            connection.since = time.monotonic()
            self._condition.notify_all()

    def work(self, connection: Evictable, *, proven: bool) -> bool:
        """Note that its request is let in; ``False`` where the connection was ended a moment ago."""
        with self._condition:
            if not connection.working and (self._closed or connection not in self._open):
                return False
            connection.working = True
            connection.proven |= proven
            return True

    def until_quiet(self, seconds: float) -> bool:
        """Wait until no request is in hand; ``False`` where there still is one after that time."""
        with self._condition:
            return self._condition.wait_for(lambda: not any(each.working for each in self._open), seconds)

    def close(self, *, working: bool = False) -> None:
        """Let no more requests in and end the connections that wait; with ``working`` the others too."""
        with self._condition:
            self._closed = True
            for connection in self._open:
                if working or not connection.working:
                    connection.evict()

    def _victim(self) -> Evictable | None:
        waiting = sorted((each for each in self._open if not each.working), key=lambda each: each.since)
        now = time.monotonic()
        strangers = [each for each in waiting if not each.proven and now - each.since > _GRACE]
        idle = [each for each in waiting if each.proven]
        return next(iter([*strangers, *idle]), None)
