"""CloudWatch alarms: the operations. :mod:`.engine` judges them."""

from __future__ import annotations

from typing import Any

from localaws.cloudwatch import composite, elsewhere, engine, history, rules
from localaws.cloudwatch.engine import COMPOSITE, KIND
from localaws.cloudwatch.errors import InvalidNextToken, ResourceNotFound, ResourceNotFoundException, ValidationError
from localaws.cloudwatch.evaluation import COMPARISONS, TREATMENTS
from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.errors import AwsError, NotImplementedByLocalAws
from localaws.core.operations import Service
from localaws.moto_bridge.percentiles import PERCENTILE, STATISTICS

alarm = Service("cloudwatch", resource="alarm")
alarm.only_kept("nothing acts on tags", "ListTagsForResource", "TagResource", "UntagResource")
alarm.elsewhere(elsewhere.answer)

Record = dict[str, Any]

_TAGS = "alarm-tags"
_NO_ACTIONS: Record = {member: [] for member in ("OKActions", "AlarmActions", "InsufficientDataActions")}
#: Members that change when an alarm is in alarm, and that nothing here does.
_UNSUPPORTED = (
    "ThresholdMetricId",
    "EvaluationWindow",
    "WarmUpConfiguration",
    "EvaluationCriteria",
    "EvaluationInterval",
    "ActionConfiguration",
)
_NEEDED = ("EvaluationPeriods", "ComparisonOperator", "Threshold")
_OF_THE_METRIC = ("Namespace", "MetricName", "Period")


def arn(ctx: Context, name: str) -> str:
    """Return the ARN of an alarm."""
    return ctx.arn("cloudwatch", f"alarm:{name}")


@alarm.operation
def put_metric_alarm(request: Record, ctx: Context) -> Record:
    """
    Create an alarm in the state INSUFFICIENT_DATA, or give one another configuration; its state stays then.

    :raises ValidationError: The configuration contradicts itself or lacks something.
    """
    _save(KIND, request, _configuration(request), ctx)
    return {}


@alarm.operation
def put_composite_alarm(request: Record, ctx: Context) -> Record:
    """
    Create a composite alarm, or give one another configuration.

    :raises ValidationError: The rule cannot be read, or names an alarm that does not exist.
    """
    for member in ("ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"):
        if member in request:
            raise NotImplementedByLocalAws(f"PutCompositeAlarm with {member} is not implemented by localaws.")
    try:
        rule = rules.parse(request["AlarmRule"])
    except rules.RuleError as error:
        raise ValidationError(f"AlarmRule is not a valid rule: {error}.") from error
    unknown = [name for name in rule.children if name != request["AlarmName"] and engine.find(ctx, name) is None]
    if unknown:
        raise ValidationError(f"AlarmRule names alarms that do not exist: {', '.join(unknown)}.")
    wanted = {key: value for key, value in request.items() if key != "Tags"}
    _save(COMPOSITE, request, {"ActionsEnabled": True, **_NO_ACTIONS, **wanted}, ctx)
    return {}


def _save(kind: str, request: Record, wanted: Record, ctx: Context) -> None:
    name, now = request["AlarmName"], ctx.now()
    with ctx.store.transaction():
        before = engine.find(ctx, name)
        if before and ("AlarmRule" in before) != (kind == COMPOSITE):
            raise ValidationError(f"There is an alarm {name} of the other kind, metric or composite, already.")
        state = ("StateValue", "StateReason", "StateReasonData", "StateUpdatedTimestamp", "StateTransitionedTimestamp")
        kept = {key: before[key] for key in state if key in before} if before else _unchecked(now)
        record = {**wanted, **kept, "AlarmArn": arn(ctx, name), "AlarmConfigurationUpdatedTimestamp": now}
        ctx.store.put(kind, name, record)
        # Only a new alarm takes tags: so says the API's reference.
        if before is None:
            ctx.store.put(_TAGS, arn(ctx, name), {"Tags": request.get("Tags", [])})
        summary = f'Alarm "{name}" {"updated" if before else "created"}'
        told = {"type": "Update" if before else "Create"}
        history.note(ctx, name, "ConfigurationUpdate", summary, told, composite=kind == COMPOSITE)


def _unchecked(now: Any) -> Record:
    return {
        "StateValue": "INSUFFICIENT_DATA",
        "StateReason": "Unchecked: Initial alarm creation",
        "StateUpdatedTimestamp": now,
        "StateTransitionedTimestamp": now,
    }


def _configuration(request: Record) -> Record:
    for member in _UNSUPPORTED:
        if member in request:
            raise NotImplementedByLocalAws(f"PutMetricAlarm with {member} is not implemented by localaws.")
    wanted = {key: value for key, value in request.items() if key not in ("Tags", "Metrics")}
    if "Metrics" in request:
        if any(member in request for member in (*_OF_THE_METRIC, "Statistic", "ExtendedStatistic")):
            raise ValidationError(
                "Metrics list and metric name, namespace, period or statistic are mutually exclusive."
            )
        wanted |= _single(request["Metrics"])
    missing = [member for member in (*_NEEDED, *_OF_THE_METRIC) if member not in wanted]
    if "Statistic" not in wanted and "ExtendedStatistic" not in wanted:
        missing.append("Statistic or ExtendedStatistic")
    if missing:
        raise ValidationError(f"The parameters {', '.join(missing)} must be given.")
    _check(wanted)
    return {"ActionsEnabled": True, "Dimensions": [], **_NO_ACTIONS, **wanted}


def _single(metrics: list[Record]) -> Record:
    """Return what a list of one metric says; more of them come with metric math."""
    if len(metrics) != 1 or "MetricStat" not in metrics[0]:
        raise NotImplementedByLocalAws("PutMetricAlarm with metric math is not implemented by localaws.")
    stat = metrics[0]["MetricStat"]
    return {
        **stat["Metric"],
        "Period": stat["Period"],
        "Statistic" if stat["Stat"] in STATISTICS else "ExtendedStatistic": stat["Stat"],
        **({"Unit": stat["Unit"]} if "Unit" in stat else {}),
    }


def _check(wanted: Record) -> None:
    if wanted["ComparisonOperator"] not in COMPARISONS:
        raise NotImplementedByLocalAws(
            f"PutMetricAlarm with {wanted['ComparisonOperator']}, of anomaly detection, is not implemented by localaws."
        )
    _check_statistic(wanted)
    period, periods = wanted["Period"], wanted["EvaluationPeriods"]
    if period not in (10, 20, 30) and period % 60:
        raise ValidationError(f"Period must be 10, 20, 30 or a multiple of 60, and is {period}.")
    longest = 7 * 86400 if period >= 3600 else 86400
    if period * periods > longest:
        raise ValidationError(
            f"Metrics cannot be checked across more than {longest // 86400} day(s) "
            f"(EvaluationPeriods * Period must be <= {longest})."
        )
    if wanted.get("DatapointsToAlarm", 1) > periods:
        raise ValidationError("DatapointsToAlarm must not be greater than EvaluationPeriods.")
    treatment = wanted.get("TreatMissingData", "missing")
    if treatment not in TREATMENTS:
        raise ValidationError(f"TreatMissingData must be one of {', '.join(sorted(TREATMENTS))}, and is {treatment}.")


def _check_statistic(wanted: Record) -> None:
    if "Statistic" in wanted and "ExtendedStatistic" in wanted:
        raise ValidationError("Statistic and ExtendedStatistic cannot both be given.")
    extended = wanted.get("ExtendedStatistic")
    if extended is not None and PERCENTILE.fullmatch(extended) is None:
        raise NotImplementedByLocalAws(
            f"Alarms on {extended} are not implemented by localaws: only percentiles such as p99 are."
        )
    low = wanted.get("EvaluateLowSampleCountPercentile")
    if low is not None and (extended is None or low not in ("evaluate", "ignore")):
        raise ValidationError(
            "EvaluateLowSampleCountPercentile must be evaluate or ignore, and goes with a percentile as "
            f"ExtendedStatistic only; it is {low}."
        )


@alarm.operation
def describe_alarms(request: Record, ctx: Context) -> Record:
    """Return alarms by name, prefix, state and action, or the relatives of one."""
    if "AlarmNames" in request and "AlarmNamePrefix" in request:
        raise ValidationError("AlarmNames and AlarmNamePrefix cannot both be given.")
    members: tuple[str, ...] = ()
    if "ChildrenOfAlarmName" in request or "ParentsOfAlarmName" in request:
        found, members = _relatives(request, ctx)
    else:
        types = request.get("AlarmTypes") or ["MetricAlarm"]
        kinds = [kind for name, kind in (("MetricAlarm", KIND), ("CompositeAlarm", COMPOSITE)) if name in types]
        found = [record for kind in kinds for record in _sorted(ctx, kind) if _matches(record, request)]
    page, more = _page(found, request, 50)
    answer: Record = {"MetricAlarms": [], "CompositeAlarms": [], **more}
    for record in page:
        shown = {key: record[key] for key in members} if members else record
        answer["CompositeAlarms" if "AlarmRule" in record else "MetricAlarms"].append(shown)
    return answer


def _relatives(request: Record, ctx: Context) -> tuple[list[Record], tuple[str, ...]]:
    """Return the alarms in an alarm's rule, or those that have it in theirs, and what is told of them."""
    others = sorted(request.keys() - {"MaxRecords", "NextToken"})
    if len(others) > 1:
        raise ValidationError(f"ChildrenOfAlarmName and ParentsOfAlarmName go alone, not as {' and '.join(others)}.")
    name = request[others[0]]
    alarm = engine.find(ctx, name)
    if alarm is None:
        raise ResourceNotFound(f"Alarm {name} does not exist.")
    if others[0] == "ParentsOfAlarmName":
        return composite.parents(ctx, name), ("AlarmName", "AlarmArn")
    if "AlarmRule" not in alarm:
        raise ValidationError(f"Alarm {name} is not a composite alarm and has no children.")
    found = [engine.find(ctx, child) for child in composite.children(alarm)]
    return [each for each in found if each], ("AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp")


def _matches(record: Record, request: Record) -> bool:
    name = record["AlarmName"]
    if request.get("AlarmNames") and name not in request["AlarmNames"]:
        return False
    if not name.startswith(request.get("AlarmNamePrefix", "")):
        return False
    if request.get("StateValue", record["StateValue"]) != record["StateValue"]:
        return False
    prefix = request.get("ActionPrefix")
    taken = [*record["AlarmActions"], *record["OKActions"], *record["InsufficientDataActions"]]
    return not prefix or any(each.startswith(prefix) for each in taken)


@alarm.operation
def describe_alarms_for_metric(request: Record, ctx: Context) -> Record:
    """Return the alarms on a metric."""
    members = ("Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Period", "Unit")
    wanted = {key: request[key] for key in members if key in request}
    dimensions = _dimensions(request)
    found = [
        record
        for record in _sorted(ctx)
        if all(record.get(key) == value for key, value in wanted.items()) and _dimensions(record) == dimensions
    ]
    return {"MetricAlarms": found}


def _dimensions(record: Record) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in record.get("Dimensions", [])}


@alarm.operation
def describe_alarm_history(request: Record, ctx: Context) -> Record:
    """Return what happened to alarms, the newest first unless asked otherwise."""
    found = history.items_of(ctx, request["AlarmName"]) if "AlarmName" in request else history.everything(ctx)
    types = request.get("AlarmTypes") or ["MetricAlarm"]
    since, until = request.get("StartDate"), request.get("EndDate")
    found = [
        item
        for item in found
        if item["AlarmType"] in types
        and request.get("HistoryItemType") in (None, item["HistoryItemType"])
        and (since is None or item["Timestamp"] >= since)
        and (until is None or item["Timestamp"] <= until)
    ]
    found.sort(key=lambda item: item["Timestamp"], reverse=request.get("ScanBy") != "TimestampAscending")
    page, more = _page(found, request, 100)
    return {"AlarmHistoryItems": page, **more}


@alarm.operation
def set_alarm_state(request: Record, ctx: Context) -> Record:
    """Give an alarm a state, and take the actions of it; its next period says what it really is."""
    name = request["AlarmName"]
    if not engine.set_state(ctx, name, request["StateValue"], request["StateReason"], request.get("StateReasonData")):
        raise ResourceNotFound(f"Alarm {name} does not exist.")
    return {}


@alarm.operation
def delete_alarms(request: Record, ctx: Context) -> Record:
    """
    Delete alarms; their history stays.

    :raises ResourceNotFound: One of them does not exist; the others are deleted, as the API's reference says.
    :raises ValidationError: A composite alarm that stays has one of them in its rule.
    """
    names = request["AlarmNames"]
    with ctx.store.transaction():
        if sum(ctx.store.get(COMPOSITE, name) is not None for name in names) > 1:
            raise ValidationError("No more than one composite alarm can be deleted at once.")
        for name in names:
            staying = [each["AlarmName"] for each in composite.parents(ctx, name) if each["AlarmName"] not in names]
            if staying:
                raise ValidationError(
                    f"Alarm {name} cannot be deleted: composite alarms depend on it: {', '.join(staying)}."
                )
        unknown = [name for name in names if engine.find(ctx, name) is None]
        for name in names:
            delete(ctx, name)
    if unknown:
        raise ResourceNotFound(f"The alarms {', '.join(unknown)} do not exist.")
    return {}


def delete(ctx: Context, name: str) -> None:
    """Delete an alarm, if there is one of that name."""
    kind = KIND if ctx.store.get(KIND, name) else COMPOSITE
    if ctx.store.delete(kind, name):
        ctx.store.delete(_TAGS, arn(ctx, name))
        summary = f'Alarm "{name}" deleted'
        history.note(ctx, name, "ConfigurationUpdate", summary, {"type": "Delete"}, composite=kind == COMPOSITE)


@alarm.operation
def enable_alarm_actions(request: Record, ctx: Context) -> Record:
    """Have alarms act again."""
    return _switch(request, ctx, enabled=True)


@alarm.operation
def disable_alarm_actions(request: Record, ctx: Context) -> Record:
    """Have alarms change their states without acting."""
    return _switch(request, ctx, enabled=False)


def _switch(request: Record, ctx: Context, *, enabled: bool) -> Record:
    # Names of alarms that do not exist are passed over, as AWS does.
    for name in request["AlarmNames"]:
        for kind in (KIND, COMPOSITE):
            ctx.store.update(kind, name, lambda record: record.update(ActionsEnabled=enabled))
    return {}


@alarm.operation
def tag_resource(request: Record, ctx: Context) -> Record:
    """Add tags to an alarm."""
    new = {each["Key"]: each for each in request["Tags"]}

    def change(record: Record) -> None:
        record["Tags"] = list({**{each["Key"]: each for each in record["Tags"]}, **new}.values())

    return _tagged(request, ctx, change)


@alarm.operation
def untag_resource(request: Record, ctx: Context) -> Record:
    """Remove tags from an alarm."""

    def change(record: Record) -> None:
        record["Tags"] = [each for each in record["Tags"] if each["Key"] not in request["TagKeys"]]

    return _tagged(request, ctx, change)


def _tagged(request: Record, ctx: Context, change: Any) -> Record:
    if ctx.store.update(_TAGS, request["ResourceARN"], change) is None:
        raise ResourceNotFoundException(f"{request['ResourceARN']} does not exist.")
    return {}


@alarm.operation
def list_tags_for_resource(request: Record, ctx: Context) -> Record:
    """Return the tags of an alarm."""
    record = ctx.store.get(_TAGS, request["ResourceARN"])
    if record is None:
        raise ResourceNotFoundException(f"{request['ResourceARN']} does not exist.")
    return {"Tags": record["Tags"]}


_engines: dict[Any, engine.Engine] = {}


@alarm.on_start
def start(ctx: Context) -> None:
    """Judge alarms from now on."""
    _engines[ctx.home] = engine.Engine(ctx, composite.Judge(ctx).judge)
    _engines[ctx.home].start()


@alarm.on_stop
def stop(ctx: Context) -> None:
    """Judge them no more."""
    if found := _engines.pop(ctx.home, None):
        found.stop()


def _sorted(ctx: Context, kind: str = KIND) -> list[Record]:
    return sorted(ctx.store.all(kind), key=lambda record: str(record["AlarmName"]))


def _page(found: list[Record], request: Record, size: int) -> tuple[list[Record], dict[str, str]]:
    try:
        return pagination.page(found, {**request, "MaxResults": request.get("MaxRecords")}, default_size=size)
    except AwsError as error:
        raise InvalidNextToken(error.message) from error
