"""Scaling activities: what was done to a scalable target, in Application Auto Scaling's words."""

from __future__ import annotations

import uuid
from typing import Any

from localaws.core.context import Context

Record = dict[str, Any]

KIND = "scaling-activity"
#: Activities that are kept of each scalable target; AWS keeps those of six weeks.
_MOST = 200


def begin(target: Record, description: str, cause: str, message: str, ctx: Context, **members: Any) -> Record:
    """Write an activity down; return it."""
    activity = {
        "ActivityId": str(uuid.uuid4()),
        **{key: target[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")},
        "Description": description,
        "Cause": cause,
        "StartTime": ctx.now(),
        "StatusCode": "InProgress",
        "StatusMessage": message,
        **members,
    }
    with ctx.store.transaction():
        kept = of(target["ResourceId"], ctx)
        ctx.store.put(KIND, target["ResourceId"], {"Activities": [*kept, activity][-_MOST:]})
    return activity


def end(activity: Record, status: str, message: str, ctx: Context) -> None:
    """
    End an activity.

    :param status: Successful, Failed, Overridden or Unfulfilled.
    """

    def change(record: Record) -> None:
        for each in record["Activities"]:
            if each["ActivityId"] == activity["ActivityId"]:
                each |= {"StatusCode": status, "StatusMessage": message, "EndTime": ctx.now()}

    ctx.store.update(KIND, activity["ResourceId"], change)


def note(target: Record, description: str, cause: str, status: str, message: str, ctx: Context, **members: Any) -> None:
    """Write down an activity that has ended already."""
    end(begin(target, description, cause, message, ctx, **members), status, message, ctx)


def of(resource: str, ctx: Context) -> list[Record]:
    """Return the activities of a resource, the oldest first."""
    found: list[Record] = (ctx.store.get(KIND, resource) or {}).get("Activities", [])
    return found


def everything(ctx: Context) -> list[Record]:
    """Return the activities of all resources."""
    return [activity for record in ctx.store.all(KIND) for activity in record["Activities"]]
