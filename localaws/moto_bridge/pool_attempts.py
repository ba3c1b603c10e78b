"""
Sign-ins that failed, by user and by address, so that nobody tries passwords until one fits.

As on AWS, after five failures a user has to wait, for twice as long after each more, for 15 minutes at most. What is
counted is in the store: a restart lets nobody try again.
"""

from __future__ import annotations

import time

from localaws.core.expiring import digest
from localaws.core.store import Store

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS attempt (who TEXT NOT NULL, at REAL NOT NULL)",
    "CREATE INDEX IF NOT EXISTS attempt_who ON attempt (who, at)",
    "CREATE INDEX IF NOT EXISTS attempt_at ON attempt (at)",
)
#: failures that make nobody wait.
FREE = 5
#: the same for an address. All of a machine's people have one here, so that it is many.
FREE_OF_ADDRESS = 100
_LONGEST_WAIT = 900.0
#: failures are forgotten after this.
_WINDOW = 3600.0


class Attempts:
    """The failed sign-ins of a home."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.transaction() as connection:
            for statement in _SCHEMA:
                connection.execute(statement)

    def begin(self, pool_id: str, username: str, address: str = "") -> float:
        """
        Count an attempt before its password is checked, so that attempts at the same time are all counted.

        :param address: from which it came; "" where that is not known.
        :returns: how many seconds to wait before another; 0 where this one may go on.
        """
        now = time.time()
        counted = _counted(pool_id, username, address)
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM attempt WHERE at < ?", (now - _WINDOW,))
            for who, free in counted:
                count, last = connection.execute(
                    "SELECT COUNT(*), MAX(at) FROM attempt WHERE who = ?", (who,)
                ).fetchone()
                wait = _wait(count - free) - (now - last) if count >= free else 0.0
                if wait > 0:
                    return wait
            connection.executemany("INSERT INTO attempt VALUES (?, ?)", [(who, now) for who, _ in counted])
        return 0.0

    def succeeded(self, pool_id: str, username: str, address: str = "") -> None:
        """Forget a user's failures, and that this attempt of the address was counted as one."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM attempt WHERE who = ?", (_user(pool_id, username),))
            connection.execute(
                "DELETE FROM attempt WHERE rowid = (SELECT MAX(rowid) FROM attempt WHERE who = ?)",
                (f"address {address}",),
            )


def _counted(pool_id: str, username: str, address: str) -> list[tuple[str, int]]:
    """Return by what an attempt is counted, and how many failures of it are free."""
    place = [(f"address {address}", FREE_OF_ADDRESS)] if address else []
    return [(_user(pool_id, username), FREE), *place]


def _user(pool_id: str, username: str) -> str:
    # People type passwords into the wrong field: only a hash is stored.
    return digest(f"{pool_id} {username}")


def _wait(over: int) -> float:
    return min(2.0 ** min(over, 20), _LONGEST_WAIT)
