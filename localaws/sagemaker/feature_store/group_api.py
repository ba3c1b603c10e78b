"""SageMaker feature groups: the definition of features, and where their records are kept."""

from __future__ import annotations

import logging
import threading
import uuid
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws, ResourceInUse, ResourceLimitExceeded, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.feature_store import groups, offline
from localaws.sagemaker.feature_store.flusher import feature_store
from localaws.sagemaker.feature_store.groups import Group
from localaws.sagemaker.tags import api as tags

log = logging.getLogger("localaws")

feature_group = Service("sagemaker", resource="feature-group")

#: columns of the offline store that are its own.
_RESERVED = frozenset({*offline.ADDED, *offline.PARTITION_KEYS})
_MOST_FEATURES = 2500


@feature_group.operation
def create_feature_group(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Define a group; its bucket is checked and its table made in the background."""
    _check_stores(request)
    _check_features(request["FeatureDefinitions"])
    _check_roles(request)
    name = request["FeatureGroupName"]
    record = _record(request, ctx)
    with ctx.store.transaction():
        if not ctx.store.insert(groups.KIND, name, record):
            raise ResourceInUse(f"Resource Already Exists: FeatureGroup with name {name} already exists.")
        tags.put(ctx, record["FeatureGroupArn"], request.get("Tags", []))
    _in_background(_provision, ctx, name)
    return {"FeatureGroupArn": record["FeatureGroupArn"]}


def _check_stores(request: dict[str, Any]) -> None:
    online, with_offline = request.get("OnlineStoreConfig", {}), request.get("OfflineStoreConfig")
    if not online.get("EnableOnlineStore") and with_offline is None:
        raise ValidationException(
            "Validation Error: at least one of OnlineStoreConfig and OfflineStoreConfig is needed."
        )
    _refuse("OnlineStoreConfig.StorageType", online.get("StorageType"), but="Standard")
    _refuse("OnlineStoreConfig.SecurityConfig.KmsKeyId", online.get("SecurityConfig", {}).get("KmsKeyId"))
    _refuse("ThroughputMode", request.get("ThroughputConfig", {}).get("ThroughputMode"), but="OnDemand")
    _check_ttl(online.get("TtlDuration"))
    if with_offline is None:
        return
    storage = with_offline["S3StorageConfig"]
    _refuse("S3StorageConfig.KmsKeyId", storage.get("KmsKeyId"))
    if with_offline.get("TableFormat") == "Iceberg":
        _refuse("TableFormat", "Iceberg")
    if not storage["S3Uri"].startswith("s3://"):
        raise ValidationException(f"Validation Error: {storage['S3Uri']} is not an S3 URI.")
    if "RoleArn" not in request:
        raise ValidationException("Validation Error: RoleArn is needed where OfflineStoreConfig is given.")


def _refuse(member: str, value: str | None, *, but: str | None = None) -> None:
    if value is not None and value != but:
        raise NotImplementedByLocalAws(f"A feature group with {member} {value} is not implemented by localaws.")


def _check_ttl(ttl: dict[str, Any] | None) -> None:
    if ttl is not None and {"Unit", "Value"} - ttl.keys():
        raise ValidationException("Validation Error: TtlDuration needs Unit and Value.")


def _check_features(definitions: list[dict[str, Any]]) -> None:
    seen: set[str] = set()
    for definition in definitions:
        name = definition["FeatureName"]
        if "CollectionType" in definition:
            _refuse("CollectionType", definition["CollectionType"])
        if name.lower() in _RESERVED:
            raise ValidationException(f"Validation Error: {name} is a reserved feature name.")
        # The columns of the Glue table know no case.
        if name.lower() in seen:
            raise ValidationException(f"Validation Error: feature {name} is defined more than once.")
        seen.add(name.lower())


def _check_roles(request: dict[str, Any]) -> None:
    """Check that record identifier and event time are two features, the latter of a type that can be a time."""
    kinds = {each["FeatureName"]: each["FeatureType"] for each in request["FeatureDefinitions"]}
    for member in ("RecordIdentifierFeatureName", "EventTimeFeatureName"):
        if request[member] not in kinds:
            raise ValidationException(f"Validation Error: {member} {request[member]} is not in FeatureDefinitions.")
    if request["RecordIdentifierFeatureName"] == request["EventTimeFeatureName"]:
        raise ValidationException("Validation Error: the record identifier and the event time must be two features.")
    if kinds[request["EventTimeFeatureName"]] == "Integral":
        raise ValidationException("Validation Error: the event time feature must be of type String or Fractional.")


def _record(request: dict[str, Any], ctx: Context) -> Group:
    name, created = request["FeatureGroupName"], ctx.now()
    record = {key: value for key, value in request.items() if key != "Tags"}
    record |= {
        "FeatureGroupArn": groups.arn(ctx, name),
        "CreationTime": created,
        "LastModifiedTime": created,
        "FeatureGroupStatus": "Creating",
        "ThroughputConfig": {"ThroughputMode": "OnDemand"},
        "_store": uuid.uuid4().hex,
        "_metadata": {},
    }
    config = record.get("OfflineStoreConfig")
    if config is None:
        return record
    uri = offline.resolved_uri(ctx, config["S3StorageConfig"]["S3Uri"], name, created)
    config["S3StorageConfig"]["ResolvedOutputS3Uri"] = uri
    if config.setdefault("DisableGlueTableCreation", False):
        config.pop("DataCatalogConfig", None)
    else:
        default = {"TableName": offline.table_name(name, created), "Database": offline.DATABASE}
        config["DataCatalogConfig"] = {"Catalog": "AwsDataCatalog", **default, **config.get("DataCatalogConfig", {})}
    record["OfflineStoreStatus"] = {"Status": "Active"}
    return record


def _in_background(work: Any, ctx: Context, name: str) -> None:
    threading.Thread(target=work, args=(ctx, name), name=f"feature-group {name}", daemon=True).start()


def _provision(ctx: Context, name: str) -> None:
    group = ctx.store.get(groups.KIND, name)
    if group is None:
        return
    end: dict[str, Any] = {"FeatureGroupStatus": "Created"}
    try:
        if groups.offline(group):
            offline.check_bucket(ctx, group)
            if "DataCatalogConfig" in group["OfflineStoreConfig"]:
                offline.ensure_table(ctx, group)
    except (ClientError, BotoCoreError) as error:
        uri = group["OfflineStoreConfig"]["S3StorageConfig"]["S3Uri"]
        end = {"FeatureGroupStatus": "CreateFailed", "FailureReason": f"The offline store at {uri}: {error}"[:1024]}
    ctx.store.update(groups.KIND, name, lambda record: record.update(end))


@feature_group.operation
def describe_feature_group(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return all that was given, and what followed from it."""
    group = groups.find(ctx, request["FeatureGroupName"])
    if groups.online(group):
        group["OnlineStoreTotalSizeBytes"] = feature_store(ctx).records.size(group["_store"])
    return {**group, "NextToken": ""}


@feature_group.operation
def update_feature_group(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Add features, or change how long records live that are put from now on."""
    group = groups.find(ctx, request["FeatureGroupName"])
    name = group["FeatureGroupName"]
    if group["FeatureGroupStatus"] != "Created":
        raise ValidationException(f"Validation Error: FeatureGroup {name} is {group['FeatureGroupStatus']}.")
    config = request.get("OnlineStoreConfig", {})
    _refuse("OnlineStoreConfig.StorageType", config.get("StorageType"), but="Standard")
    _refuse("ThroughputMode", request.get("ThroughputConfig", {}).get("ThroughputMode"), but="OnDemand")
    _check_ttl(config.get("TtlDuration"))
    if config and not groups.online(group):
        raise ValidationException(f"Validation Error: FeatureGroup {name} has no online store.")
    additions = request.get("FeatureAdditions", [])

    def change(record: Group) -> None:
        definitions = record["FeatureDefinitions"] + additions
        if len(definitions) > _MOST_FEATURES:
            raise ResourceLimitExceeded(f"A feature group has at most {_MOST_FEATURES} features.")
        _check_features(definitions)
        record["FeatureDefinitions"] = definitions
        if config:
            record["OnlineStoreConfig"] |= config
        record["LastModifiedTime"] = ctx.now()
        record["LastUpdateStatus"] = {"Status": "Successful"}

    updated = ctx.store.update(groups.KIND, name, change)
    if additions and updated and "DataCatalogConfig" in updated.get("OfflineStoreConfig", {}):
        offline.update_table(ctx, updated)
    return {"FeatureGroupArn": group["FeatureGroupArn"]}


@feature_group.operation
def list_feature_groups(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List groups by name, status and time."""
    wanted = request.get("FeatureGroupStatusEquals"), request.get("OfflineStoreStatusEquals")
    found = [group for group in ctx.store.all(groups.KIND) if _is(group, *wanted)]
    chosen = pagination.select(
        found,
        request,
        name="FeatureGroupName",
        arranged={"FeatureGroupStatus": _status, "OfflineStoreStatus": _offline_status}.get(request.get("SortBy", "")),
    )
    page, more = pagination.page(chosen, request)
    return {"FeatureGroupSummaries": page, **more}


def _status(group: Group) -> str:
    return str(group["FeatureGroupStatus"])


def _offline_status(group: Group) -> str:
    return str(group.get("OfflineStoreStatus", {}).get("Status", "Disabled"))


def _is(group: Group, status: str | None, offline_status: str | None) -> bool:
    return status in (None, _status(group)) and offline_status in (None, _offline_status(group))


@feature_group.operation
def delete_feature_group(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete the group and its online store, in the background; data in S3 and the Glue table stay, as on AWS."""
    group = groups.find(ctx, request["FeatureGroupName"])
    name = group["FeatureGroupName"]
    if group["FeatureGroupStatus"] == "Creating":
        raise ValidationException(f"Validation Error: FeatureGroup {name} is Creating and cannot be deleted.")
    begun = []

    def change(record: dict[str, Any]) -> None:
        # One deletion: a second one could meet a group that was recreated under the name.
        if record["FeatureGroupStatus"] != "Deleting":
            record["FeatureGroupStatus"] = "Deleting"
            begun.append(True)

    ctx.store.update(groups.KIND, name, change)
    if begun:
        _in_background(_remove, ctx, name)
    return {}


def _remove(ctx: Context, name: str) -> None:
    group = ctx.store.get(groups.KIND, name)
    if group is None:
        return
    store = feature_store(ctx)
    if groups.offline(group) and not store.flush_group(group["_store"]):
        reason = "Records that were accepted cannot be written to the offline store."
        end = {"FeatureGroupStatus": "DeleteFailed", "FailureReason": reason}
        ctx.store.update(groups.KIND, name, lambda record: record.update(end))
        return
    with ctx.store.transaction():
        now = ctx.store.get(groups.KIND, name)
        # Not a group that was recreated under the name.
        if now is not None and now["_store"] == group["_store"]:
            ctx.store.delete(groups.KIND, name)
            tags.forget(ctx, group["FeatureGroupArn"])
    store.records.drop(group["_store"])


@feature_group.on_start
def recover(ctx: Context) -> None:
    """Go on with what the server's end interrupted."""
    feature_store(ctx).start()
    for group in ctx.store.all(groups.KIND):
        work = {"Creating": _provision, "Deleting": _remove}.get(group["FeatureGroupStatus"])
        if work:
            _in_background(work, ctx, group["FeatureGroupName"])


@feature_group.on_stop
def shut_down(ctx: Context) -> None:
    """Bring what is queued to the offline store before the server ends."""
    feature_store(ctx).stop()
