"""Result reuse: a query that was run before, in the same surroundings and not too long ago, is not run again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from localaws.athena import results
from localaws.core.context import Context

#: MaxAgeInMinutes where the request does not say.
_DEFAULT_AGE = 60
#: what must be the same for a result to be that of another execution.
_SAME = ("Query", "_statement", "ExecutionParameters", "WorkGroup", "_output", "SubstatementType")
#: what the execution that reuses a result takes over.
_TAKEN = ("_columns", "_update_count", "_rows", "_written")


def configuration(request: dict[str, Any]) -> dict[str, Any]:
    """Return ResultReuseConfiguration as an execution shows it."""
    given = (request.get("ResultReuseConfiguration") or {}).get("ResultReuseByAgeConfiguration") or {}
    if not given.get("Enabled"):
        return {"ResultReuseByAgeConfiguration": {"Enabled": False}}
    age = given.get("MaxAgeInMinutes", _DEFAULT_AGE)
    return {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": age}}


def find(record: dict[str, Any], kind: str, ctx: Context) -> dict[str, Any] | None:
    """
    Return the changes that make ``record`` one with the latest result that it may reuse; ``None``: it must be run.

    Only queries (SELECT, and EXECUTE of one) reuse results, and only of executions that ran themselves. As on Athena,
    tables may have changed since; a result file that is no longer in S3 is no result.
    """
    settings = record["ResultReuseConfiguration"]["ResultReuseByAgeConfiguration"]
    if not settings["Enabled"] or record["SubstatementType"] != "SELECT":
        return None
    oldest = ctx.now() - timedelta(minutes=settings["MaxAgeInMinutes"])
    for known in reversed(ctx.store.all(kind)):
        if _same(known, record) and known["Status"]["CompletionDateTime"] >= oldest and _exists(known, ctx):
            location = {"OutputLocation": known["ResultConfiguration"]["OutputLocation"]}
            return {
                **{key: known[key] for key in _TAKEN if key in known},
                "ResultConfiguration": {**record["ResultConfiguration"], **location},
            }
    return None


def _same(known: dict[str, Any], record: dict[str, Any]) -> bool:
    return (
        known["Status"]["State"] == "SUCCEEDED"
        and not known["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"]
        and all(known.get(key) == record.get(key) for key in _SAME)
        and _context(known) == _context(record)
    )


def _context(record: dict[str, Any]) -> tuple[str, str]:
    context = record["QueryExecutionContext"]
    return (context.get("Catalog") or "awsdatacatalog").lower(), (context.get("Database") or "default").lower()


def _exists(known: dict[str, Any], ctx: Context) -> bool:
    bucket, key = results.split(known["ResultConfiguration"]["OutputLocation"])
    try:
        ctx.client("s3").head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NoSuchBucket"):
            return False
        raise
    return True
