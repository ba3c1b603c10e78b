"""The Glue catalog: databases, tables, a table's columns and partitions. Crawlers, too."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from localaws.console import words
from localaws.console.pages.buckets import uri_link
from localaws.console.pages.shared import SIZE, after, next_page, page, texts, whole
from localaws.console.parts import Cell, Facts, Link, Page, Part, Section, Status, Table, Text, href
from localaws.core.context import Context

_TRAIL = Link("Databases", "/tables")


def routes() -> list[BaseRoute]:
    """Return the routes of this module."""
    return [
        page("/tables", _databases),
        page("/tables/{database}", _tables),
        page("/tables/{database}/{table}", _table),
    ]


def _databases(request: Request, ctx: Context) -> Page:
    def databases() -> list[Part]:
        found = ctx.client("glue").get_databases(MaxResults=SIZE, **after(request))
        rows = [
            (Link(each["Name"], href("tables", each["Name"])), each.get("Description"), each.get("CreateTime"))
            for each in found["DatabaseList"]
        ]
        more = next_page(request, "tables", token=found.get("NextToken"))
        return [Table(("Database", "Description", "Created"), rows, "There is no database.", more)]

    def crawlers() -> list[Part]:
        found = ctx.client("glue").get_crawlers(MaxResults=SIZE)
        rows = [_crawler(each) for each in found["Crawlers"]]
        return [Table(("Crawler", "State", "Database", "Last crawl", "At"), rows, "There is no crawler.")]

    return Page("Databases", [Section("", databases), Section("Crawlers", crawlers, live=True)], live=True)


def _crawler(crawler: dict[str, Any]) -> tuple[Cell, ...]:
    last = crawler.get("LastCrawl", {})
    state = Status(last["Status"]) if "Status" in last else None
    database = crawler.get("DatabaseName", "")
    link = Link(database, href("tables", database)) if database else None
    return crawler["Name"], Status(crawler["State"]), link, state, last.get("StartTime")


def _tables(request: Request, ctx: Context) -> Page:
    name = request.path_params["database"]
    ctx.client("glue").get_database(Name=name)

    def build() -> list[Part]:
        asked = after(request)
        found = ctx.client("glue").get_tables(DatabaseName=name, MaxResults=SIZE, **asked)
        rows = [
            (
                Link(each["Name"], href("tables", name, each["Name"])),
                each.get("Parameters", {}).get("classification") or each.get("TableType"),
                len(each.get("StorageDescriptor", {}).get("Columns", [])),
                uri_link(each.get("StorageDescriptor", {}).get("Location", "")),
            )
            for each in found["TableList"]
        ]
        more = next_page(request, "tables", name, token=found.get("NextToken"))
        return [Table(("Table", "Format", "Columns", "Place"), rows, "The database has no table.", more)]

    return Page(name, [Section("", build)], [_TRAIL])


def _table(request: Request, ctx: Context) -> Page:
    database, name = request.path_params["database"], request.path_params["table"]
    table = ctx.client("glue").get_table(DatabaseName=database, Name=name)["Table"]
    storage = table.get("StorageDescriptor", {})
    keys = table.get("PartitionKeys", [])

    def facts() -> list[Part]:
        rows: list[tuple[str, Cell]] = [
            ("Place", uri_link(storage.get("Location", ""))),
            ("Kind", table.get("TableType")),
            ("Format", table.get("Parameters", {}).get("classification")),
            ("Created", table.get("CreateTime")),
            ("Changed", table.get("UpdateTime")),
        ]
        view = table.get("ViewOriginalText")
        return [Facts(rows), *([Text(words.cut(view, 20_000), fold="View")] if view else [])]

    def columns() -> list[Part]:
        plain = [(each["Name"], each.get("Type"), each.get("Comment")) for each in storage.get("Columns", [])]
        parted = [(each["Name"], each.get("Type"), each.get("Comment") or "partition key") for each in keys]
        return [Table(("Column", "Type", "Comment"), [*plain, *parted], "The table has no column.")]

    def partitions() -> list[Part]:
        asked = after(request)
        found = ctx.client("glue").get_partitions(DatabaseName=database, TableName=name, MaxResults=SIZE, **asked)
        rows = [
            (texts(each["Values"]), uri_link(each.get("StorageDescriptor", {}).get("Location", "")))
            for each in found["Partitions"]
        ]
        more = next_page(request, "tables", database, name, token=found.get("NextToken"))
        return [Table((texts([key["Name"] for key in keys]), "Place"), rows, "No partition was added.", more)]

    sections = [Section("", facts), Section("Columns", columns)]
    sections += [Section("Partitions", partitions)] if keys else []
    sections.append(Section("Description", lambda: whole(table)))
    return Page(name, sections, [_TRAIL, Link(database, href("tables", database))])
