"""The output of a human loop, as AWS writes it to S3."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from localaws.core.context import Context
from localaws.sagemaker.human_review import flows, loops, tables


def document(connection: sqlite3.Connection, loop: loops.Loop, ctx: Context) -> str | None:
    """Return a loop's output, JSON; ``None`` where nobody has answered."""
    rows = connection.execute(
        "SELECT answer, taken, submitted, worker, provider, issuer, sub FROM seat WHERE loop = ?"
        " AND status = 'answered' ORDER BY submitted, id",
        (loop.id,),
    ).fetchall()
    if not rows:
        return None
    given = loops.content(connection, loop.id)
    content = {
        "flowDefinitionArn": flows.arn(ctx, loop.flow),
        "humanAnswers": [_answer(*row) for row in rows],
        "humanLoopName": loop.name,
        "inputContent": None if given is None else json.loads(given),
    }
    return json.dumps(content, ensure_ascii=False)


def _answer(
    answer: str, taken: int, submitted: int, worker: str, provider: str, issuer: str, sub: str
) -> dict[str, Any]:
    return {
        "acceptanceTime": time(taken),
        "answerContent": json.loads(answer),
        "submissionTime": time(submitted),
        "timeSpentInSeconds": round((submitted - taken) / 1_000_000, 3),
        "workerId": worker,
        "workerMetadata": {
            "identityData": {"identityProviderType": provider, "issuer": issuer, "sub": sub},
        },
    }


def time(value: int) -> str:
    """Return a time of the tables as A2I's documents have it."""
    return f"{tables.moment(value):%Y-%m-%dT%H:%M:%S}.{value // 1000 % 1000:03d}Z"
