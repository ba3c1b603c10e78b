"""Alarms are judged at each of their periods, and act when their state changes."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from localaws.cloudwatch import actions, evaluation, history
from localaws.core import clock
from localaws.core.context import Context
from localaws.core.isolate import isolate
from localaws.moto_bridge import metrics

log = logging.getLogger("localaws.cloudwatch")

Record = dict[str, Any]

KIND, COMPOSITE = "metric-alarm", "composite-alarm"
#: AWS's seconds between two looks at the alarms: the shortest period is ten.
_INTERVAL = 2.0
#: AWS's seconds that data of a period may be late.
_LATE = 5.0
#: AWS's seconds after which actions are told again that a state lasts.
_AGAIN = 60.0


class Engine:
    """
    The thread that judges alarms. Its memory is only of what it need not do again; a restart starts it afresh.

    :param judge_composite: Brings a composite alarm up to date.
    """

    def __init__(self, ctx: Context, judge_composite: Callable[[Record], None]) -> None:
        self._ctx = ctx
        self._judge_composite = judge_composite
        #: Alarm -> end of the last period that it was judged by.
        self._judged: dict[str, datetime] = {}
        #: Alarm -> when its actions were last told.
        self._told: dict[str, float] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End it after the alarm that it is at."""
        self._ending.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._ending.wait(clock.real(_INTERVAL)):
            for alarm in self._ctx.store.all(KIND):
                if self._ending.is_set():
                    return
                with isolate(f"alarm {alarm['AlarmName']} is not judged"):
                    self.judge(alarm)
            for alarm in self._ctx.store.all(COMPOSITE):
                with isolate(f"alarm {alarm['AlarmName']} is not judged"):
                    self._judge_composite(alarm)

    def judge(self, alarm: Record) -> None:
        """Judge an alarm if one of its periods has ended since the last time; repeat the actions that want it."""
        name = alarm["AlarmName"]
        end = last_end(alarm)
        updated = alarm["AlarmConfigurationUpdatedTimestamp"]
        if self._judged.get(name, datetime.min.replace(tzinfo=UTC)) < max(end, updated):
            self._judged[name] = max(end, updated)
            verdict = evaluation.judge(alarm, points(alarm, end, self._ctx))
            if verdict is not None and verdict.state != alarm["StateValue"]:
                data = _reason_data(alarm, verdict, self._ctx.now())
                set_state(self._ctx, name, verdict.state, verdict.reason, data, expected=alarm)
                self._told[name] = time.monotonic()
                return
        if time.monotonic() - self._told.setdefault(name, time.monotonic()) >= clock.real(_AGAIN):
            self._told[name] = time.monotonic()
            actions.run(alarm, self._ctx, again=True)


def points(alarm: Mapping[str, Any], end: datetime, ctx: Context) -> list[evaluation.Datapoint]:
    """Return the datapoints of an alarm's evaluation range, the oldest first."""
    period = timedelta(seconds=clock.real(alarm["Period"]))
    periods = alarm["EvaluationPeriods"] + evaluation.BEYOND
    found = metrics.samples(
        ctx.region,
        alarm["Namespace"],
        alarm["MetricName"],
        {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])},
        end - periods * period,
        alarm.get("Unit"),
    )
    return evaluation.datapoints(found, statistic(alarm), end, period, periods)


def statistic(alarm: Mapping[str, Any]) -> str:
    """Return what an alarm judges its metric by, such as ``Sum`` or ``p99``."""
    found: str = alarm.get("Statistic") or alarm["ExtendedStatistic"]
    return found


def find(ctx: Context, name: str) -> Record | None:
    """Return the alarm of a name, metric or composite: they share their names."""
    return ctx.store.get(KIND, name) or ctx.store.get(COMPOSITE, name)


def set_state(
    ctx: Context,
    name: str,
    state: str,
    reason: str,
    data: str | None = None,
    expected: Mapping[str, Any] | None = None,
) -> bool:
    """
    Give an alarm a state and take the actions of it; return whether there is such an alarm.

    :param expected: The alarm as it was judged; where it was changed meanwhile, nothing happens.
    """
    with ctx.store.transaction():
        alarm = find(ctx, name)
        if alarm is None:
            return False
        composite = "AlarmRule" in alarm
        stamp = "AlarmConfigurationUpdatedTimestamp"
        if expected is not None and (alarm[stamp], alarm["StateValue"]) != (expected[stamp], expected["StateValue"]):
            return True
        before = {key: alarm.get(key) for key in ("StateValue", "StateReason", "StateReasonData")}
        now = ctx.now()
        alarm |= {"StateValue": state, "StateReason": reason[:1023], "StateUpdatedTimestamp": now}
        alarm.pop("StateReasonData", None)
        if data:
            alarm["StateReasonData"] = data
        changed = before["StateValue"] != state
        if changed:
            alarm["StateTransitionedTimestamp"] = now
            history.note(
                ctx,
                name,
                "StateUpdate",
                f"Alarm updated from {before['StateValue']} to {state}",
                {"oldState": _told(before), "newState": _told(alarm)},
                composite=composite,
            )
        ctx.store.put(COMPOSITE if composite else KIND, name, alarm)
    if changed:
        actions.run(alarm, ctx)
    return True


def _told(alarm: Mapping[str, Any]) -> Record:
    data = alarm.get("StateReasonData")
    return {
        "stateValue": alarm["StateValue"],
        "stateReason": alarm["StateReason"],
        **({"stateReasonData": json.loads(data)} if data else {}),
    }


def last_end(alarm: Mapping[str, Any]) -> datetime:
    """Return the end of the last period whose data can be there."""
    period = clock.real(alarm["Period"])
    late = min(clock.real(_LATE), period)
    return datetime.fromtimestamp((time.time() - late) // period * period, UTC)


def _reason_data(alarm: Mapping[str, Any], verdict: evaluation.Verdict, now: datetime) -> str:
    known = verdict.datapoints
    data = {
        "version": "1.0",
        "queryDate": now,
        **({"startDate": known[0].start} if known else {}),
        **({"unit": alarm["Unit"]} if "Unit" in alarm else {}),
        "statistic": statistic(alarm),
        "period": alarm["Period"],
        "recentDatapoints": [point.value for point in known],
        "threshold": alarm["Threshold"],
        "evaluatedDatapoints": [
            {"timestamp": point.start, "sampleCount": point.samples, "value": point.value} for point in reversed(known)
        ],
    }
    text = json.dumps(data, default=history.stamp)
    # StateReasonData holds no more; the list that repeats the values goes first.
    return text if len(text) <= 4000 else json.dumps({**data, "evaluatedDatapoints": []}, default=history.stamp)[:4000]
