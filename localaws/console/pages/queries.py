"""Athena: query executions, their SQL and state, and the rows of a result."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from localaws.console import words
from localaws.console.pages.buckets import uri_link
from localaws.console.pages.shared import SIZE, after, given, next_page, page, texts, told, whole
from localaws.console.parts import (
    Cell,
    Link,
    Links,
    Note,
    Page,
    Part,
    Section,
    Status,
    Table,
    Text,
    href,
    is_busy,
)
from localaws.core.context import Context

_TRAIL = Link("Queries", "/queries")
#: rows of a result on a page.
_ROWS = 100


def routes() -> list[BaseRoute]:
    """Return the routes of this module."""
    return [page("/queries", _list), page("/queries/{id}", _query)]


def _list(request: Request, ctx: Context) -> Page:
    group = request.query_params.get("group") or "primary"

    def groups() -> list[Part]:
        names = sorted(each["Name"] for each in ctx.client("athena").list_work_groups(MaxResults=50)["WorkGroups"])
        return [Links([Link(name, href("queries", group=name)) for name in names], group)]

    def build() -> list[Part]:
        asked = after(request)
        athena = ctx.client("athena")
        found = athena.list_query_executions(WorkGroup=group, MaxResults=SIZE, **asked)
        more = next_page(request, "queries", token=found.get("NextToken"))
        return [Table(("Query", "State", "Submitted", "Took", "Scanned"), _rows(athena, found), "No query ran.", more)]

    return Page("Queries", [Section("", groups), Section("", build, live=True)], live=True)


def _rows(athena: Any, found: dict[str, Any]) -> list[tuple[Cell, ...]]:
    if not found["QueryExecutionIds"]:
        return []
    details = athena.batch_get_query_execution(QueryExecutionIds=found["QueryExecutionIds"])["QueryExecutions"]
    by_id = {each["QueryExecutionId"]: each for each in details}
    return [_row(by_id[one]) for one in found["QueryExecutionIds"] if one in by_id]


def _row(query: dict[str, Any]) -> tuple[Cell, ...]:
    statistics = query.get("Statistics", {})
    return (
        Link(words.cut(" ".join(query["Query"].split()), 120), href("queries", query["QueryExecutionId"])),
        Status(query["Status"]["State"]),
        query["Status"].get("SubmissionDateTime"),
        _milliseconds(statistics.get("TotalExecutionTimeInMillis")),
        words.size(statistics.get("DataScannedInBytes", 0)),
    )


def _milliseconds(number: int | None) -> str | None:
    return None if number is None else f"{number:,} ms"


def _query(request: Request, ctx: Context) -> Page:
    name = request.path_params["id"]
    query = ctx.client("athena").get_query_execution(QueryExecutionId=name)["QueryExecution"]
    state = query["Status"]["State"]

    def facts() -> list[Part]:
        statistics, status = query.get("Statistics", {}), query["Status"]
        rows: list[tuple[str, Cell]] = [
            ("Submitted", status.get("SubmissionDateTime")),
            ("Ended", status.get("CompletionDateTime")),
            ("Took", _milliseconds(statistics.get("TotalExecutionTimeInMillis"))),
            ("Scanned", words.size(statistics.get("DataScannedInBytes", 0))),
            ("Work group", query.get("WorkGroup")),
            ("Database", query.get("QueryExecutionContext", {}).get("Database")),
            ("Parameters", texts(query.get("ExecutionParameters"))),
            ("Result", uri_link(query.get("ResultConfiguration", {}).get("OutputLocation", ""))),
        ]
        return told(rows, status.get("StateChangeReason"), bad=state == "FAILED")

    sections = [
        Section("", facts, live=True),
        Section("SQL", lambda: [Text(words.cut(query["Query"], 100_000))]),
        Section("Result", lambda: _result(request, ctx, name, state), live=True),
        Section("Description", lambda: whole(query)),
    ]
    return Page(name, sections, [_TRAIL], Status(state), is_busy(state))


def _result(request: Request, ctx: Context, name: str, state: str) -> list[Part]:
    if state != "SUCCEEDED":
        return [Note("There is no result." if state in ("FAILED", "CANCELLED") else "It is there when the query ends.")]
    token = request.query_params.get("next")
    found = ctx.client("athena").get_query_results(QueryExecutionId=name, MaxResults=_ROWS, **given(NextToken=token))
    columns = [each["Name"] for each in found["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]]
    rows = [[each.get("VarCharValue") for each in row["Data"]] for row in found["ResultSet"]["Rows"]]
    # The first row of a query's first page has the names of its columns.
    if not token and rows and rows[0] == columns:
        rows = rows[1:]
    more = next_page(request, "queries", name, token=found.get("NextToken"))
    return [Table(columns, rows, "The result has no row.", more)]
