"""
State changes of human loops, as EventBridge has them, one JSON a line.

Neither EventBridge nor SQS is here: the lines are appended to ``human_review/events.jsonl`` in localaws' home. As on
AWS, each is delivered at least once; one that comes twice has the same ``id``.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from localaws.core import json_lines
from localaws.core.context import Context
from localaws.sagemaker.human_review import flows, loops, tables

#: Makes ids of loops' ids, so that a repeated event has the id of the first.
_NAMESPACE = uuid.UUID("3b0a6c55-6d6e-4c62-9d0c-7b7f2f0f4d11")


def path(ctx: Context) -> Path:
    """Return where events are appended."""
    return ctx.home / "human_review" / "events.jsonl"


def tell(ctx: Context, ended: Iterable[tuple[loops.Loop, int]]) -> None:
    """Append the events of loops that have ended, each with the time when it did; on disk when this returns."""
    json_lines.append(path(ctx), (_event(ctx, loop, at) for loop, at in ended))


def _event(ctx: Context, loop: loops.Loop, at: int) -> dict[str, Any]:
    arn = ctx.arn("sagemaker", f"human-loop/{loop.name}")
    detail = {
        "creationTime": f"{loop.created:%Y-%m-%dT%H:%M:%S}.{loop.created.microsecond // 1000:03d}Z",
        "failureCode": loop.failure_code,
        "failureReason": loop.failure_reason,
        "flowDefinitionArn": flows.arn(ctx, loop.flow),
        "humanLoopArn": arn,
        "humanLoopName": loop.name,
        "humanLoopOutput": {"outputS3Uri": loop.output} if loop.written else None,
        "humanLoopStatus": loop.status,
    }
    return {
        "version": "0",
        "id": str(uuid.uuid5(_NAMESPACE, f"{arn} {tables.micros(loop.created)}")),
        "detail-type": "SageMaker A2I HumanLoop Status Change",
        "source": "aws.sagemaker",
        "account": ctx.account_id,
        "time": f"{tables.moment(at):%Y-%m-%dT%H:%M:%SZ}",
        "region": ctx.region,
        "resources": [arn],
        "detail": {key: value for key, value in detail.items() if value is not None},
    }
