"""What the portal and the seats tell each other: jobs, tasks, and why something cannot be done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Job:
    """
    Tasks of one flow, for one worker.

    :param open: How many the worker could take.
    :param mine: How many the worker has taken or paused.
    :param expires_at: When the first of the open ones runs out; ``None`` where none is open.
    """

    flow_name: str
    flow_arn: str
    team_arn: str
    title: str
    description: str
    keywords: tuple[str, ...]
    open: int
    mine: int
    expires_at: datetime | None


@dataclass(frozen=True)
class Held:
    """
    A task that a worker has taken, without what it shows.

    :param lease_until: When it goes back to the others.
    :param expires_at: When the loop itself ends.
    :param draft: What the worker has entered so far.
    """

    seat_id: str
    loop_name: str
    flow_name: str
    title: str
    description: str
    lease_until: datetime
    expires_at: datetime
    draft: dict[str, Any] | None


@dataclass(frozen=True)
class Task(Held):
    """
    A task that a worker has taken.

    :param html: The rendered worker template.
    """

    html: str


class SeatError(Exception):
    """Why a worker cannot do something: a sentence for people."""


class NothingLeft(SeatError):
    """There is no task for this worker in the flow."""


class NoSuchSeat(SeatError):
    """The worker has no such seat."""


class LeaseOver(SeatError):
    """The time for the task is over; others may have it now."""


class LoopEnded(SeatError):
    """The loop was stopped, expired, or has all its answers."""


class AlreadyAnswered(LoopEnded):
    """The worker has answered this before."""


class BadAnswer(SeatError):
    """What was entered cannot be an answer, or a draft of one."""
