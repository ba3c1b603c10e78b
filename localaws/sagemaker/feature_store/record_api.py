"""Feature Store Runtime: records in, records out. Everything here is on the path of each request."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.errors import AwsError, ResourceNotFound, ValidationError
from localaws.core.operations import Service
from localaws.sagemaker.feature_store import groups, values
from localaws.sagemaker.feature_store.flusher import feature_store
from localaws.sagemaker.feature_store.groups import Group
from localaws.sagemaker.feature_store.online import Found, NotLater, Write

feature_record = Service("sagemaker-featurestore-runtime", resource="feature-record")

ONLINE, OFFLINE = "OnlineStore", "OfflineStore"


class AccessForbidden(AwsError):
    """Not this account's."""

    code = "AccessForbidden"
    status = 403


class NotFound(ResourceNotFound):
    """GetRecord only: no such feature group."""

    status = 404


def _refused(text: str) -> ValidationError:
    return ValidationError(f"Validation Error: {text}")


def _group(ctx: Context, name: str, error: type[AwsError] = ValidationError) -> Group:
    if name.startswith("arn:") and name.split(":")[3:5] != [ctx.region, ctx.account_id]:
        raise AccessForbidden(f"Access to {name} is denied.")
    group = groups.lookup(ctx, name)
    if group is None:
        raise error(groups.missing(name))
    if group["FeatureGroupStatus"] not in ("Created", "DeleteFailed"):
        raise _refused(f"FeatureGroup {group['FeatureGroupName']} is {group['FeatureGroupStatus']}, not Created.")
    return group


@feature_record.operation
def put_record(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Accept a record: to the online store if it is the latest of its identifier, to the offline store always."""
    _put([_write(_group(ctx, request["FeatureGroupName"]), request, request.get("TtlDuration"))], ctx)
    return {}


@feature_record.operation
def batch_write_record(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Accept records of one or several groups as PutRecord does; what is wrong with an entry is told of it alone."""
    writes, errors = [], []
    for entry in request["Entries"]:
        try:
            group = _group(ctx, entry["FeatureGroupName"], NotFound)
            writes.append(_write(group, entry, entry.get("TtlDuration") or request.get("TtlDuration")))
        except AwsError as error:
            errors.append({"Entry": entry, "ErrorCode": error.code, "ErrorMessage": error.message})
    _put(writes, ctx)
    return {"Errors": errors, "UnprocessedEntries": []}


def _write(group: Group, entry: dict[str, Any], ttl: dict[str, Any] | None) -> Write:
    """
    Return what to store for an entry of a PutRecord or BatchWriteRecord request.

    :raises ValidationError: the group does not accept it.
    """
    online, offline = _stores(group, entry)
    body = _body(group, entry["Record"])
    if ttl and not groups.online(group):
        raise _refused("TtlDuration is for feature groups with an online store.")
    at = _event_time(group, body[group["EventTimeFeatureName"]])
    return Write(
        store=group["_store"],
        identifier=body[group["RecordIdentifierFeatureName"]],
        event_time=at,
        body=body,
        expires_at=values.expiry(at, ttl or group.get("OnlineStoreConfig", {}).get("TtlDuration")),
        online=online,
        offline=offline,
    )


def _put(writes: list[Write], ctx: Context) -> None:
    store = feature_store(ctx)
    store.records.put(*writes)
    if any(write.offline for write in writes):
        store.arrived()


def _stores(group: Group, request: dict[str, Any]) -> tuple[bool, bool]:
    """Return whether the online and the offline store are asked for."""
    has = {ONLINE: groups.online(group), OFFLINE: groups.offline(group)}
    wanted = request.get("TargetStores") or [name for name, there in has.items() if there]
    for name in wanted:
        if not has[name]:
            raise _refused(f"FeatureGroup {group['FeatureGroupName']} has no {name}.")
    if len(set(wanted)) < len(wanted):
        raise _refused("TargetStores must not name a store twice.")
    return ONLINE in wanted, OFFLINE in wanted


def _body(group: Group, record: list[dict[str, Any]]) -> dict[str, str]:
    kinds = groups.types(group)
    body: dict[str, str] = {}
    for value in record:
        name, text = value["FeatureName"], value.get("ValueAsString")
        if name not in kinds:
            raise _refused(f"FeatureGroup {group['FeatureGroupName']} has no feature {name}.")
        if "ValueAsStringList" in value:
            raise _refused(f"feature {name} is not a collection: give its value as ValueAsString.")
        if name in body:
            raise _refused(f"feature {name} is given more than once.")
        if text is not None:
            body[name] = text
            _check(name, kinds[name], text)
    for member in ("RecordIdentifierFeatureName", "EventTimeFeatureName"):
        if not body.get(group[member]):
            raise _refused(
                f"the record has no value of {group[member]}, the group's {member.removesuffix('FeatureName')}."
            )
    return body


def _check(name: str, kind: str, text: str) -> None:
    try:
        values.parse(kind, text)
    except values.BadValue as error:
        raise _refused(f"feature {name}: {error}.") from error


def _event_time(group: Group, text: str) -> int:
    name = group["EventTimeFeatureName"]
    try:
        return values.event_time(groups.types(group)[name], text)
    except values.BadValue as error:
        raise _refused(f"event time {name}: {error}.") from error


@feature_record.operation
def get_record(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return the latest record of an identifier; without one, the answer has no Record."""
    group = _group(ctx, request["FeatureGroupName"], NotFound)
    wanted = _wanted(group, request.get("FeatureNames"))
    found = feature_store(ctx).records.get(group["_store"], request["RecordIdentifierValueAsString"])
    if found is None:
        return {}
    return _shown(found, wanted, request.get("ExpirationTimeResponse"))


def _wanted(group: Group, names: list[str] | None) -> list[str]:
    if not groups.online(group):
        raise _refused(f"FeatureGroup {group['FeatureGroupName']} has no {ONLINE}.")
    kinds = groups.types(group)
    for name in names or ():
        if name not in kinds:
            raise _refused(f"FeatureGroup {group['FeatureGroupName']} has no feature {name}.")
    return names or list(kinds)


def _shown(found: Found, wanted: list[str], expiration: str | None) -> dict[str, Any]:
    record = [{"FeatureName": name, "ValueAsString": found.body[name]} for name in wanted if name in found.body]
    expires = values.iso(found.expires_at) if expiration == "Enabled" and found.expires_at is not None else None
    return {"Record": record, "ExpiresAt": expires}


@feature_record.operation
def batch_get_record(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return records of several groups and identifiers. Missing ones are left out."""
    records, errors = [], []
    for each in request["Identifiers"]:
        name, identifiers = each["FeatureGroupName"], each["RecordIdentifiersValueAsString"]
        try:
            group = _group(ctx, name, NotFound)
            wanted = _wanted(group, each.get("FeatureNames"))
        except AwsError as error:
            what = {"FeatureGroupName": name, "ErrorCode": error.code, "ErrorMessage": error.message}
            errors += [{**what, "RecordIdentifierValueAsString": identifier} for identifier in identifiers]
            continue
        for identifier in identifiers:
            found = feature_store(ctx).records.get(group["_store"], identifier)
            shown = _shown(found, wanted, request.get("ExpirationTimeResponse")) if found else {}
            if shown.get("Record"):
                records.append({"FeatureGroupName": name, "RecordIdentifierValueAsString": identifier, **shown})
    return {"Records": records, "Errors": errors, "UnprocessedIdentifiers": []}


@feature_record.operation
def delete_record(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete a record online, softly (its event time stays) or for good; the offline store gets a mark."""
    group = _group(ctx, request["FeatureGroupName"])
    online, offline = _stores(group, request)
    identifier, text = request["RecordIdentifierValueAsString"], request["EventTime"]
    key = group["RecordIdentifierFeatureName"]
    if not identifier:
        raise _refused(f"the record has no value of {key}.")
    _check(key, groups.types(group)[key], identifier)
    write = Write(
        store=group["_store"],
        identifier=identifier,
        event_time=_event_time(group, text),
        body={key: identifier, group["EventTimeFeatureName"]: text},
        deleted=True,
        online=online,
        offline=offline,
    )
    store = feature_store(ctx)
    if online and request.get("DeletionMode") == "HardDelete":
        try:
            store.records.remove(write)
        except NotLater as error:
            raise _refused(f"EventTime {text} is not later than that of the record in the {ONLINE}.") from error
    else:
        store.records.put(write)
    if offline:
        store.arrived()
    return {}
