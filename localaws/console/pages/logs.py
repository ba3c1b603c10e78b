"""CloudWatch Logs: groups, streams, and a stream that grows in the page."""

from __future__ import annotations

from datetime import UTC, datetime

from botocore.exceptions import ClientError, ParamValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from localaws.console import words
from localaws.console.pages.shared import SIZE, after, given, next_page, page
from localaws.console.parts import Link, Links, Log, Note, Page, Part, Section, Table, href
from localaws.core.context import Context

#: lines of one answer, and characters of a line.
_LINES, _LONG = 500, 4000
#: streams of a job that can be chosen from.
_MOST_STREAMS = 50


def routes() -> list[BaseRoute]:
    """Return the routes of this module."""
    return [
        page("/logs", _groups),
        page("/logs/streams", _streams),
        page("/logs/stream", _stream),
        Route("/logs/events", _events),
    ]


def stream_parts(request: Request, ctx: Context, group: str, prefix: str, *, live: bool) -> list[Part]:
    """Return the log of a job or endpoint: its streams to choose from, and the chosen one."""
    wanted = given(logStreamNamePrefix=prefix)
    try:
        found = ctx.client("logs").describe_log_streams(logGroupName=group, limit=_MOST_STREAMS, **wanted)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        found = {"logStreams": []}
    names = [stream["logStreamName"] for stream in found["logStreams"]]
    if not names:
        return [Note("Nothing is logged yet. This section is updated while the job runs.")]
    chosen = request.query_params.get("stream", "")
    chosen = chosen if chosen in names else names[0]
    links = [Link(name, f"?{href(stream=name).partition('?')[2]}") for name in names]
    log = Log(href("logs", "events", group=group, stream=chosen), live)
    return [*([Links(links, chosen)] if len(names) > 1 else []), log]


def _groups(request: Request, ctx: Context) -> Page:
    def build() -> list[Part]:
        asked = after(request, "nextToken")
        found = ctx.client("logs").describe_log_groups(limit=SIZE, **asked)
        rows = [
            (
                Link(each["logGroupName"], href("logs", "streams", group=each["logGroupName"])),
                words.size(each.get("storedBytes", 0)),
            )
            for each in found["logGroups"]
        ]
        more = next_page(request, "logs", token=found.get("nextToken"))
        return [Table(("Log group", "Size"), rows, "No log group exists yet.", more)]

    return Page("Logs", [Section("", build)])


def _streams(request: Request, ctx: Context) -> Page:
    group = request.query_params.get("group", "")

    def build() -> list[Part]:
        asked = after(request, "nextToken")
        found = ctx.client("logs").describe_log_streams(logGroupName=group, limit=SIZE, **asked)
        rows = [
            (
                Link(each["logStreamName"], href("logs", "stream", group=group, stream=each["logStreamName"])),
                _time(each.get("lastEventTimestamp")),
            )
            for each in found["logStreams"]
        ]
        more = next_page(request, "logs", "streams", token=found.get("nextToken"))
        return [Table(("Stream", "Last event"), rows, "The group has no stream.", more)]

    return Page(group, [Section("", build)], [Link("Logs", "/logs")])


def _stream(request: Request, _: Context) -> Page:
    group, stream = request.query_params.get("group", ""), request.query_params.get("stream", "")
    events = href("logs", "events", group=group, stream=stream)
    trail = [Link("Logs", "/logs"), Link(group, href("logs", "streams", group=group))]
    # Whether more comes is not known of a stream alone: it is asked for as long as somebody looks.
    return Page(stream, [Section("", lambda: [Log(events, live=True)])], trail, live=True)


def _events(request: Request) -> Response:
    """Answer with lines after a token, or the last ones, as JSON: ``{"events": [[time, text], ...], ...}``."""
    asked = request.query_params
    token = asked.get("token", "")
    ctx: Context = request.app.state.ctx
    try:
        found = ctx.client("logs").get_log_events(
            logGroupName=asked.get("group", ""),
            logStreamName=asked.get("stream", ""),
            limit=_LINES,
            startFromHead=token.startswith("f/"),
            **given(nextToken=token),
        )
    except ClientError as error:
        return JSONResponse({"message": error.response["Error"]["Message"]}, 404)
    except ParamValidationError:
        return JSONResponse({"message": "Nothing can have this name."}, 404)
    return JSONResponse(
        {
            "events": [[_time(each["timestamp"]), words.cut(each["message"], _LONG)] for each in found["events"]],
            "forward": found["nextForwardToken"],
            "backward": found["nextBackwardToken"],
            "full": len(found["events"]) == _LINES,
        }
    )


def _time(milliseconds: int | None) -> str | None:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%H:%M:%S}" if milliseconds else None
