"""Shadow variants: copies of a share of the requests, whose answers nobody waits for."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

log = logging.getLogger(__name__)

#: Copies under way at once; further requests are not copied then, so that a slow shadow slows nobody down.
MOST = 16


class Shadows:
    """Sends copies in the background."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(MOST, thread_name_prefix="shadow")
        self._free = threading.BoundedSemaphore(MOST)

    def send(self, share: float, copy: Callable[[], None]) -> bool:
        """
        Send a copy, if chance and room allow it; return whether it is sent.

        :param share: Of the requests that are copied, from 0 to 1.
        """
        if random.random() >= share or not self._free.acquire(blocking=False):
            return False
        try:
            self._pool.submit(self._run, copy)
        except RuntimeError:
            # The server ends.
            self._free.release()
            return False
        return True

    def close(self) -> None:
        """Send no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, copy: Callable[[], None]) -> None:
        try:
            copy()
        except Exception:  # whatever a shadow answers, it is nobody's answer
            log.exception("a shadow variant did not answer")
        finally:
            self._free.release()
