"""For loops over records of which a broken one must not keep the others from their turns."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger("localaws")


@contextmanager
def one_of_many(what: str) -> Iterator[None]:
    """
    What goes wrong inside is in the log with its traceback, and goes no further.

    :param what: which one of the many, and what is not done with it: a sentence of the log.
    """
    try:
        yield
    except Exception:
        log.exception(what)
