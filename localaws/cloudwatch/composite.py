"""Composite alarms: the state of a rule on other alarms."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from localaws.cloudwatch import engine, history, rules
from localaws.cloudwatch.engine import COMPOSITE
from localaws.core.context import Context

log = logging.getLogger("localaws.cloudwatch")

Record = dict[str, Any]


def children(alarm: Record) -> tuple[str, ...]:
    """Return the names of the alarms in a composite alarm's rule."""
    return rules.parse(alarm["AlarmRule"]).children


def parents(ctx: Context, name: str) -> list[Record]:
    """Return the composite alarms that have an alarm in their rules."""
    return [each for each in ctx.store.all(COMPOSITE) if name in children(each)]


def is_in_cycle(ctx: Context, name: str) -> bool:
    """Return whether a composite alarm depends on itself."""
    below, seen = [name], set()
    while below:
        alarm = ctx.store.get(COMPOSITE, below.pop())
        for child in children(alarm) if alarm else ():
            if child == name:
                return True
            if child not in seen:
                seen.add(child)
                below.append(child)
    return False


class Judge:
    """
    Judges composite alarms when an alarm in their rules has changed, or their configuration.

    A state that SetAlarmState gave lasts until then, as on AWS.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        #: Alarm -> what it was judged by.
        self._judged: dict[str, tuple[Any, ...]] = {}

    def judge(self, alarm: Record) -> None:
        """Bring a composite alarm's state up to date; one that depends on itself keeps its state."""
        rule = rules.parse(alarm["AlarmRule"])
        found = {name: engine.find(self._ctx, name) for name in rule.children}
        by = (
            alarm["AlarmConfigurationUpdatedTimestamp"],
            *((each["StateValue"], each["StateTransitionedTimestamp"]) if each else None for each in found.values()),
        )
        name = alarm["AlarmName"]
        if self._judged.get(name) == by:
            return
        self._judged[name] = by
        if is_in_cycle(self._ctx, name):
            log.warning("composite alarm %s depends on itself, and is not judged", name)
            return
        state = "ALARM" if rule.holds(lambda child: (found[child] or {}).get("StateValue", "")) else "OK"
        if state != alarm["StateValue"]:
            known = [each for each in found.values() if each]
            engine.set_state(self._ctx, name, state, _reason(state, known), _data(known), expected=alarm)


def _reason(state: str, known: Iterable[Record]) -> str:
    newest = max(known, key=_since, default=None)
    if newest is None:
        return f"The rule of the alarm is always {'TRUE' if state == 'ALARM' else 'FALSE'}."
    moment = f"{_since(newest):%A %d %B, %Y %H:%M:%S} UTC"
    return f"{newest['AlarmArn']} transitioned to {newest['StateValue']} at {moment}"


def _since(alarm: Record) -> datetime:
    found: datetime = alarm["StateTransitionedTimestamp"]
    return found


def _data(known: Iterable[Record]) -> str:
    triggering = [
        {"arn": each["AlarmArn"], "state": {"value": each["StateValue"], "timestamp": _since(each)}} for each in known
    ]
    # StateReasonData holds no more than 4,000 characters.
    while len(text := json.dumps({"triggeringAlarms": triggering}, default=history.stamp)) > 4000:
        triggering.pop()
    return text
