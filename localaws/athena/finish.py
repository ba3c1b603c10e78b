"""The end of an execution: its files in S3, then what of them the record must know."""

from __future__ import annotations

import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localaws.athena import results
from localaws.athena.errors import SYSTEM, QueryError
from localaws.athena.job import Outcome

_LOGGER = logging.getLogger(__name__)


def write(record: dict[str, Any], outcome: Outcome, s3: Any) -> dict[str, Any]:
    """
    Upload result, manifest and metadata, the result first; the record's changes.

    :raises QueryError: the result could not be written.
    """
    uri = record["ResultConfiguration"]["OutputLocation"]
    changes: dict[str, Any] = {"_columns": [column.describe() for column in outcome.columns or ()]}
    changes["_update_count"] = outcome.update_count
    changes["_rows"] = "csv" if outcome.file is not None else "text" if outcome.lines else "none"
    changes["_written"] = [outcome.written.rows, outcome.written.bytes]
    try:
        if outcome.file is not None:
            results.upload(s3, outcome.file, uri)
        elif outcome.manifest is not None:
            if outcome.manifest or outcome.update_type != "INSERT":
                changes["_manifest"] = f"{uri}-manifest.csv"
                _put(s3, changes["_manifest"], "\n".join(outcome.manifest).encode())
        else:
            _put(s3, uri, "\n".join(outcome.lines or []).encode())
        if outcome.columns:
            body = results.metadata(
                record["QueryExecutionId"], outcome.columns, outcome.update_type, outcome.update_count
            )
            _put(s3, f"{uri}.metadata", body)
    except (ClientError, BotoCoreError) as error:
        message = f"Failed to write query results to Amazon S3: {error}"
        raise QueryError("RESULT_WRITE_ERROR", message, category=SYSTEM, error_type=401, retryable=True) from error
    return changes


def write_failure(record: dict[str, Any], error: QueryError, s3: Any) -> None:
    """As on Athena, a failed statement whose result is a text file leaves the reason in it."""
    uri = record["ResultConfiguration"]["OutputLocation"]
    if not uri.endswith(".txt") or record["StatementType"] == "DML":
        return
    reason = error.reason if error.reason.startswith("FAILED: ") else f"FAILED: {error.reason}"
    try:
        _put(s3, uri, reason.encode())
    except (ClientError, BotoCoreError) as failure:
        # The query has failed for a reason of its own, and that is what its status says.
        _LOGGER.warning("the reason of %s was not written: %s", record["QueryExecutionId"], failure)


def _put(s3: Any, uri: str, body: bytes) -> None:
    bucket, key = results.split(uri)
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=results.OCTETS)
