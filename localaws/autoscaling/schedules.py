"""Scheduled actions: other bounds for a scalable target, at a time or again and again."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from localaws.autoscaling import activities
from localaws.autoscaling.capacity import TARGET
from localaws.core.context import Context
from localaws.core.cron import Cron
from localaws.core.errors import NotImplementedByLocalAws, ValidationException

Record = dict[str, Any]

KIND = "scheduled-scaling-action"

_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")


def name_of(resource: str, name: str) -> str:
    """Return the name of a scheduled action in the store."""
    return f"{resource} {name}"


def check(schedule: str, timezone: str) -> None:
    """
    Refuse what is no schedule.

    :raises ValidationException: It is malformed, or the time zone is unknown.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValidationException(f"The time zone {timezone} is not supported.") from error
    try:
        _next(schedule, zone, datetime.now(UTC), datetime.now(UTC))
    except NotImplementedError as error:
        raise NotImplementedByLocalAws(f"The schedule {schedule} is not implemented by localaws: {error}") from error
    except (ValueError, OverflowError) as error:
        raise ValidationException(f"Schedule expression {schedule} is not valid: {error}") from error


def due(resource: str, since: datetime, until: datetime, ctx: Context) -> list[Record]:
    """Return the actions of a resource that fall into ``since`` < time <= ``until``."""
    return [action for action in of(resource, ctx) if _is_due(action, since, until)]


def of(resource: str, ctx: Context) -> list[Record]:
    """Return the scheduled actions of a resource."""
    return [action for action in ctx.store.all(KIND) if action["ResourceId"] == resource]


def run(action: Record, target: Record, ctx: Context) -> Record:
    """Give the target the bounds of an action; return the target. What is out of them is brought into them after."""
    wanted = action["ScalableTargetAction"]
    bounds = {key: wanted[key] for key in ("MinCapacity", "MaxCapacity") if key in wanted}
    changed = ctx.store.update(TARGET, target["ResourceId"], lambda record: record.update(bounds)) or target
    words = " and ".join(
        f"{word} capacity to {bounds[key]}"
        for key, word in (("MinCapacity", "min"), ("MaxCapacity", "max"))
        if key in bounds
    )
    cause = f"scheduled action name {action['ScheduledActionName']} was triggered"
    activities.note(changed, f"Setting {words}", cause, "Successful", f"Successfully set {words}", ctx)
    if action["Schedule"].startswith("at("):
        # It never comes again.
        ctx.store.delete(KIND, name_of(action["ResourceId"], action["ScheduledActionName"]))
    return changed


def _is_due(action: Record, since: datetime, until: datetime) -> bool:
    start, end = action.get("StartTime"), action.get("EndTime")
    moment = _next(action["Schedule"], ZoneInfo(action["Timezone"]), since, start or action["CreationTime"])
    if moment is None or moment > until:
        return False
    return not (start and moment < start) and not (end and moment > end)


def _next(schedule: str, zone: ZoneInfo, after: datetime, origin: datetime) -> datetime | None:
    """Return the first time of a schedule after a moment, if there is one."""
    if found := _AT.fullmatch(schedule):
        moment = datetime.fromisoformat(found[1]).replace(tzinfo=zone).astimezone(UTC)
        return moment if moment > after else None
    if found := _RATE.fullmatch(schedule):
        if int(found[1]) < 1:
            raise ValueError("the rate must be at least 1")
        every = timedelta(**{f"{found[2]}s": int(found[1])})
        return origin + (max(0, (after - origin) // every) + 1) * every
    # Cron counts in UTC: the zone's wall clock is taken for it, and taken back.
    local = Cron.parse(schedule).next_after(after.astimezone(zone).replace(tzinfo=UTC))
    return local.replace(tzinfo=zone).astimezone(UTC) if local else None
