"""What alarms set off. A slice that takes actions registers for the ARNs that are its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from localaws.cloudwatch import history
from localaws.core.context import Context

log = logging.getLogger("localaws.cloudwatch")

#: Takes the alarm's record and the action's ARN.
Action = Callable[[Mapping[str, Any], str, Context], None]

#: Start of an ARN -> what takes it, and whether it is told again each minute as long as the state lasts.
_takers: dict[str, tuple[Action, bool]] = {}

MEMBERS = {"OK": "OKActions", "ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


def register(prefix: str, take: Action, *, repeated: bool = False) -> None:
    """Have the actions whose ARN begins with ``prefix`` taken by a slice."""
    _takers[prefix] = (take, repeated)


def run(alarm: Mapping[str, Any], ctx: Context, *, again: bool = False) -> None:
    """
    Take the actions of an alarm's present state.

    :param again: Only those that are told again as long as the state lasts.
    """
    if not alarm["ActionsEnabled"]:
        return
    for arn in alarm.get(MEMBERS[alarm["StateValue"]], []):
        take, repeated = _taker(arn)
        if again and not repeated:
            continue
        error = None
        try:
            if take is None:
                raise LookupError("localaws has no service that takes this action")
            take(alarm, arn, ctx)
        except Exception as failure:  # one action that fails must not keep the others from theirs
            log.exception("action %s of alarm %s failed", arn, alarm["AlarmName"])
            error = f"{type(failure).__name__}: {failure}"
        if not again or error:
            _note(alarm, arn, error, ctx)


def _taker(arn: str) -> tuple[Action | None, bool]:
    for prefix, (take, repeated) in _takers.items():
        if arn.startswith(prefix):
            return take, repeated
    return None, False


def _note(alarm: Mapping[str, Any], arn: str, error: str | None, ctx: Context) -> None:
    state = "Failed" if error else "Succeeded"
    summary = f"{'Failed to execute' if error else 'Successfully executed'} action {arn}"
    data = {"actionState": state, "notificationResource": arn, **({"error": error} if error else {})}
    history.note(ctx, alarm["AlarmName"], "Action", summary, data, composite="AlarmRule" in alarm)
