"""The first page: what runs and what is wrong; and the paths of AWS's console."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from localaws.console.pages import jobs
from localaws.console.pages.shared import page
from localaws.console.parts import Facts, Link, Page, Part, Section, Status, Table, href
from localaws.core.context import Context

#: services whose console, on AWS, has its pages behind the "#" of one path.
_SERVICES = ("a2i", "athena", "cloudwatch", "glue", "s3", "sagemaker")


def routes() -> list[BaseRoute]:
    """Return the routes of this module."""
    return [page("/", _overview), *(Route(f"/{service}/home", _landing) for service in _SERVICES)]


def _overview(_: Request, ctx: Context) -> Page:
    def server() -> list[Part]:
        return [Facts([("Endpoint", ctx.endpoint_url), ("Region", ctx.region), ("Account", ctx.account_id)])]

    def endpoints() -> list[Part]:
        found = ctx.client("sagemaker").list_endpoints(MaxResults=8, SortBy="CreationTime", SortOrder="Descending")
        rows = [
            (Link(each["EndpointName"], href("endpoints", each["EndpointName"])), Status(each["EndpointStatus"]))
            for each in found["Endpoints"]
        ]
        return [Table(("Endpoint", "Status"), rows, "There is no endpoint.")]

    def alarms() -> list[Part]:
        found = ctx.client("cloudwatch").describe_alarms(StateValue="ALARM", MaxRecords=8)
        rows = [
            (Link(each["AlarmName"], href("alarms", each["AlarmName"])), Status(each["StateValue"]))
            for each in found["MetricAlarms"]
        ]
        return [Table(("Alarm", "State"), rows, "No alarm is in the state ALARM.")]

    sections = [
        Section("", server),
        Section("Last jobs", lambda: jobs.recent(ctx), live=True),
        Section("Endpoints", endpoints, live=True),
        Section("Alarms", alarms, live=True),
    ]
    return Page("Overview", sections, live=True)


def _landing(request: Request) -> Response:
    page: Response = request.app.state.views.landing()
    return page
