"""Schedules of Glue crawlers: they really fire, in UTC, to the minute."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.errors import AwsError
from localaws.core.operations import Service
from localaws.glue import crawler_api as crawlers
from localaws.glue.crawling import runs, scheduler

schedule = Service("glue", resource="crawler-schedule")


@schedule.operation
def update_crawler_schedule(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Set a crawler's cron expression, or take it away with an empty one."""
    _change(request, ctx, lambda record: crawlers.set_schedule(record, request.get("Schedule", "")))
    return {}


@schedule.operation
def start_crawler_schedule(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Let the crawler's schedule fire."""

    def change(record: dict[str, Any]) -> None:
        current = record.get("Schedule")
        if current is None:
            raise _error("NoScheduleException", f"Crawler {record['Name']} has no schedule")
        if current["State"] == "SCHEDULED":
            raise _error("SchedulerRunningException", f"The schedule of crawler {record['Name']} is running")
        current["State"] = "SCHEDULED"

    _change(request, ctx, change)
    return {}


@schedule.operation
def stop_crawler_schedule(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Keep the crawler's schedule from firing; a running crawl continues."""

    def change(record: dict[str, Any]) -> None:
        current = record.get("Schedule")
        if current is None or current["State"] != "SCHEDULED":
            raise _error("SchedulerNotRunningException", f"The schedule of crawler {record['Name']} is not running")
        current["State"] = "NOT_SCHEDULED"

    _change(request, ctx, change)
    return {}


def _change(request: dict[str, Any], ctx: Context, change: Any) -> None:
    if ctx.store.update("crawler", request["CrawlerName"], change) is None:
        raise runs.not_found(request["CrawlerName"])
    scheduler.notice()


def _error(code: str, message: str) -> AwsError:
    return AwsError(message, code=code, status=400)


@schedule.on_start
def start_scheduler(ctx: Context) -> None:
    """Watch the clock."""
    scheduler.start(ctx)


@schedule.on_stop
def stop_scheduler(ctx: Context) -> None:
    """No longer watch the clock."""
    scheduler.stop()
