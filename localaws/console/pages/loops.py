"""Augmented AI: flows, their human loops, and what a loop asks and was answered."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from localaws.console import words
from localaws.console.pages.buckets import uri_link
from localaws.console.pages.shared import SIZE, after, next_page, page, told, whole
from localaws.console.parts import Cell, Facts, Link, Note, Page, Part, Section, Status, Table, Text, href, is_busy
from localaws.core.context import Context
from localaws.core.page_address import AddressError
from localaws.core.portal_address import address

_TRAIL = Link("Human loops", "/loops")
#: characters of an output.
_MOST = 60_000


def routes() -> list[BaseRoute]:
    """Return the routes of this module."""
    return [
        page("/loops", _list),
        page("/loops/{name}", _loop),
        page("/flows/{name}", _flow),
        page("/task-templates/{name}", _template),
    ]


def _list(request: Request, ctx: Context) -> Page:
    def flows() -> list[Part]:
        asked = after(request)
        found = ctx.client("sagemaker").list_flow_definitions(MaxResults=SIZE, SortOrder="Descending", **asked)
        rows = [
            (
                Link(each["FlowDefinitionName"], href("flows", each["FlowDefinitionName"])),
                Status(each["FlowDefinitionStatus"]),
                each["CreationTime"],
            )
            for each in found["FlowDefinitionSummaries"]
        ]
        more = next_page(request, "loops", token=found.get("NextToken"))
        return [Table(("Flow", "Status", "Created"), rows, "No flow definition was created yet.", more)]

    return Page("Human loops", [Section("", lambda: [Note(_portal(ctx))]), Section("Flows", flows)])


def _portal(ctx: Context) -> str:
    try:
        return f"People answer in the worker portal, {address(ctx)}."
    except AddressError as error:
        return str(error)


def _flow(request: Request, ctx: Context) -> Page:
    name = request.path_params["name"]
    flow = ctx.client("sagemaker").describe_flow_definition(FlowDefinitionName=name)
    config = flow.get("HumanLoopConfig", {})

    def facts() -> list[Part]:
        rows: list[tuple[str, Cell]] = [
            ("Created", flow["CreationTime"]),
            ("Title", config.get("TaskTitle")),
            ("People for each task", config.get("TaskCount")),
            ("Output", uri_link(flow.get("OutputConfig", {}).get("S3OutputPath", ""))),
        ]
        return [Facts(rows)]

    def loops() -> list[Part]:
        asked = after(request)
        found = ctx.client("sagemaker-a2i-runtime").list_human_loops(
            FlowDefinitionArn=flow["FlowDefinitionArn"], MaxResults=SIZE, SortOrder="Descending", **asked
        )
        rows = [
            (
                Link(each["HumanLoopName"], href("loops", each["HumanLoopName"])),
                Status(each["HumanLoopStatus"]),
                each["CreationTime"],
                each.get("FailureReason"),
            )
            for each in found["HumanLoopSummaries"]
        ]
        more = next_page(request, "flows", name, token=found.get("NextToken"))
        return [Table(("Loop", "Status", "Created", "Failure"), rows, "No loop was started yet.", more)]

    sections = [
        Section("", facts),
        Section("Loops", loops, live=True),
        Section("Description", lambda: whole(flow)),
    ]
    return Page(name, sections, [_TRAIL], Status(flow["FlowDefinitionStatus"]), live=True)


def _template(request: Request, ctx: Context) -> Page:
    name = request.path_params["name"]
    template = ctx.client("sagemaker").describe_human_task_ui(HumanTaskUiName=name)
    return Page(name, [Section("Description", lambda: whole(template))], [_TRAIL])


def _loop(request: Request, ctx: Context) -> Page:
    name = request.path_params["name"]
    loop = ctx.client("sagemaker-a2i-runtime").describe_human_loop(HumanLoopName=name)
    status = Status(loop["HumanLoopStatus"])
    flow = loop["FlowDefinitionArn"].rpartition("/")[2]

    def facts() -> list[Part]:
        output = loop.get("HumanLoopOutput", {}).get("OutputS3Uri", "")
        rows: list[tuple[str, Cell]] = [("Created", loop["CreationTime"]), ("Output", uri_link(output))]
        return told(rows, loop.get("FailureReason"))

    sections = [
        Section("", facts, live=True),
        Section("Output", lambda: _output(ctx, loop), live=True),
        Section("Description", lambda: whole(loop)),
    ]
    return Page(name, sections, [_TRAIL, Link(flow, href("flows", flow))], status, is_busy(status.text))


def _output(ctx: Context, loop: dict[str, Any]) -> list[Part]:
    uri = loop.get("HumanLoopOutput", {}).get("OutputS3Uri", "")
    # Its place is known from the start.
    if not uri or loop["HumanLoopStatus"] != "Completed":
        return [Note("It is there when people have answered.")]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    found = ctx.client("s3").get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{_MOST}")
    with found["Body"] as body:
        text = body.read(_MOST + 1).decode("utf-8", "replace")
    return [Text(words.cut(text, _MOST))]
