"""The clock factor: how many of AWS's seconds pass in one of ours."""

from __future__ import annotations

import os

VARIABLE = "LOCALAWS_CLOCK_FACTOR"
#: A minute of CloudWatch's is then two seconds. Metrics are kept by the second, so that less would tell nothing.
MOST = 30.0


class ClockError(ValueError):
    """The variable is no number from 1 to :data:`MOST`."""


def factor() -> float:
    """
    Return the clock factor; 1 unless ``LOCALAWS_CLOCK_FACTOR`` says otherwise.

    It shortens waits: alarm periods, cooldowns, baking and the interval of metrics. Time stamps stay true.

    :raises ClockError: The variable is not a number from 1 to 30.
    """
    text = os.environ.get(VARIABLE, "1")
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= MOST:
        raise ClockError(f"{VARIABLE} must be a number from 1 to {MOST:.0f}, and is {text!r}")
    return value


def real(seconds: float) -> float:
    """Return how many real seconds a number of AWS's seconds takes."""
    return seconds / factor()
