"""DeploymentConfig: what UpdateEndpoint may ask for, and the steps that follow from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localaws.core.errors import ValidationException

Record = dict[str, Any]
#: Instances by variant.
Counts = Mapping[str, int]

#: Seconds that a deployment has where its policy does not say: AWS's maximum.
LONGEST = 28800


@dataclass(frozen=True)
class Step:
    """
    Traffic on a part of the new fleet, and how long to watch the alarms then.

    :param share: Of the traffic, from 0 to 1. A percentage holds for small fleets too.
    :param words: How AWS calls that capacity: canary, or full.
    """

    active: Counts
    share: float
    seconds: int
    words: str


def check(config: Record, counts: Counts) -> None:
    """
    Refuse a DeploymentConfig that contradicts itself.

    :param counts: Instances of the new fleet.
    :raises ValidationException: As the API's reference says of each member.
    """
    blue_green, rolling = config.get("BlueGreenUpdatePolicy"), config.get("RollingUpdatePolicy")
    if blue_green and rolling:
        raise ValidationException("Only one of BlueGreenUpdatePolicy and RollingUpdatePolicy may be given.")
    if blue_green:
        _check_blue_green(blue_green, counts)
    if rolling:
        _check_size(rolling["MaximumBatchSize"], "MaximumBatchSize", 5, 50, counts)
        if "RollbackMaximumBatchSize" in rolling:
            _check_size(rolling["RollbackMaximumBatchSize"], "RollbackMaximumBatchSize", 1, 100, counts)
        waits = rolling["WaitIntervalInSeconds"] * len(batches(rolling, counts))
        _check_timeout(rolling, waits)


def _check_blue_green(policy: Record, counts: Counts) -> None:
    routing = policy["TrafficRoutingConfiguration"]
    for kind, member, least in (("CANARY", "CanarySize", 1), ("LINEAR", "LinearStepSize", 10)):
        if (routing["Type"] == kind) != (member in routing):
            raise ValidationException(f"{member} must be given for the traffic routing type {kind}, and for no other.")
        if member in routing:
            _check_size(routing[member], member, least, 50, counts)
    _check_timeout(policy, sum(step.seconds for step in steps(policy, counts)))


def _check_size(size: Record, name: str, least: int, most: int, counts: Counts) -> None:
    value = size["Value"]
    if size["Type"] == "CAPACITY_PERCENT":
        if not least <= value <= most:
            raise ValidationException(f"{name} must be {least} to {most} percent of the capacity, and is {value}.")
        return
    for variant, count in counts.items():
        if value > count * most / 100:
            raise ValidationException(
                f"{name} must be at most {most} percent of the instances of variant {variant}, "
                f"and is {value} of {count}."
            )


def _check_timeout(policy: Record, waits: int) -> None:
    timeout = policy.get("MaximumExecutionTimeoutInSeconds", LONGEST)
    if timeout <= waits:
        raise ValidationException(
            f"MaximumExecutionTimeoutInSeconds, {timeout}, must be larger than the {waits} seconds of all waits."
        )


def steps(policy: Record, counts: Counts) -> list[Step]:
    """Return the steps of a blue/green deployment; the last one is on full capacity."""
    routing = policy["TrafficRoutingConfiguration"]
    full = Step(counts, 1.0, policy.get("TerminationWaitInSeconds", 0), "full")
    wait = routing["WaitIntervalInSeconds"]
    if routing["Type"] == "CANARY":
        return [_partial(routing["CanarySize"], counts, 1, wait), full]
    found: list[Step] = []
    while routing["Type"] == "LINEAR":
        step = _partial(routing["LinearStepSize"], counts, len(found) + 1, wait)
        if step.share >= 1:
            break
        found.append(step)
    return [*found, full]


def _partial(size: Record, counts: Counts, times: int, wait: int) -> Step:
    active = _of(size, counts, times)
    by_count = sum(active.values()) / sum(counts.values())
    share = times * size["Value"] / 100 if size["Type"] == "CAPACITY_PERCENT" else by_count
    # Linear steps are named as AWS's texts name the only partial capacity that they have.
    return Step(active, min(1.0, share), wait, "canary")


def batches(policy: Record, counts: Counts) -> list[Counts]:
    """Return the instances of the new fleet after each batch of a rolling deployment."""
    return _cumulative(policy["MaximumBatchSize"], counts)


def _cumulative(size: Record, counts: Counts) -> list[Counts]:
    found = [_of(size, counts, 1)]
    while found[-1] != counts:
        found.append(_of(size, counts, len(found) + 1))
    return found


def _of(size: Record, counts: Counts, times: int) -> Counts:
    def part(count: int) -> int:
        one = size["Value"] if size["Type"] == "INSTANCE_COUNT" else math.ceil(count * size["Value"] / 100)
        return min(count, times * max(1, int(one)))

    return {variant: part(count) for variant, count in counts.items()}


def alarms(config: Record) -> Sequence[str]:
    """Return the names of the alarms that roll a deployment back."""
    return [each["AlarmName"] for each in config.get("AutoRollbackConfiguration", {}).get("Alarms", [])]


def timeout(config: Record) -> int:
    """Return the seconds that a deployment has."""
    policy = config.get("BlueGreenUpdatePolicy") or config.get("RollingUpdatePolicy") or {}
    found: int = policy.get("MaximumExecutionTimeoutInSeconds", LONGEST)
    return found
