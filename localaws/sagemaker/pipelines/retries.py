"""Retry policies of steps."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from localaws.core.errors import ValidationException
from localaws.sagemaker.pipelines import failures
from localaws.sagemaker.pipelines.failures import StepFailure

Record = dict[str, Any]

_TYPES = (
    failures.SERVICE_FAULT,
    failures.THROTTLING,
    failures.INTERNAL_ERROR,
    failures.CAPACITY_ERROR,
    failures.RESOURCE_LIMIT,
)
#: AWS retries these of any step, unless the step says otherwise.
_DEFAULT: list[Record] = [
    {"ExceptionType": [failures.SERVICE_FAULT, failures.THROTTLING], "MaxAttempts": 3},
]
_INTERVAL_S, _BACKOFF, _ATTEMPTS = 1, 2.0, 5
_MOST_ATTEMPTS, _LONGEST_MIN = 20, 14_400


def check_policies(policies: Any, step: str) -> None:
    """
    Refuse retry policies that the schema does not know.

    :raises ValidationException: and why.
    """
    wrong = f"Unable to parse pipeline definition. A retry policy of step '{step}'"
    if not isinstance(policies, list) or not all(isinstance(policy, dict) for policy in policies):
        raise ValidationException(f"{wrong} is no Json Object.")
    for policy in policies:
        types = policy.get("ExceptionType")
        if not isinstance(types, list) or not types or not all(each in _TYPES for each in types):
            raise ValidationException(f"{wrong} must have ExceptionType, a list of some of {', '.join(_TYPES)}.")
        for member, most in (
            ("MaxAttempts", _MOST_ATTEMPTS),
            ("ExpireAfterMin", _LONGEST_MIN),
            ("IntervalSeconds", None),
            ("BackoffRate", None),
        ):
            _check_number(policy.get(member), most, f"{wrong} has an invalid {member}")
        if "MaxAttempts" in policy and "ExpireAfterMin" in policy:
            raise ValidationException(f"{wrong} must have only one of MaxAttempts and ExpireAfterMin.")


def _check_number(value: Any, most: int | None, wrong: str) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or (most and value > most):
        raise ValidationException(f"{wrong}: {value}.")


def again(policies: list[Record], step: Record, failure: StepFailure, now: datetime) -> datetime | None:
    """
    When a step is tried again; ``None`` if it is not.

    :param step: its record; ``AttemptCount`` are the attempts so far.
    """
    chosen = [policy for policy in [*policies, *_DEFAULT] if failure.kind in policy["ExceptionType"]]
    if not chosen:
        return None
    policy, retries = chosen[0], step["AttemptCount"] - 1
    wait = policy.get("IntervalSeconds", _INTERVAL_S) * policy.get("BackoffRate", _BACKOFF) ** retries
    then = now + timedelta(seconds=wait)
    if "ExpireAfterMin" in policy:
        return then if then <= step["StartTime"] + timedelta(minutes=policy["ExpireAfterMin"]) else None
    return then if retries < policy.get("MaxAttempts", _ATTEMPTS) else None
