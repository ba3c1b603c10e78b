"""What people have answered: from A2I's documents in S3, one a loop, to one file."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from amazon_ml.exceptions import BadResult
from amazon_ml.hooks.s3 import split
from amazon_ml.parallel import mapped

if TYPE_CHECKING:
    from amazon_ml.hooks.human_loops import HumanLoops
    from amazon_ml.hooks.s3 import ObjectsHook
    from amazon_ml.human_loops import Loop

#: how a loop has ended, as it is counted: by its status, but for those that failed by their time limit.
_COUNTED = {"Completed": "completed", "Failed": "failed", "Stopped": "stopped"}
_EXPIRED = "Expired"
#: of a loop that somebody has deleted.
_DELETED = "Deleted"


def write_answers(calls: HumanLoops, s3: ObjectsHook, loops: Sequence[Loop], uri: str) -> dict[str, int]:
    """
    Write a line for each loop to S3, with the document that A2I has written for it, and count how the loops have ended.

    :returns: ``{"completed", "failed", "stopped", "expired", "open"}``.
    :raises BadResult: a loop has an answer that is not where it says, or is not JSON.
    """
    # Made here, and not by several threads at a time.
    _ = s3.conn
    counts = Counter({"completed": 0, "failed": 0, "stopped": 0, "expired": 0, "open": 0})
    bucket, key = split(uri)
    with tempfile.TemporaryFile() as file:
        for answer in mapped(lambda loop: _answer(calls, s3, loop), loops, calls.threads):
            counts[_counted(answer)] += 1
            file.write(json.dumps(answer).encode() + b"\n")
        file.seek(0)
        s3.put_object(bucket, key, file)
    return dict(counts)


def _counted(answer: Mapping[str, Any]) -> str:
    if answer["failure_code"] == _EXPIRED:
        return "expired"
    if answer["status"] == _DELETED:
        return "failed"
    return _COUNTED.get(answer["status"], "open")


def _answer(calls: HumanLoops, s3: ObjectsHook, loop: Loop) -> dict[str, Any]:
    found = calls.describe(loop.name) or {}
    status = found.get("HumanLoopStatus", _DELETED)
    uri = found.get("HumanLoopOutput", {}).get("OutputS3Uri")
    output = _read(s3, uri) if uri else None
    if output is None and status == "Completed":
        raise BadResult(f"Human loop {loop.name} is completed, and its answer is not where A2I says: {uri}")
    return {
        "id": loop.id,
        "loop": loop.name,
        "status": status,
        "output": output,
        "output_uri": uri,
        "failure_code": found.get("FailureCode"),
        "failure_reason": found.get("FailureReason"),
    }


def _read(s3: ObjectsHook, uri: str) -> Any:
    """Read the document; None where there is none yet: A2I says where it will be before it has written it."""
    content = s3.read(uri)
    if content is None:
        return None
    try:
        return json.loads(content)
    except ValueError as error:
        raise BadResult(f"The answer of people at {uri} is not JSON: {error}") from error
