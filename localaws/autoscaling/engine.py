"""Acts on alarms and schedules: changes the capacity of scalable targets, within their bounds and cooldowns."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from localaws.autoscaling import activities, capacity, policies, schedules
from localaws.autoscaling.capacity import TARGET, Variant
from localaws.cloudwatch import actions
from localaws.cloudwatch import engine as alarms
from localaws.core import clock
from localaws.core.context import Context
from localaws.core.errors import AwsError
from localaws.core.isolate import isolate

log = logging.getLogger("localaws.autoscaling")

Record = dict[str, Any]

#: Policies in the store.
POLICY = "scaling-policy"
#: AWS's seconds between two looks at activities and schedules.
_INTERVAL = 5.0
#: Where the ARN of every policy begins.
PREFIX = "arn:aws:autoscaling:"

#: One change at a time, so that two alarms do not both count from the same capacity.
_lock = threading.Lock()


def policy_name(resource: str, name: str) -> str:
    """Return the name of a policy in the store."""
    return f"{resource} {name}"


def policies_of(resource: str, ctx: Context) -> list[Record]:
    """Return the policies of a scalable target."""
    return [policy for policy in ctx.store.all(POLICY) if policy["ResourceId"] == resource]


# -- alarms


def on_alarm(alarm: Mapping[str, Any], arn: str, ctx: Context) -> None:
    """
    Do what a policy wants now that one of its alarms is in alarm.

    :raises LookupError: The policy, or its target, is gone.
    """
    policy = next((each for each in ctx.store.all(POLICY) if each["PolicyARN"] == arn), None)
    if policy is None:
        raise LookupError(f"there is no policy {arn}")
    target = ctx.store.get(TARGET, policy["ResourceId"])
    if target is None:
        raise LookupError(f"{policy['ResourceId']} is not registered as a scalable target")
    points = alarms.points(alarm, alarms.last_end(alarm), ctx)
    if not points:
        return
    with _lock:
        _follow(policy, target, alarm, points[-1].value, ctx)


def _follow(policy: Record, target: Record, alarm: Mapping[str, Any], value: float, ctx: Context) -> None:
    variant = _variant(target)
    now = capacity.read(variant, ctx)
    cause = f"monitor alarm {alarm['AlarmName']} in state ALARM triggered policy {policy['PolicyName']}"
    if now is None:
        message = f"Failed to set desired instance count. Reason: {target['ResourceId']} does not exist."
        activities.note(target, "Attempting to scale due to alarm triggered", cause, "Failed", message, ctx)
        return
    wanted = _wanted(policy, target, alarm, value, now.desired, ctx)
    if wanted is None:
        return
    bounded = max(target["MinCapacity"], min(target["MaxCapacity"], wanted))
    if bounded == now.desired:
        if wanted != now.desired:
            _not_scaled(target, cause, wanted, now.desired, ctx)
        return
    if _suspended(target, now.desired, bounded):
        return
    if not now.settled:
        # The alarm tells it again in a minute, if it still holds.
        log.info("%s is being updated; policy %s waits", variant.endpoint, policy["PolicyName"])
        return
    _scale(target, bounded, cause, ctx, policy=policy, before=now.desired)


def _wanted(
    policy: Record, target: Record, alarm: Mapping[str, Any], value: float, current: int, ctx: Context
) -> int | None:
    if policy["PolicyType"] == "StepScaling":
        config = policy["StepScalingPolicyConfiguration"]
        wanted = policies.stepped(config, current, value - alarm["Threshold"])
        if wanted is None or _cooling(policy, "_Last", config.get("Cooldown", policies.COOLDOWN), ctx):
            return None
        return wanted
    config = policy["TargetTrackingScalingPolicyConfiguration"]
    if alarm["AlarmName"] == policy["Alarms"][0]["AlarmName"]:
        return _out(policy, config, value, current, ctx)
    return _in(policy, config, target, value, current, ctx)


def _out(policy: Record, config: Mapping[str, Any], value: float, current: int, ctx: Context) -> int | None:
    before = policy.get("_Out", {})
    if _cooling(policy, "_Out", config.get("ScaleOutCooldown", policies.COOLDOWN), ctx):
        # What was added is part of what is wanted now: only a larger scale-out goes further.
        wanted = policies.tracked(before["From"], value, config["TargetValue"])
    else:
        wanted = policies.tracked(current, value, config["TargetValue"])
    return wanted if wanted > current else None


def _in(
    policy: Record, config: Mapping[str, Any], target: Record, value: float, current: int, ctx: Context
) -> int | None:
    if _cooling(policy, "_In", config.get("ScaleInCooldown", policies.COOLDOWN), ctx):
        return None
    wanted = policies.tracked(current, value, config["TargetValue"])
    if not all(_lets_go(other, ctx) for other in policies_of(target["ResourceId"], ctx) if other != policy):
        return None
    # Conservative: never more than half at once.
    return min(current, max(wanted, current - current // 2))


def _lets_go(policy: Record, ctx: Context) -> bool:
    """Return whether a policy would let capacity go: one of target tracking only when its own low alarm is on."""
    if policy["PolicyType"] != "TargetTrackingScaling":
        return True
    low = policy["Alarms"][1:]
    if not low:
        return False
    alarm = ctx.store.get(alarms.KIND, low[0]["AlarmName"])
    return alarm is not None and alarm["StateValue"] == "ALARM"


def _cooling(policy: Record, which: str, cooldown: float, ctx: Context) -> bool:
    last = policy.get(which)
    if not last:
        return False
    return bool(ctx.now() - last["At"] < timedelta(seconds=clock.real(cooldown)))


def _suspended(target: Record, current: int, wanted: int) -> bool:
    member = "DynamicScalingOutSuspended" if wanted > current else "DynamicScalingInSuspended"
    return bool(target["SuspendedState"][member])


def _not_scaled(target: Record, cause: str, wanted: int, current: int, ctx: Context) -> None:
    code = "AlreadyAtMaxCapacity" if wanted > current else "AlreadyAtMinCapacity"
    bound = "MaxCapacity" if wanted > current else "MinCapacity"
    reason = {"Code": code, bound: target[bound], "CurrentCapacity": current}
    last = activities.of(target["ResourceId"], ctx)[-1:]
    # Told once, and not each minute that the alarm lasts.
    if last and last[0].get("NotScaledReasons") == [reason]:
        return
    activities.note(
        target, "Attempting to scale due to alarm triggered", cause, "Unfulfilled", code, ctx, NotScaledReasons=[reason]
    )


def _scale(
    target: Record, count: int, cause: str, ctx: Context, *, policy: Record | None = None, before: int = 0
) -> None:
    """Begin a change of capacity, and write it down."""
    try:
        capacity.set_desired(_variant(target), count, ctx)
    except AwsError as error:
        message = f"Failed to set desired instance count to {count}. Reason: {error.message}"
        activities.note(target, f"Setting desired instance count to {count}.", cause, "Failed", message, ctx)
        return
    message = f"Successfully set desired instance count to {count}. Waiting for change to be fulfilled by sagemaker."
    activities.begin(target, f"Setting desired instance count to {count}.", cause, message, ctx, _Count=count)
    if policy is not None:
        _remember(policy, before, count, ctx)


def _remember(policy: Record, before: int, count: int, ctx: Context) -> None:
    out = count > before

    def change(record: Record) -> None:
        event = {"At": ctx.now(), "From": before}
        record |= {"_Last": event, "_Out" if out else "_In": event}
        if out:
            # A scale-out ends the wait of a scale-in.
            record.pop("_In", None)

    ctx.store.update(POLICY, policy_name(policy["ResourceId"], policy["PolicyName"]), change)


# -- bounds and schedules


def apply_bounds(target: Record, ctx: Context) -> None:
    """Bring a target whose capacity is out of its bounds into them."""
    now = capacity.read(_variant(target), ctx)
    if now is None or not now.settled:
        return
    for member, words, outside in (
        ("MinCapacity", "minimum", now.desired < target["MinCapacity"]),
        ("MaxCapacity", "maximum", now.desired > target["MaxCapacity"]),
    ):
        if outside:
            _scale(target, target[member], f"{words} capacity was set to {target[member]}", ctx)
            return


class Engine:
    """The thread that ends activities and runs scheduled actions."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="autoscaling", daemon=True)

    def start(self) -> None:
        """Take the actions of alarms, and start the thread."""
        actions.register(PREFIX, on_alarm, repeated=True)
        self._thread.start()

    def stop(self) -> None:
        """End it after the step that it is at."""
        self._ending.set()
        self._thread.join(10)

    def _run(self) -> None:
        since = self._ctx.now()
        while not self._ending.wait(clock.real(_INTERVAL)):
            now = self._ctx.now()
            for target in self._ctx.store.all(TARGET):
                with isolate(f"scalable target {target['ResourceId']} is left as it is"):
                    self._step(target, since, now)
            since = now

    def _step(self, target: Record, since: datetime, now: datetime) -> None:
        _settle(target, self._ctx)
        if not target["SuspendedState"]["ScheduledScalingSuspended"]:
            for action in schedules.due(target["ResourceId"], since, now, self._ctx):
                target = schedules.run(action, target, self._ctx)
        with _lock:
            apply_bounds(target, self._ctx)


def _settle(target: Record, ctx: Context) -> None:
    """End the activities whose change is done."""
    under_way = [
        each
        for each in activities.of(target["ResourceId"], ctx)
        if each["StatusCode"] == "InProgress" and "_Count" in each
    ]
    if not under_way:
        return
    now = capacity.read(_variant(target), ctx)
    if now is not None and not now.settled:
        return
    for activity in under_way:
        count = activity["_Count"]
        if now is not None and now.current == count:
            message = f"Successfully set desired instance count to {count}. Change successfully fulfilled by sagemaker."
            activities.end(activity, "Successful", message, ctx)
        else:
            reason = now.failure if now else f"{target['ResourceId']} does not exist"
            message = (
                f"Failed to set desired instance count to {count}. Reason: {reason or 'it was changed meanwhile'}."
            )
            activities.end(activity, "Failed" if now is None or now.failure else "Overridden", message, ctx)


def _variant(target: Record) -> Variant:
    return capacity.variant_of(target["ServiceNamespace"], target["ResourceId"], target["ScalableDimension"])
