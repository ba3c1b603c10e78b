"""Glue crawls: the runs of a crawler."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localaws.context import Context
from localaws.crawling import runs
from localaws.errors import AwsError
from localaws.listing import page
from localaws.services.registry import Service

crawl = Service("glue", noun="crawl")

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "GT": operator.gt,
    "GE": operator.ge,
    "LT": operator.lt,
    "LE": operator.le,
    "EQ": operator.eq,
    "NE": operator.ne,
}
_FIELDS = {
    "CRAWL_ID": "CrawlId",
    "STATE": "State",
    "START_TIME": "StartTime",
    "END_TIME": "EndTime",
    "DPU_HOUR": "DPUHour",
}


@crawl.operation
def start_crawler(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Begin a crawl in the background."""
    runs.begin(ctx, request["Name"])
    return {}


@crawl.operation
def stop_crawler(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Ask the running crawl to stop."""
    runs.cancel(ctx, request["Name"])
    return {}


@crawl.operation
def list_crawls(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """A crawler's history, newest first; filters are joined by AND."""
    name = request["CrawlerName"]
    if ctx.store.get("crawler", name) is None:
        raise runs.not_found(name)
    crawls = (ctx.store.get("crawl-history", name) or {"Crawls": []})["Crawls"]
    for condition in request.get("Filters", ()):
        crawls = [entry for entry in crawls if _matches(entry, condition)]
    chosen, more = page(crawls, request, default_size=20)
    return {"Crawls": chosen, **more}


def _matches(entry: dict[str, Any], condition: dict[str, Any]) -> bool:
    field = _FIELDS.get(condition.get("FieldName", ""))
    compare = _OPERATORS.get(condition.get("FilterOperator", ""))
    if field is None or compare is None or "FieldValue" not in condition:
        raise _invalid("A filter needs FieldName, FilterOperator and FieldValue")
    if field not in entry:
        return False
    return compare(entry[field], _value(field, condition["FieldValue"]))


def _value(field: str, text: str) -> Any:
    """The filter's text as what the field holds; times are milliseconds since 1970, as in AWS's own examples."""
    try:
        if field in ("StartTime", "EndTime"):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        return float(text) if field == "DPUHour" else text
    except (ValueError, OverflowError, OSError) as error:
        raise _invalid(f"Filter value {text} does not fit {field}") from error


def _invalid(message: str) -> AwsError:
    return AwsError(message, code="InvalidInputException", status=400)


@crawl.on_start
def recover(ctx: Context) -> None:
    """Run again what the server's end interrupted."""
    runs.recover(ctx)


@crawl.on_stop
def shut_down(ctx: Context) -> None:
    """End the threads of running crawls before the server does."""
    runs.shut_down()
