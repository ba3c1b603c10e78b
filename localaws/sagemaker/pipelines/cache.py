"""Results of former executions that a step with a CacheConfig takes over."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from typing import Any

from localaws.core.context import Context
from localaws.sagemaker.pipelines.execution import STEPS
from localaws.sagemaker.pipelines.work import Kind, Work

Record = dict[str, Any]

KIND = "pipeline-cache"

# ISO 8601; AWS's examples have it in lower case too, and without the P.
_PERIOD = re.compile(
    r"P?(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?",
    re.IGNORECASE,
)
_DAYS = {"years": 365, "months": 30}


def period(text: Any) -> timedelta | None:
    """Parse a duration such as ``PT1H`` or ``30d``; ``None`` if it is not one. A year has 365 days, a month 30."""
    match = _PERIOD.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(match.groupdict().values()):
        return None
    given = {unit: int(number) for unit, number in match.groupdict().items() if number}
    long = sum(given.pop(unit, 0) * days for unit, days in _DAYS.items())
    return timedelta(days=long) + timedelta(**given)


def key(kind: Kind, work: Work) -> str | None:
    """Return a key that is equal for calls that can stand for each other, or ``None`` if the kind is not cached."""
    if not kind.cached:
        return None
    text = json.dumps(
        [kind.type, *(_said({**work.body, **work.arguments}, name) for name in kind.cached)], sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _said(value: Any, name: str) -> Any:
    """Return what a call has under a name such as ``TrainingJobDefinition.InputDataConfig``."""
    for part in name.split("."):
        value = (value or {}).get(part)
    return value


def keep(pipeline: str, step: Record, ctx: Context) -> None:
    """
    Remember the result of a step that has succeeded.

    :param pipeline: its ARN: another pipeline's results are not taken.
    """
    if cached := step.get("_CacheKey"):
        ctx.store.put(KIND, f"{pipeline}/{step['StepName']}/{cached}", {"Step": step["_Id"], "Time": step["EndTime"]})


def find(pipeline: str, work: Work, cached: str | None, ctx: Context) -> Record | None:
    """Return the record of the latest step whose result this one takes over, or ``None`` if none is new enough."""
    config = work.step.body.get("CacheConfig") or {}
    if not config.get("Enabled") or cached is None:
        return None
    entry = ctx.store.get(KIND, f"{pipeline}/{work.step.name}/{cached}")
    if entry is None:
        return None
    expires = period(config.get("ExpireAfter"))
    if expires is not None and entry["Time"] + expires < ctx.now():
        return None
    return ctx.store.get(STEPS, entry["Step"])
