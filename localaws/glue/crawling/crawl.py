"""One crawl from its beginning to its end: list, classify, group, write."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from localaws.core.context import Context
from localaws.glue.crawling import configuration
from localaws.glue.crawling.catalog import Catalog, Changes
from localaws.glue.crawling.classify import BUILT_IN, Classifier, classify, custom
from localaws.glue.crawling.definition import Author
from localaws.glue.crawling.grouping import group
from localaws.glue.crawling.log import CrawlLog
from localaws.glue.crawling.sampling import ObjectReader
from localaws.glue.crawling.targets import Folder, Location, S3Object, list_target


class Cancelled(Exception):
    """The crawl was asked to stop."""


class CrawlFailed(Exception):
    """The crawl cannot go on; the text is LastCrawl's ErrorMessage."""


def crawl(
    ctx: Context,
    crawler: dict[str, Any],
    crawl_id: str,
    cancelled: threading.Event,
    log: CrawlLog,
    changes: Changes,
) -> None:
    """
    Crawl all targets of a crawler (GetCrawler's shape) and write what was found.

    :param changes: filled in as the catalog is written, so that a failed crawl tells what it did until then.
    :raises Cancelled: the event was set; tables that were written until then stay.
    :raises CrawlFailed: no such bucket or classifier.
    """
    log("BENCHMARK", f"Running Start Crawl for Crawler {crawler['Name']}")
    catalog = _open_catalog(ctx, crawler, log, changes)
    classifiers = _classifiers(ctx, crawler)
    targets = crawler["Targets"]["S3Targets"]
    trees = [_classified(ctx, target, classifiers, cancelled, log) for target in targets]
    database = crawler["DatabaseName"]
    log("BENCHMARK", f"Classification complete, writing results to database {database}")
    log.flush()
    policy = configuration.grouping_policy(crawler.get("Configuration"))
    for target, tree in zip(targets, trees, strict=True):
        author = Author(crawler["Name"], crawl_id, tuple(target.get("Exclusions", ())))
        for found in group(tree, policy):
            _go_on(cancelled)
            catalog.write(found, Location.parse(target["Path"]), author)
    locations = [Location.parse(target["Path"]) for target in targets]
    catalog.remove_missing(crawler["Name"], [location.uri(location.prefix) for location in locations])
    log("BENCHMARK", "Finished writing to Catalog")
    _summarise(changes, log)


def _open_catalog(ctx: Context, crawler: dict[str, Any], log: CrawlLog, changes: Changes) -> Catalog:
    policy = configuration.catalog_policy(crawler.get("Configuration"), crawler["SchemaChangePolicy"])
    glue, database = ctx.client("glue"), crawler["DatabaseName"]
    if _create_database(glue, database):
        log("INFO", f"Created database {database}")
    return Catalog(glue, database, crawler.get("TablePrefix", ""), policy, log, changes)


def _create_database(glue: Any, name: str) -> bool:
    """Create the crawler's database unless it exists, as Glue does, and return True if this created it."""
    try:
        glue.create_database(DatabaseInput={"Name": name})
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise
        return False
    return True


def _classifiers(ctx: Context, crawler: dict[str, Any]) -> Sequence[Classifier]:
    chosen = []
    for name in crawler.get("Classifiers", ()):
        record = ctx.store.get("classifier", name)
        if record is None:
            raise CrawlFailed(f"Classifier {name} not found.")
        chosen.append(custom(record))
    return [*chosen, *BUILT_IN]


def _classified(
    ctx: Context, target: dict[str, Any], classifiers: Sequence[Classifier], cancelled: threading.Event, log: CrawlLog
) -> Folder:
    s3, path = ctx.client("s3"), target["Path"]
    try:
        tree = list_target(s3, path, target.get("Exclusions", []), target.get("SampleSize"))
    except ClientError as error:
        raise CrawlFailed(f"{path}: {error.response['Error']['Message']}") from error
    if not any(True for _ in tree.leaves()):
        log("WARN", f"Nothing to crawl in {path}: no object, or only empty, hidden or excluded ones")
    bucket = Location.parse(path).bucket
    for folder in tree.leaves():
        folder.objects = [
            classified
            for item in folder.objects
            if (classified := _classify(s3, bucket, item, classifiers, cancelled, log))
        ]
    return tree


def _classify(
    s3: Any,
    bucket: str,
    item: S3Object,
    classifiers: Sequence[Classifier],
    cancelled: threading.Event,
    log: CrawlLog,
) -> S3Object | None:
    _go_on(cancelled)
    uri = f"s3://{bucket}/{item.key}"
    try:
        found = classify(ObjectReader(s3, bucket, item.key, item.size), classifiers)
    except ClientError as error:
        # Deleted or overwritten by a shorter one since it was listed.
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404", "InvalidRange"):
            raise
        log("WARN", f"{uri} went away during the crawl")
        return None
    for note in found.notes:
        unknown = found.format.classification == "UNKNOWN"
        log("WARN", f"Classification of {uri} is UNKNOWN: {note}" if unknown else f"{uri}: {note}")
    return dataclasses.replace(item, found=found)


def _go_on(cancelled: threading.Event) -> None:
    if cancelled.is_set():
        raise Cancelled


def _summarise(changes: Changes, log: CrawlLog) -> None:
    for kind in ("table", "partition"):
        log("INFO", f"Run Summary For {kind.upper()}:")
        for verb, what in (("ADD", "created"), ("UPDATE", "updated"), ("DELETE", "deleted")):
            if names := getattr(changes, f"{kind}s_{what}"):
                log("INFO", f"{verb}: {len(names)}")
