"""Queries that Athena keeps by name: named queries, and prepared statements of a work group."""

from __future__ import annotations

from typing import Any

from localaws.athena import execution as lifecycle
from localaws.athena import prepared
from localaws.athena.paging import invalid, page
from localaws.athena.work_groups import get as get_group
from localaws.core.context import Context
from localaws.core.errors import AwsError
from localaws.core.operations import Service

saved_query = Service("athena", resource="saved-query")
saved_query.only_kept(
    "a text alone, as on AWS",
    "BatchGetNamedQuery",
    "CreateNamedQuery",
    "DeleteNamedQuery",
    "GetNamedQuery",
    "ListNamedQueries",
    "UpdateNamedQuery",
)

NAMED = "named-query"


class ResourceNotFoundException(AwsError):
    """Athena: no such prepared statement."""

    code = "ResourceNotFoundException"
    status = 400


@saved_query.operation
def create_named_query(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Keep a query; the same token gives the same id."""
    group = get_group(ctx, request.get("WorkGroup", "primary"))["Name"]
    token = request.get("ClientRequestToken")
    for record in ctx.store.all(NAMED):
        if token and record.get("_token") == token:
            return {"NamedQueryId": record["NamedQueryId"]}
    identifier = lifecycle.new_id()
    members = ("Name", "Description", "Database", "QueryString")
    kept: dict[str, Any] = {key: request[key] for key in members if key in request}
    ctx.store.insert(NAMED, identifier, {**kept, "NamedQueryId": identifier, "WorkGroup": group, "_token": token})
    return {"NamedQueryId": identifier}


def _named(identifier: str, ctx: Context) -> dict[str, Any]:
    record = ctx.store.get(NAMED, identifier)
    if record is None:
        raise invalid(f"NamedQuery {identifier} was not found")
    return record


@saved_query.operation
def get_named_query(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return one named query."""
    return {"NamedQuery": _named(request["NamedQueryId"], ctx)}


@saved_query.operation
def batch_get_named_query(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return several; those that are not there are named."""
    records = {identifier: ctx.store.get(NAMED, identifier) for identifier in request["NamedQueryIds"]}
    missing = [
        {"NamedQueryId": key, "ErrorCode": "INVALID_INPUT", "ErrorMessage": f"NamedQuery {key} was not found"}
        for key, record in records.items()
        if record is None
    ]
    return {"NamedQueries": [r for r in records.values() if r is not None], "UnprocessedNamedQueryIds": missing}


@saved_query.operation
def list_named_queries(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List the ids of a work group's named queries."""
    group = get_group(ctx, request.get("WorkGroup", "primary"))["Name"]
    listed, more = page([r["NamedQueryId"] for r in ctx.store.all(NAMED) if r["WorkGroup"] == group], request)
    return {"NamedQueryIds": listed, **more}


@saved_query.operation
def update_named_query(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Change a named query."""
    _named(request["NamedQueryId"], ctx)
    members = ("Name", "Description", "QueryString")
    changes: dict[str, Any] = {key: request[key] for key in members if key in request}
    ctx.store.update(NAMED, request["NamedQueryId"], lambda record: record.update(changes))
    return {}


@saved_query.operation
def delete_named_query(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Remove a named query."""
    _named(request["NamedQueryId"], ctx)
    ctx.store.delete(NAMED, request["NamedQueryId"])
    return {}


@saved_query.operation
def create_prepared_statement(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Keep a statement under a name in a work group."""
    group, name = get_group(ctx, request["WorkGroup"])["Name"], request["StatementName"]
    if not prepared.put(ctx, group, name, request["QueryStatement"], request.get("Description")):
        raise invalid(f"Prepared Statement {name} already exists in WorkGroup {group}")
    return {}


def _statement(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    group, name = get_group(ctx, request["WorkGroup"])["Name"], request["StatementName"]
    found = prepared.get(ctx, group, name)
    if found is None:
        raise ResourceNotFoundException(
            f"Prepared Statement {name} was not found in WorkGroup {group}", ResourceName=name
        )
    return found


@saved_query.operation
def get_prepared_statement(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return one prepared statement."""
    return {"PreparedStatement": _statement(request, ctx)}


@saved_query.operation
def batch_get_prepared_statement(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return several; those that are not there are named."""
    group = get_group(ctx, request["WorkGroup"])["Name"]
    found = {name: prepared.get(ctx, group, name) for name in request["PreparedStatementNames"]}
    missing = [
        {
            "StatementName": name,
            "ErrorCode": "STATEMENT_NOT_FOUND",
            "ErrorMessage": f"Prepared Statement {name} was not found",
        }
        for name, record in found.items()
        if record is None
    ]
    kept = [record for record in found.values() if record is not None]
    return {"PreparedStatements": kept, "UnprocessedPreparedStatementNames": missing}


@saved_query.operation
def list_prepared_statements(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List the prepared statements of a work group, sorted by name."""
    listed, more = page(prepared.all_of(ctx, get_group(ctx, request["WorkGroup"])["Name"]), request)
    summaries = [{key: record[key] for key in ("StatementName", "LastModifiedTime")} for record in listed]
    return {"PreparedStatements": summaries, **more}


@saved_query.operation
def update_prepared_statement(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Put another statement in its place."""
    known = _statement(request, ctx)
    prepared.delete(ctx, known["WorkGroupName"], known["StatementName"])
    description = request.get("Description", known.get("Description"))
    prepared.put(ctx, known["WorkGroupName"], known["StatementName"], request["QueryStatement"], description)
    return {}


@saved_query.operation
def delete_prepared_statement(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Remove a prepared statement."""
    known = _statement(request, ctx)
    prepared.delete(ctx, known["WorkGroupName"], known["StatementName"])
    return {}
