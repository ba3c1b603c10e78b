"""Work groups in the store; ``primary`` is always there."""

from __future__ import annotations

from typing import Any

from localaws.athena.paging import invalid
from localaws.core.context import Context

KIND = "work-group"
ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}


def get(ctx: Context, name: str) -> dict[str, Any]:
    """
    Return a work group.

    :raises InvalidRequestException: there is none of that name.
    """
    found = ctx.store.get(KIND, name)
    if found is None and name == "primary":
        ctx.store.insert(KIND, name, new(name, {}, enforce=False, ctx=ctx))
        found = ctx.store.get(KIND, name)
    if found is None:
        raise invalid("WorkGroup is not found.")
    return found


def new(name: str, configuration: dict[str, Any], *, enforce: bool, ctx: Context) -> dict[str, Any]:
    """
    Return a work group as it is stored.

    :param enforce: EnforceWorkGroupConfiguration if the request does not set it.
    """
    return {
        "Name": name,
        "State": "ENABLED",
        "Configuration": {
            "ResultConfiguration": {},
            "EnforceWorkGroupConfiguration": enforce,
            "PublishCloudWatchMetricsEnabled": False,
            "RequesterPaysEnabled": False,
            "EnableMinimumEncryptionConfiguration": False,
            **configuration,
            "EngineVersion": dict(ENGINE),
        },
        "CreationTime": ctx.now(),
    }
