"""What happened to alarms, kept when they are deleted too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from localaws.core.context import Context

Record = dict[str, Any]

KIND = "alarm-history"
#: Items that are kept of each alarm; AWS keeps thirty days.
_MOST = 500


def note(
    ctx: Context, alarm: str, kind: str, summary: str, data: Mapping[str, Any], *, composite: bool = False
) -> None:
    """
    Add an item to the history of an alarm.

    :param kind: ConfigurationUpdate, StateUpdate or Action.
    """
    item = {
        "AlarmName": alarm,
        "AlarmType": "CompositeAlarm" if composite else "MetricAlarm",
        "Timestamp": ctx.now(),
        "HistoryItemType": kind,
        "HistorySummary": summary[:255],
        "HistoryData": json.dumps({"version": "1.0", **data}, default=stamp)[:4095],
    }
    with ctx.store.transaction():
        items = items_of(ctx, alarm)
        ctx.store.put(KIND, alarm, {"Items": [*items, item][-_MOST:]})


def items_of(ctx: Context, alarm: str) -> list[Record]:
    """Return the history of an alarm, the oldest item first."""
    found: list[Record] = (ctx.store.get(KIND, alarm) or {}).get("Items", [])
    return found


def everything(ctx: Context) -> list[Record]:
    """Return the history of all alarms."""
    return [item for record in ctx.store.all(KIND) for item in record["Items"]]


def stamp(value: Any) -> str:
    """Write a time as CloudWatch's JSON has it, with milliseconds and the offset of UTC."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}+0000"
    raise TypeError(f"cannot write a {type(value).__name__}")
