"""CloudWatch alarms, what happened to them, and when endpoints were scaled: also as a time line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute

from localaws.console import words
from localaws.console.charts import Event, Span, time_line
from localaws.console.pages import metrics
from localaws.console.pages.shared import SIZE, given, next_page, page, texts, whole
from localaws.console.parts import Cell, Drawing, Facts, Link, Note, Page, Part, Search, Section, Status, Table, href
from localaws.core.context import Context

_TRAIL = Link("Alarms", "/alarms")
#: the lanes of a time line, and how far it goes back.
_LANES, _BACK = 12, timedelta(hours=3)
_KINDS = {"OK": "good", "ALARM": "bad", "INSUFFICIENT_DATA": "none"}


def routes() -> list[BaseRoute]:
    """Return the routes of this module."""
    return [page("/alarms", _list), page("/alarms/{name:path}", _alarm)]


def scaling_parts(ctx: Context, resources: Sequence[str]) -> list[Part]:
    """Return the scaling of variants: their bounds, and what was done."""
    client = ctx.client("application-autoscaling")
    found = client.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=list(resources))
    if not found["ScalableTargets"]:
        return [Note("No variant of it scales by itself.")]
    bounds = [(each["ResourceId"], each["MinCapacity"], each["MaxCapacity"]) for each in found["ScalableTargets"]]
    done = [row for resource in resources for row in _activities(client, ResourceId=resource)]
    return [Table(("Variant", "At least", "At most"), bounds), _activity_table(done)]


def _activities(client: Any, **of: str) -> list[dict[str, Any]]:
    asked = {"ServiceNamespace": "sagemaker", "MaxResults": SIZE, **of}
    activities: list[dict[str, Any]] = client.describe_scaling_activities(**asked)["ScalingActivities"]
    return activities


def _activity_table(activities: Sequence[dict[str, Any]]) -> Table:
    rows = [
        (each["StartTime"], each["ResourceId"], Status(each["StatusCode"]), each["Description"], each["Cause"])
        for each in sorted(activities, key=lambda each: each["StartTime"], reverse=True)[:SIZE]
    ]
    return Table(("Time", "Variant", "Status", "What", "Why"), rows, "Nothing was scaled yet.")


def _list(request: Request, ctx: Context) -> Page:
    prefix = request.query_params.get("name", "")

    def build() -> list[Part]:
        asked = given(NextToken=request.query_params.get("next"), AlarmNamePrefix=prefix)
        found = ctx.client("cloudwatch").describe_alarms(MaxRecords=SIZE, AlarmTypes=_TYPES, **asked)
        rows = [
            (
                Link(each["AlarmName"], href("alarms", each["AlarmName"])),
                Status(each["StateValue"]),
                _condition(each),
                each.get("StateTransitionedTimestamp") or each["StateUpdatedTimestamp"],
            )
            for each in _alarms(found)
        ]
        more = next_page(request, "alarms", token=found.get("NextToken"))
        return [Table(("Alarm", "State", "Condition", "Since"), rows, "There is no alarm.", more)]

    # Of two sections; where it fails, each says so.
    done = cache(lambda: _activities(ctx.client("application-autoscaling")))

    sections = [
        Section("", lambda: [Search("name", "Name begins with", prefix)]),
        Section("", build, live=True),
        Section("Time line", lambda: _line(ctx, prefix, done()), live=True),
        Section("Scaling activities", lambda: [_activity_table(done())], live=True),
    ]
    return Page("Alarms and scaling", sections, live=True)


_TYPES = ["MetricAlarm", "CompositeAlarm"]


def _alarms(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [*found.get("CompositeAlarms", []), *found.get("MetricAlarms", [])]


def _condition(alarm: dict[str, Any]) -> str:
    if "AlarmRule" in alarm:
        return str(alarm["AlarmRule"])
    comparison = alarm.get("ComparisonOperator", "")
    metric = alarm.get("MetricName") or f"{len(alarm.get('Metrics', []))} metrics"
    periods = f"{alarm.get('EvaluationPeriods')} x {alarm.get('Period')} s"
    return f"{metric} {comparison} {alarm.get('Threshold', 0):g}, {periods}"


def _line(ctx: Context, prefix: str, activities: Sequence[dict[str, Any]]) -> list[Part]:
    """Return the last hours as a time line: states of alarms, and scaling activities by variant."""
    end = datetime.now(UTC)
    found = ctx.client("cloudwatch").describe_alarms(
        MaxRecords=_LANES, AlarmTypes=_TYPES, **given(AlarmNamePrefix=prefix)
    )
    lanes: list[tuple[str, Sequence[Span], Sequence[Event]]] = [
        (each["AlarmName"], _spans(ctx, each, end), ()) for each in _alarms(found)[:_LANES]
    ]
    by_resource: dict[str, list[Event]] = {}
    for each in activities:
        text = f"{words.at(each['StartTime'])}: {each['Description']} {each['StatusCode']}"
        by_resource.setdefault(each["ResourceId"], []).append(
            (each["StartTime"], Status(each["StatusCode"]).kind, text)
        )
    lanes += [(name, (), events) for name, events in sorted(by_resource.items())[:_LANES]]
    if not lanes:
        return [Note("There is no alarm, and nothing was scaled.")]
    begins = [span[0] for _, spans, _ in lanes for span in spans] + [
        event[0] for _, _, events in lanes for event in events
    ]
    begin = max(end - _BACK, min(begins, default=end - _BACK))
    return [Drawing(time_line("States of alarms, and scaling activities", lanes, begin, end))]


def _spans(ctx: Context, alarm: dict[str, Any], end: datetime) -> list[Span]:
    """Return what state an alarm was in, by its history."""
    items = ctx.client("cloudwatch").describe_alarm_history(
        AlarmName=alarm["AlarmName"], AlarmTypes=_TYPES, HistoryItemType="StateUpdate", MaxRecords=100
    )["AlarmHistoryItems"]
    until, spans = end, []
    for item in items:
        new = json.loads(item["HistoryData"]).get("newState", {}).get("stateValue", "")
        spans.append((item["Timestamp"], until, _KINDS.get(new, "none")))
        until = item["Timestamp"]
    if not items:
        since = alarm.get("StateUpdatedTimestamp", end)
        spans.append((since, end, _KINDS.get(alarm["StateValue"], "none")))
    return spans


def _alarm(request: Request, ctx: Context) -> Page:
    name = request.path_params["name"]
    found = _alarms(ctx.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=_TYPES))
    if not found:
        raise HTTPException(404, "There is no alarm of this name.")
    alarm = found[0]

    def facts() -> list[Part]:
        rows: list[tuple[str, Cell]] = [
            ("Condition", _condition(alarm)),
            ("Of", texts([f"{each['Name']}={each['Value']}" for each in alarm.get("Dimensions", [])])),
            ("Reason", alarm.get("StateReason")),
            ("Since", alarm.get("StateTransitionedTimestamp")),
            ("Actions", texts(alarm.get("AlarmActions"))),
        ]
        return [Facts(rows)]

    def history() -> list[Part]:
        items = ctx.client("cloudwatch").describe_alarm_history(AlarmName=name, AlarmTypes=_TYPES, MaxRecords=SIZE)
        rows = [
            (each["Timestamp"], each["HistoryItemType"], each["HistorySummary"]) for each in items["AlarmHistoryItems"]
        ]
        return [Table(("Time", "Kind", "What"), rows, "Nothing happened to it yet.")]

    sections = [
        Section("", facts, live=True),
        Section("Last three hours", lambda: _alarm_metric(ctx, alarm), live=True),
        Section("History", history, live=True),
        Section("Description", lambda: whole(alarm)),
    ]
    return Page(name, sections, [_TRAIL], Status(alarm["StateValue"]), live=True)


def _alarm_metric(ctx: Context, alarm: dict[str, Any]) -> list[Part]:
    end = datetime.now(UTC)
    lane = (str(alarm["AlarmName"]), _spans(ctx, alarm, end), ())
    parts: list[Part] = [Drawing(time_line("State", [lane], end - _BACK, end))]
    if "MetricName" in alarm:
        dimensions = {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])}
        statistic = alarm.get("Statistic") or alarm.get("ExtendedStatistic", "Average")
        line = (alarm["MetricName"], alarm["Namespace"], alarm["MetricName"], dimensions, statistic)
        parts += metrics.parts(ctx, f"{alarm['MetricName']}, {statistic}", [line], end - _BACK, None)
    return parts
