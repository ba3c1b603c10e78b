"""Athena work groups."""

from __future__ import annotations

from typing import Any

from localaws.athena.execution import KIND as QUERIES
from localaws.athena.paging import invalid, page
from localaws.athena.work_groups import KIND, get, new
from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws
from localaws.core.operations import Service

work_group = Service("athena", resource="work-group")
work_group.only_kept("nothing acts on tags", "ListTagsForResource", "TagResource", "UntagResource")

_RESULT = ("OutputLocation", "EncryptionConfiguration", "ExpectedBucketOwner", "AclConfiguration")
_PLAIN = (
    "EnforceWorkGroupConfiguration",
    "PublishCloudWatchMetricsEnabled",
    "BytesScannedCutoffPerQuery",
    "RequesterPaysEnabled",
    "AdditionalConfiguration",
    "ExecutionRole",
    "EnableMinimumEncryptionConfiguration",
)


@work_group.operation
def create_work_group(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Store a work group; its settings are enforced unless the request says otherwise, as on AWS."""
    name, settings = request["Name"], request.get("Configuration") or {}
    _refuse(settings, "CreateWorkGroup")
    _check_location((settings.get("ResultConfiguration") or {}).get("OutputLocation"))
    record = new(name, settings, enforce=True, ctx=ctx)
    if request.get("Description"):
        record["Description"] = request["Description"]
    record["_tags"] = request.get("Tags", [])
    if name == "primary" or not ctx.store.insert(KIND, name, record):
        raise invalid("WorkGroup is already created")
    return {}


def _refuse(settings: dict[str, Any], operation: str) -> None:
    """Refuse settings that localaws cannot follow."""
    managed = (
        settings.get("ManagedQueryResultsConfiguration")
        or settings.get("ManagedQueryResultsConfigurationUpdates")
        or {}
    )
    engine = (settings.get("EngineVersion") or {}).get("SelectedEngineVersion", "AUTO")
    if managed.get("Enabled"):
        raise NotImplementedByLocalAws(f"{operation}: managed query results")
    if engine not in ("AUTO", "Athena engine version 3"):
        raise NotImplementedByLocalAws(f"{operation}: {engine}")
    if settings.get("IdentityCenterConfiguration") or settings.get("CustomerContentEncryptionConfiguration"):
        raise NotImplementedByLocalAws(f"{operation}: Identity Center and customer content encryption")


def _check_location(location: str | None) -> None:
    if location is not None and not location.startswith("s3://"):
        raise invalid("outputLocation is not a valid S3 path.")


@work_group.operation
def get_work_group(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return one work group."""
    return {"WorkGroup": get(ctx, request["WorkGroup"])}


@work_group.operation
def list_work_groups(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return all work groups by name."""
    get(ctx, "primary")
    listed, more = page(sorted(ctx.store.all(KIND), key=lambda record: record["Name"]), request)
    summaries = [
        {
            "Name": record["Name"],
            "State": record["State"],
            "Description": record.get("Description", ""),
            "CreationTime": record["CreationTime"],
            "EngineVersion": record["Configuration"]["EngineVersion"],
        }
        for record in listed
    ]
    return {"WorkGroups": summaries, **more}


@work_group.operation
def update_work_group(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Change what the request has."""
    get(ctx, request["WorkGroup"])
    updates = request.get("ConfigurationUpdates") or {}
    _refuse(updates, "UpdateWorkGroup")
    _check_location((updates.get("ResultConfigurationUpdates") or {}).get("OutputLocation"))

    def change(record: dict[str, Any]) -> None:
        for member in ("Description", "State"):
            if member in request:
                record[member] = request[member]
        settings = record["Configuration"]
        settings.update({key: updates[key] for key in _PLAIN if key in updates})
        if updates.get("RemoveBytesScannedCutoffPerQuery"):
            settings.pop("BytesScannedCutoffPerQuery", None)
        result, changed = (
            settings.setdefault("ResultConfiguration", {}),
            updates.get("ResultConfigurationUpdates") or {},
        )
        for member in _RESULT:
            if member in changed:
                result[member] = changed[member]
            if changed.get(f"Remove{member}"):
                result.pop(member, None)

    ctx.store.update(KIND, request["WorkGroup"], change)
    return {}


@work_group.operation
def delete_work_group(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Remove a work group; one with queries in it only recursively, and then they go with it."""
    name = request["WorkGroup"]
    if name == "primary":
        raise invalid("Primary WorkGroup could not be deleted")
    get(ctx, name)
    inside = {kind: [r for r in ctx.store.all(kind) if r["WorkGroup"] == name] for kind in (QUERIES, "named-query")}
    if any(inside.values()) and not request.get("RecursiveDeleteOption"):
        raise invalid(f"WorkGroup {name} is not empty")
    for record in inside[QUERIES]:
        ctx.store.delete(QUERIES, record["QueryExecutionId"])
    for record in inside["named-query"]:
        ctx.store.delete("named-query", record["NamedQueryId"])
    ctx.store.delete(KIND, name)
    return {}


def _tagged(request: dict[str, Any], ctx: Context) -> str:
    """Return the name of the work group that an ARN names."""
    arn = request["ResourceARN"]
    prefix = ctx.arn("athena", "workgroup/")
    if not arn.startswith(prefix):
        raise invalid(f"Resource not found: {arn}")
    return str(get(ctx, arn.removeprefix(prefix))["Name"])


@work_group.operation
def tag_resource(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Add tags to a work group."""

    def change(record: dict[str, Any]) -> None:
        merged = {tag["Key"]: tag for tag in [*record.get("_tags", []), *request["Tags"]]}
        record["_tags"] = list(merged.values())

    ctx.store.update(KIND, _tagged(request, ctx), change)
    return {}


@work_group.operation
def untag_resource(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Take tags from a work group."""

    def change(record: dict[str, Any]) -> None:
        record["_tags"] = [tag for tag in record.get("_tags", []) if tag["Key"] not in request["TagKeys"]]

    ctx.store.update(KIND, _tagged(request, ctx), change)
    return {}


@work_group.operation
def list_tags_for_resource(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List the tags of a work group."""
    tags, more = page(get(ctx, _tagged(request, ctx)).get("_tags", []), request, size=75)
    return {"Tags": tags, **more}


@work_group.operation
def list_engine_versions(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List the one engine version there is."""
    return {"EngineVersions": [dict(get(ctx, "primary")["Configuration"]["EngineVersion"])]}
