"""
Traffic from one fleet to another, step by step, with a way back.

A rollout that is interrupted by the end of the server starts again from its beginning: the old fleet has all traffic
then, and the new one is built again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

from localaws.cloudwatch import engine as alarms
from localaws.core import clock
from localaws.core.context import Context
from localaws.sagemaker.endpoints import guardrails
from localaws.sagemaker.endpoints.deployment import Deployment
from localaws.sagemaker.endpoints.guardrails import Counts, Step

Record = dict[str, Any]

#: AWS's seconds between two looks at the alarms.
_LOOK = 2.0


class RolledBack(Exception):
    """Why the old fleet has all traffic again. AWS's own words for it are not published."""


class Interrupted(Exception):
    """The server ends."""


class Surroundings(Protocol):
    """What a rollout needs of whoever owns the fleets."""

    def shift(self, green: Deployment, share: float) -> None:
        """Give the new fleet a share of the traffic, from 0 to 1."""

    def report(self, status: str, messages: Mapping[str, str]) -> None:
        """Tell by variant what is being done, for PendingDeploymentSummary."""

    def is_closing(self) -> bool:
        """Return whether the server ends."""


class Rollout:
    """
    One deployment under a DeploymentConfig.

    :param blue: The fleet that serves.
    :param green: The fleet that is to serve; nothing of it runs yet.
    """

    def __init__(self, ctx: Context, config: Record, blue: Deployment, green: Deployment, around: Surroundings) -> None:
        self._ctx = ctx
        self._config = config
        self._blue = blue
        self._green = green
        self._around = around
        self._counts = {variant.name: variant.count for variant in green.plan.variants}
        self._old = {variant.name: variant.count for variant in blue.plan.variants}
        self._deadline = time.monotonic() + clock.real(guardrails.timeout(config))

    def run(self) -> None:
        """
        Move all traffic to the new fleet. The old one still runs then, or what is left of it.

        :raises RolledBack: An alarm went off, or the time was up. The old fleet is whole and has all traffic.
        :raises DeploymentFailed: An instance of the new fleet does not become healthy; likewise.
        :raises Interrupted: The server ends.
        """
        rolling = self._config.get("RollingUpdatePolicy")
        if rolling:
            self._roll(rolling)
            return
        policy = self._config.get("BlueGreenUpdatePolicy")
        self._launch(self._counts)
        for step in guardrails.steps(policy, self._counts) if policy else [Step(self._counts, 1.0, 0, "full")]:
            last = step.words == "full"
            self._activate(step)
            wait = "TerminationWaitInSeconds" if last else "WaitIntervalInSeconds"
            self._bake(step.seconds, wait, step.active, step.words)

    def _roll(self, policy: Record) -> None:
        wait = policy["WaitIntervalInSeconds"]
        try:
            for active in guardrails.batches(policy, self._counts):
                if not self._green.workers():
                    self._launch(active)
                else:
                    self._around.report("Updating", _each("Scaling out desired instance count to {}.", active))
                    self._green.change(self._green.plan.changed({}, dict(active)))
                share = sum(active.values()) / sum(self._counts.values())
                step = Step(active, share, wait, "full" if active == self._counts else "canary")
                self._activate(step)
                self._bake(wait, "WaitIntervalInSeconds", active, step.words)
                self._shrink(active)
        except Exception:
            if not self._around.is_closing():
                self._restore(policy)
            raise

    def _launch(self, counts: Counts) -> None:
        self._around.report("Creating", _each("Launching {} instance(s).", counts))
        self._green.start_with(counts)

    def _activate(self, step: Step) -> None:
        text = f"Activating traffic on {step.words} capacity of {{}} instance(s)."
        self._around.report("ActivatingTraffic", _each(text, step.active))
        self._around.shift(self._green, step.share)

    def _bake(self, seconds: int, wait: str, active: Counts, words: str) -> None:
        """Watch the alarms for a time; look once even where there is nothing to wait for."""
        text = f"Baking for {seconds} seconds ({wait}) with traffic enabled on {words} capacity of {{}} instance(s)."
        if seconds:
            self._around.report("Baking", _each(text, active))
        until = time.monotonic() + clock.real(seconds)
        while True:
            if self._around.is_closing():
                raise Interrupted
            self._look()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, clock.real(_LOOK)))

    def _look(self) -> None:
        for name in guardrails.alarms(self._config):
            alarm = alarms.find(self._ctx, name)
            if alarm is not None and alarm["StateValue"] == "ALARM":
                raise RolledBack(
                    f"The deployment was rolled back, because the alarm {name} is in the state ALARM: "
                    f"{alarm['StateReason']}"
                )
        if time.monotonic() > self._deadline:
            raise RolledBack(
                "The deployment was rolled back, because it took longer than its maximum execution timeout."
            )

    def _shrink(self, active: Counts) -> None:
        """End as much of the old fleet as the new one has taken over; the rest of it goes with the last batch."""
        share = sum(active.values()) / sum(self._counts.values())
        if share == 1:
            return
        left = {name: max(1, round(count * (1 - share))) for name, count in self._old.items()}
        ended = {name: count - left[name] for name, count in self._old.items()}
        self._around.report("Deleting", _each("Terminating {} instance(s).", ended))
        self._blue.change(self._blue.plan.changed({}, left))

    def _restore(self, policy: Record) -> None:
        """Bring the old fleet back, batch by batch, before it gets its traffic back."""
        size = policy.get("RollbackMaximumBatchSize", {"Type": "CAPACITY_PERCENT", "Value": 100})
        for active in guardrails.batches({"MaximumBatchSize": size}, self._old):
            now = {variant.name: variant.count for variant in self._blue.plan.variants}
            if all(active[name] <= now[name] for name in active):
                continue
            wanted = {name: max(active[name], now[name]) for name in active}
            self._around.report("Updating", _each("Scaling out desired instance count to {}.", wanted))
            self._blue.change(self._blue.plan.changed({}, wanted))


def _each(text: str, counts: Counts) -> dict[str, str]:
    return {name: text.format(count) for name, count in counts.items()}
