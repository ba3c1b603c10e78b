"""The console's pages, a module a service."""

from __future__ import annotations

from starlette.routing import BaseRoute

from localaws.console.pages import (
    alarms,
    buckets,
    endpoints,
    jobs,
    logs,
    loops,
    overview,
    pipelines,
    queries,
    tables,
)


def routes() -> list[BaseRoute]:
    """Return the routes of all pages."""
    modules = (overview, jobs, pipelines, endpoints, queries, tables, buckets, loops, alarms, logs)
    return [route for module in modules for route in module.routes()]
