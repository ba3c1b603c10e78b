"""Glue crawls: the runs of a crawler."""

from __future__ import annotations

import math
import operator
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localaws.core.context import Context
from localaws.core.errors import AwsError, ValidationException
from localaws.core.operations import Service
from localaws.core.pagination import page
from localaws.glue.crawling import runs

crawl = Service("glue", resource="crawl")

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
#: fields whose values have no order.
_UNORDERED = ("CRAWL_ID", "STATE")
#: botocore's CrawlerHistoryState.
_STATES = ("RUNNING", "COMPLETED", "FAILED", "STOPPED")
#: how many crawls a page has, and has at most, as botocore's documentation of MaxResults says.
_PAGE, _LARGEST_PAGE = 20, 100


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
    """List a crawler's history, newest first; filters are joined by AND."""
    name = request["CrawlerName"]
    if ctx.store.get("crawler", name) is None:
        raise runs.not_found(name)
    tests = [_test(condition) for condition in request.get("Filters", ())]
    history = (ctx.store.get("crawl-history", name) or {"Crawls": []})["Crawls"]
    chosen = [entry for entry in history if all(test(entry) for test in tests)]
    size = min(request.get("MaxResults") or _PAGE, _LARGEST_PAGE)
    try:
        crawls, more = page(chosen, {**request, "MaxResults": size})
    except ValidationException as error:
        raise _invalid(error.message) from error
    return {"Crawls": crawls, **more}


def _test(condition: dict[str, Any]) -> Callable[[dict[str, Any]], bool]:
    """
    Return what decides whether an entry of the history meets a filter.

    :raises AwsError: InvalidInputException: a part is missing, or the value is none that the field can have.
    """
    missing = [part for part in ("FieldName", "FilterOperator", "FieldValue") if part not in condition]
    if missing:
        raise _invalid(f"A filter of crawls must have {' and '.join(missing)}.")
    name, operation = condition["FieldName"], condition["FilterOperator"]
    if name in _UNORDERED and operation not in ("EQ", "NE"):
        raise _invalid(f"FilterOperator {operation} is not valid for {name}: use EQ or NE.")
    key, compare, wanted = _FIELDS[name], _OPERATORS[operation], _value(name, condition["FieldValue"])
    return lambda entry: key in entry and compare(entry[key], wanted)


def _value(name: str, text: str) -> Any:
    """Return a filter's text as the field has it; times are milliseconds since 1970."""
    try:
        if name in ("START_TIME", "END_TIME"):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        if name == "DPU_HOUR":
            return _number(text)
        if name == "CRAWL_ID":
            return str(uuid.UUID(text))
    except (ValueError, OverflowError, OSError) as error:
        raise _invalid(f"FieldValue {text} is not valid for {name}.") from error
    if text not in _STATES:
        raise _invalid(f"FieldValue {text} is not valid for {name}: use {', '.join(_STATES)}.")
    return text


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


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
