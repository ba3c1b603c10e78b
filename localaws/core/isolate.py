"""One bad item must not stop the rest."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger("localaws")


@contextmanager
def isolate(what: str) -> Iterator[None]:
    """
    Log an exception from one item and continue with the rest.

    :param what: which item, and what is not done with it: a sentence of the log.
    """
    try:
        yield
    except Exception:
        log.exception(what)
