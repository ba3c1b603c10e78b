"""Managed spot training: when a job's instances are taken away, for how long, and what the others cost."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: of the job's Environment or of the server's: seconds of training after which the instances are taken away, and of
#: the training after that, ...: "20" or "20,60". Without it nothing is interrupted.
AFTER = "LOCALAWS_SPOT_INTERRUPT_AFTER"
#: seconds until there are instances again.
AWAY = "LOCALAWS_SPOT_AWAY"
#: seconds between SIGTERM and SIGKILL of an interruption; two minutes on AWS.
NOTICE = "LOCALAWS_SPOT_NOTICE"
#: what a spot instance costs, as a share of its price on demand.
PRICE = "LOCALAWS_SPOT_PRICE"
_DEFAULTS = {AFTER: "", AWAY: "5", NOTICE: "120", PRICE: "0.3"}


@dataclass(frozen=True)
class Spot:
    """
    How spot instances are had.

    :param after: seconds of training until an interruption, one after the other.
    :param away: seconds that each lasts.
    :param notice: seconds between SIGTERM and SIGKILL.
    :param price: share of the price on demand.
    :param max_wait: seconds that the job may take, with those that it waits for instances.
    """

    after: tuple[float, ...]
    away: float
    notice: float
    price: float
    max_wait: float

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Spot | None:
        """
        Return how the job of a CreateTrainingJob request has its instances; None for one on demand.

        :raises ValueError: a setting is no number.
        """
        if not request.get("EnableManagedSpotTraining"):
            return None
        found = {name: _setting(name, request.get("Environment", {})) for name in _DEFAULTS}
        return cls(
            after=tuple(_number(AFTER, text) for text in found[AFTER].replace(",", " ").split()),
            away=_number(AWAY, found[AWAY]),
            notice=_number(NOTICE, found[NOTICE]),
            price=_number(PRICE, found[PRICE]),
            max_wait=float(request["StoppingCondition"]["MaxWaitTimeInSeconds"]),
        )

    def until(self, interruptions: int) -> float:
        """Return the seconds of training until the next interruption, after so many."""
        return self.after[interruptions] if interruptions < len(self.after) else math.inf

    def billable(self, seconds: float) -> int:
        """Return BillableTimeInSeconds of a job that has had its instances for so long."""
        return max(1, math.ceil(seconds * self.price))


def _setting(name: str, of_job: Mapping[str, str]) -> str:
    return of_job.get(name) or os.environ.get(name) or _DEFAULTS[name]


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} is to be seconds, or a share: {text!r}")
    return value
