"""Glue crawlers: what they are. Their runs stand in crawl.py, their schedules in crawler_schedule.py."""

from __future__ import annotations

from typing import Any

from localaws.core import cron
from localaws.core.context import Context
from localaws.core.errors import AlreadyExistsException, AwsError, NotImplementedByLocalAws
from localaws.core.operations import Service
from localaws.core.pagination import page
from localaws.glue.crawling import configuration, runs, scheduler, targets

crawler = Service("glue", resource="crawler")

_TARGET_KINDS = (
    "S3Targets",
    "JdbcTargets",
    "MongoDBTargets",
    "DynamoDBTargets",
    "CatalogTargets",
    "DeltaTargets",
    "IcebergTargets",
    "HudiTargets",
)
#: members of CreateCrawler that become members of the crawler as they are.
_PLAIN = (
    "DatabaseName",
    "Description",
    "TablePrefix",
    "Classifiers",
    "Configuration",
    "SchemaChangePolicy",
    "RecrawlPolicy",
    "LineageConfiguration",
    "LakeFormationConfiguration",
)


@crawler.operation
def create_crawler(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Store a crawler, READY. What localaws would not honour is refused."""
    name = request["Name"]
    now = ctx.now()
    record = {
        "Name": name,
        "DatabaseName": "default",
        "Classifiers": [],
        "RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVERYTHING"},
        "SchemaChangePolicy": {},
        "LineageConfiguration": {"CrawlerLineageSettings": "DISABLE"},
        "LakeFormationConfiguration": {"UseLakeFormationCredentials": False, "AccountId": ""},
        "State": "READY",
        "CreationTime": now,
        "LastUpdated": now,
        "Version": 1,
    }
    _apply(record, request, ctx)
    if not ctx.store.insert("crawler", name, record):
        raise AlreadyExistsException(f"Crawler with name {name} already exists")
    if request.get("Tags"):
        ctx.client("glue").tag_resource(ResourceArn=_arn(ctx, name), TagsToAdd=request["Tags"])
    scheduler.notice()
    return {}


@crawler.operation
def update_crawler(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Change the members that the request has."""
    name = request["Name"]

    def change(record: dict[str, Any]) -> None:
        if record["State"] != "READY":
            raise _running(name)
        _apply(record, request, ctx)
        record.update(LastUpdated=ctx.now(), Version=record["Version"] + 1)

    if ctx.store.update("crawler", name, change) is None:
        raise runs.not_found(name)
    scheduler.notice()
    return {}


@crawler.operation
def get_crawler(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return one crawler, with its state and its last crawl."""
    return {"Crawler": _shown(_found(request["Name"], ctx), ctx)}


@crawler.operation
def batch_get_crawlers(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return several crawlers, and the names of those that are not there."""
    records = {name: ctx.store.get("crawler", name) for name in request["CrawlerNames"]}
    return {
        "Crawlers": [_shown(record, ctx) for record in records.values() if record],
        "CrawlersNotFound": [name for name, record in records.items() if record is None],
    }


@crawler.operation
def get_crawlers(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return all crawlers, paged."""
    records, more = page(ctx.store.all("crawler"), request, default_size=100)
    return {"Crawlers": [_shown(record, ctx) for record in records], **more}


@crawler.operation
def list_crawlers(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List the names of all crawlers, or of those with all the given tags, paged."""
    names = [record["Name"] for record in ctx.store.all("crawler")]
    if wanted := request.get("Tags"):
        names = [name for name in names if wanted.items() <= _tags(ctx, name).items()]
    chosen, more = page(names, request, default_size=100)
    return {"CrawlerNames": chosen, **more}


@crawler.operation
def delete_crawler(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Remove a crawler with its history; its tables stay."""
    name = request["Name"]
    with ctx.store.transaction():
        if _found(name, ctx)["State"] != "READY":
            raise _running(name)
        ctx.store.delete("crawler", name)
        ctx.store.delete("crawl-history", name)
    if tags := _tags(ctx, name):
        ctx.client("glue").untag_resource(ResourceArn=_arn(ctx, name), TagsToRemove=list(tags))
    scheduler.notice()
    return {}


@crawler.operation
def get_crawler_metrics(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Run times in seconds, and how many tables the last crawl created, updated and deleted."""
    wanted = request.get("CrawlerNameList")
    records = [record for record in ctx.store.all("crawler") if not wanted or record["Name"] in wanted]
    chosen, more = page(records, request, default_size=100)
    return {"CrawlerMetricsList": [_metrics(record) for record in chosen], **more}


def _metrics(record: dict[str, Any]) -> dict[str, Any]:
    none_yet = {
        "LastRuntimeSeconds": 0.0,
        "MedianRuntimeSeconds": 0.0,
        "TablesCreated": 0,
        "TablesUpdated": 0,
        "TablesDeleted": 0,
    }
    return {
        "CrawlerName": record["Name"],
        "TimeLeftSeconds": 0.0,
        "StillEstimating": record["State"] == "RUNNING",
        **record.get("_Metrics", none_yet),
    }


def _apply(record: dict[str, Any], request: dict[str, Any], ctx: Context) -> None:
    """Check a create or update request and take over what it sets."""
    _refuse_what_is_not_done(request)
    record.update({key: request[key] for key in _PLAIN if key in request})
    policy = record["SchemaChangePolicy"]
    policy.setdefault("UpdateBehavior", "UPDATE_IN_DATABASE")
    policy.setdefault("DeleteBehavior", "DEPRECATE_IN_DATABASE")
    if "Role" in request:
        # Glue shows the name (with its path) of a role that was given as an ARN.
        record["Role"] = request["Role"].partition(":role/")[2] or request["Role"]
    if "Targets" in request:
        record["Targets"] = {kind: [] for kind in _TARGET_KINDS} | {"S3Targets": _s3_targets(request["Targets"])}
    for name in request.get("Classifiers", ()):
        if ctx.store.get("classifier", name) is None:
            raise _invalid(f"Classifier {name} does not exist")
    if "Schedule" in request:
        set_schedule(record, request["Schedule"])


def set_schedule(record: dict[str, Any], expression: str) -> None:
    """
    Give a crawler a schedule, running, or take it away with an empty expression.

    :raises AwsError: InvalidInputException, or not implemented.
    """
    record.pop("Schedule", None)
    if not expression:
        return
    try:
        cron.Cron.parse(expression)
    except ValueError as error:
        raise _invalid(f"Invalid schedule: {error}") from error
    except NotImplementedError as error:
        raise NotImplementedByLocalAws(f"{error} is not implemented by localaws") from error
    record["Schedule"] = {"ScheduleExpression": expression, "State": "SCHEDULED"}


def _refuse_what_is_not_done(request: dict[str, Any]) -> None:
    refused = [kind for kind in _TARGET_KINDS[1:] if request.get("Targets", {}).get(kind)]
    for target in request.get("Targets", {}).get("S3Targets", ()):
        refused += [key for key in ("ConnectionName", "EventQueueArn", "DlqEventQueueArn") if target.get(key)]
    behaviour = request.get("RecrawlPolicy", {}).get("RecrawlBehavior", "CRAWL_EVERYTHING")
    if behaviour != "CRAWL_EVERYTHING":
        refused.append(f"RecrawlBehavior {behaviour}")
    if request.get("LineageConfiguration", {}).get("CrawlerLineageSettings") == "ENABLE":
        refused.append("CrawlerLineageSettings ENABLE")
    if request.get("LakeFormationConfiguration", {}).get("UseLakeFormationCredentials"):
        refused.append("UseLakeFormationCredentials")
    if request.get("CrawlerSecurityConfiguration"):
        refused.append("CrawlerSecurityConfiguration")
    try:
        configuration.parse(request.get("Configuration"))
    except ValueError as error:
        raise _invalid(str(error)) from error
    except NotImplementedError as error:
        refused.append(str(error))
    if refused:
        raise NotImplementedByLocalAws(f"glue crawlers: {', '.join(refused)}: not implemented by localaws")


def _s3_targets(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    chosen = wanted.get("S3Targets", [])
    if not chosen:
        raise _invalid("At least one target must be specified")
    for target in chosen:
        try:
            targets.Location.parse(target.get("Path", ""))
            for pattern in target.get("Exclusions", ()):
                targets.glob(pattern)
        except ValueError as error:
            raise _invalid(f"Invalid target: {error}") from error
        if not 1 <= target.get("SampleSize", 1) <= 249:
            raise _invalid("SampleSize must be from 1 to 249")
    return [{"Exclusions": [], **target} for target in chosen]


def _shown(record: dict[str, Any], ctx: Context) -> dict[str, Any]:
    started = record.get("_Started")
    elapsed = int((ctx.now() - started).total_seconds() * 1000) if started else 0
    return {**record, "CrawlElapsedTime": elapsed}


def _found(name: str, ctx: Context) -> dict[str, Any]:
    record = ctx.store.get("crawler", name)
    if record is None:
        raise runs.not_found(name)
    return record


def _arn(ctx: Context, name: str) -> str:
    return ctx.arn("glue", f"crawler/{name}")


def _tags(ctx: Context, name: str) -> dict[str, str]:
    tags: dict[str, str] = ctx.client("glue").get_tags(ResourceArn=_arn(ctx, name))["Tags"]
    return tags


def _running(name: str) -> AwsError:
    return AwsError(f"Crawler with name {name} is running", code="CrawlerRunningException", status=400)


def _invalid(message: str) -> AwsError:
    return AwsError(message, code="InvalidInputException", status=400)
