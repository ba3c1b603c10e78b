"""Athena query executions: started, watched, stopped, read. The work itself is in localaws.athena."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from localaws.athena import execution as lifecycle
from localaws.athena import reuse
from localaws.athena.execution import KIND, TOKEN_KIND
from localaws.athena.paging import invalid, page
from localaws.athena.work_groups import get as get_group
from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws
from localaws.core.operations import Service

query = Service("athena", resource="query-execution")

_NO_LOCATION = (
    "No output location provided. You did not provide an output location for  your query results. Either specify an"
    " S3 bucket location or enable Athena managed query results in your workgroup settings."
)
_ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}


@query.on_start
def recover(ctx: Context) -> None:
    """Take up what the last stop interrupted."""
    lifecycle.queries(ctx).recover()


@query.on_stop
def shut_down(ctx: Context) -> None:
    """Interrupt what runs."""
    lifecycle.queries(ctx).shut_down()


@query.operation
def start_query_execution(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Check the query's syntax and where its results go, and queue it; the same token means the same execution."""
    token = request.get("ClientRequestToken")
    if not token:
        raise invalid("clientRequestToken is null or empty")
    fingerprint = _fingerprint(request)
    known = ctx.store.get(TOKEN_KIND, token)
    if known is not None:
        return _repeated(known, fingerprint)
    record = _record(request, ctx)
    identifier = record["QueryExecutionId"]
    with ctx.store.transaction():
        # Of two requests with one token at the same moment, one starts the query and the other is told its id.
        if not ctx.store.insert(TOKEN_KIND, token, {"QueryExecutionId": identifier, "Fingerprint": fingerprint}):
            return _repeated(ctx.store.get(TOKEN_KIND, token) or {}, fingerprint)
        ctx.store.insert(KIND, identifier, record)
    lifecycle.queries(ctx).submit(identifier)
    return {"QueryExecutionId": identifier}


def _fingerprint(request: dict[str, Any]) -> str:
    context = request.get("QueryExecutionContext") or {}
    location = (request.get("ResultConfiguration") or {}).get("OutputLocation")
    parts = [request["QueryString"], context.get("Catalog"), context.get("Database"), location]
    return json.dumps([*parts, request.get("WorkGroup"), request.get("ExecutionParameters")])


def _repeated(known: dict[str, Any], fingerprint: str) -> dict[str, Any]:
    if known["Fingerprint"] != fingerprint:
        raise invalid("Idempotent parameters do not match", "IDEMPOTENT_PARAMETER_MISMATCH")
    return {"QueryExecutionId": known["QueryExecutionId"]}


def _record(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    from localaws.athena import prepared, results, start

    group = get_group(ctx, request.get("WorkGroup", "primary"))
    if group["State"] != "ENABLED":
        raise invalid(f"WorkGroup {group['Name']} is disabled.")
    output = _output_location(request, group["Configuration"], ctx)
    statement = start.check(request["QueryString"])
    text, parameters = request["QueryString"], request.get("ExecutionParameters")
    executed = prepared.resolve(statement, parameters, ctx, group["Name"])
    if executed is not None:
        (text, parameters), kind = executed, start.check(executed[0])
    else:
        kind = statement
    identifier = lifecycle.new_id()
    context = dict(request.get("QueryExecutionContext") or {})
    if "Catalog" in context:
        context["Catalog"] = context["Catalog"].lower()
    return {
        "QueryExecutionId": identifier,
        "Query": request["QueryString"],
        "StatementType": kind.type,
        "SubstatementType": kind.substatement,
        "ResultConfiguration": {
            **(request.get("ResultConfiguration") or {}),
            "OutputLocation": results.location(output, identifier, kind.substatement),
        },
        "ResultReuseConfiguration": reuse.configuration(request),
        "QueryExecutionContext": context,
        "Status": {"State": "QUEUED", "SubmissionDateTime": ctx.now()},
        "Statistics": {"ResultReuseInformation": {"ReusedPreviousResult": False}},
        "WorkGroup": group["Name"],
        "EngineVersion": dict(_ENGINE),
        **({"ExecutionParameters": parameters} if parameters else {}),
        "_output": output,
        "_statement": text,
        "_limit": group["Configuration"].get("BytesScannedCutoffPerQuery"),
    }


def _output_location(request: dict[str, Any], settings: dict[str, Any], ctx: Context) -> str:
    """Return the client's output location, or the work group's if it enforces its settings or the client gives none."""
    asked = request.get("ResultConfiguration") or {}
    group = settings.get("ResultConfiguration") or {}
    encryption = (asked.get("EncryptionConfiguration") or {}).get("EncryptionOption", "SSE_S3")
    if encryption != "SSE_S3":
        raise NotImplementedByLocalAws(f"StartQueryExecution: results encrypted with {encryption}")
    chosen = group.get("OutputLocation") if settings.get("EnforceWorkGroupConfiguration") else None
    location: str | None = chosen or asked.get("OutputLocation") or group.get("OutputLocation")
    if not location:
        raise invalid(_NO_LOCATION)
    bucket = location.removeprefix("s3://").partition("/")[0]
    if not location.startswith("s3://") or not bucket:
        raise invalid("outputLocation is not a valid S3 path.")
    try:
        ctx.client("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        raise invalid(f"Unable to verify/create output bucket {bucket}") from error
    return location


@query.operation
def get_query_execution(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return one execution."""
    return {"QueryExecution": _get(request["QueryExecutionId"], ctx)}


def _get(identifier: str, ctx: Context) -> dict[str, Any]:
    record = ctx.store.get(KIND, identifier)
    if record is None:
        raise invalid(f"QueryExecution {identifier} was not found", "QUERY_EXECUTION_NOT_FOUND")
    return record


@query.operation
def batch_get_query_execution(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return several executions; those that are not there are named."""
    found, missing = [], []
    for identifier in request["QueryExecutionIds"]:
        record = ctx.store.get(KIND, identifier)
        if record is not None:
            found.append(record)
        else:
            message = f"QueryExecution {identifier} was not found"
            code = "INVALID_INPUT"
            missing.append({"QueryExecutionId": identifier, "ErrorCode": code, "ErrorMessage": message})
    return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}


@query.operation
def list_query_executions(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List the ids of a work group's executions, newest first."""
    group = get_group(ctx, request.get("WorkGroup", "primary"))["Name"]
    records = [record for record in reversed(ctx.store.all(KIND)) if record["WorkGroup"] == group]
    listed, more = page(records, request)
    return {"QueryExecutionIds": [record["QueryExecutionId"] for record in listed], **more}


@query.operation
def stop_query_execution(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Cancel; an execution that has ended stays as it is, and that is no error."""
    record = _get(request["QueryExecutionId"], ctx)
    if record["Status"]["State"] not in lifecycle.FINAL:
        lifecycle.queries(ctx).stop(record["QueryExecutionId"])
    return {}


@query.operation
def get_query_results(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return a page of rows; a query's first row is its column names."""
    from localaws.athena import results

    record = _get(request["QueryExecutionId"], ctx)
    state = record["Status"]["State"]
    if state == "CANCELLED":
        raise invalid("Could not find results", "RESULT_NOT_FOUND")
    if state == "FAILED":
        message = "Query did not finish successfully. Final query state: FAILED"
        raise invalid(message, "INVALID_QUERY_EXECUTION_STATE")
    if state != "SUCCEEDED":
        message = f"Query has not yet finished. Current state: {state}"
        raise invalid(message, "INVALID_QUERY_EXECUTION_STATE")
    token = request.get("NextToken")
    try:
        offset = results.offset_of(token) if token else 0
    except ValueError as error:
        raise invalid(f"Malformed nextPageToken {token}") from error
    rows, following = _rows(record, offset, request.get("MaxResults") or 1000, ctx)
    data = [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in rows]
    return {
        "UpdateCount": record.get("_update_count"),
        "ResultSet": {"Rows": data, "ResultSetMetadata": {"ColumnInfo": record.get("_columns", [])}},
        "NextToken": results.token(following) if following is not None else None,
    }


def _rows(record: dict[str, Any], offset: int, count: int, ctx: Context) -> tuple[list[list[str | None]], int | None]:
    from localaws.athena import results

    uri = record["ResultConfiguration"]["OutputLocation"]
    s3 = ctx.client("s3")
    try:
        if record.get("_rows") == "csv":
            return results.csv_page(s3, uri, offset, count)
        if record.get("_rows") != "text":
            return [], None
        bucket, key = results.split(uri)
        lines = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode().split("\n")
    except ClientError as error:
        raise invalid("Could not find results", "RESULT_NOT_FOUND") from error
    following = offset + count if offset + count < len(lines) else None
    return [[line] for line in lines[offset : offset + count]], following


@query.operation
def get_query_runtime_statistics(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return times and sizes of a query that has succeeded. There are no stages to describe."""
    record = _get(request["QueryExecutionId"], ctx)
    statistics = record["Statistics"]
    timeline = {key: value for key, value in statistics.items() if key.endswith("InMillis")}
    rows, size = record.get("_written", [0, 0])
    sizes = {"InputBytes": statistics.get("DataScannedInBytes", 0), "OutputRows": rows, "OutputBytes": size}
    return {"QueryRuntimeStatistics": {"Timeline": timeline, "Rows": sizes}}
