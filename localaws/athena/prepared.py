"""Prepared statements: kept by the API or by PREPARE, run by EXECUTE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localaws.athena.paging import invalid
from localaws.core.context import Context

if TYPE_CHECKING:
    from localaws.athena.ddl import nodes

KIND = "prepared-statement"


def put(ctx: Context, group: str, name: str, sql: str, description: str | None = None) -> bool:
    """Keep a statement; ``False`` where the name is taken."""
    record = {
        "StatementName": name,
        "QueryStatement": sql,
        "WorkGroupName": group,
        "Description": description,
        "LastModifiedTime": ctx.now(),
    }
    return ctx.store.insert(KIND, f"{group}/{name}", record)


def get(ctx: Context, group: str, name: str) -> dict[str, Any] | None:
    """Return a statement, or ``None`` if there is none."""
    return ctx.store.get(KIND, f"{group}/{name}")


def delete(ctx: Context, group: str, name: str) -> bool:
    """Remove a statement, and return True if it was there."""
    return ctx.store.delete(KIND, f"{group}/{name}")


def all_of(ctx: Context, group: str) -> list[dict[str, Any]]:
    """Return the statements of a work group, sorted by name."""
    found = [record for record in ctx.store.all(KIND) if record["WorkGroupName"] == group]
    return sorted(found, key=lambda record: str(record["StatementName"]))


def resolve(
    statement: nodes.Statement, given: list[str] | None, ctx: Context, group: str
) -> tuple[str, list[str] | None] | None:
    """
    Return the text and the parameters that an EXECUTE means; ``None`` for any other statement.

    :param given: ExecutionParameters, which an EXECUTE without USING takes.
    :raises InvalidRequestException: there is no such prepared statement, or there are parameters of both kinds.
    """
    from localaws.athena.ddl import nodes

    if not isinstance(statement, nodes.Execute):
        return None
    found = _named(ctx, group, statement.name)
    if found is None:
        raise invalid(f"PreparedStatement {statement.name} was not found in workGroup {group}", "INVALID_INPUT")
    if statement.parameters and given:
        raise invalid("ExecutionParameters cannot be used with the USING clause of EXECUTE.")
    return found["QueryStatement"], statement.parameters or given


def _named(ctx: Context, group: str, name: str) -> dict[str, Any] | None:
    """Return the statement that SQL, in which names have no case, means."""
    found = get(ctx, group, name)
    if found is not None:
        return found
    return next((each for each in all_of(ctx, group) if str(each["StatementName"]).lower() == name.lower()), None)


def change(statement: nodes.Statement, ctx: Context, group: str) -> bool:
    """
    Do PREPARE or DEALLOCATE PREPARE; whether it was one.

    :raises QueryError: nothing of that name to forget.
    """
    from localaws.athena.ddl import nodes
    from localaws.athena.errors import QueryError

    if isinstance(statement, nodes.Prepare):
        delete(ctx, group, statement.name)
        put(ctx, group, statement.name, statement.sql)
        return True
    if isinstance(statement, nodes.Deallocate):
        found = _named(ctx, group, statement.name)
        if found is None or not delete(ctx, group, found["StatementName"]):
            raise QueryError("NOT_FOUND", f"Prepared statement not found: {statement.name}", (1, 1))
        return True
    return False
