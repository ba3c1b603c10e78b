"""
Crawls as threads of the server: started, stopped, finished.

A crawl that the server's end interrupts is run again, under its id, when the server is back: crawling twice does no
harm. One that is interrupted a second time is FAILED, so that no crawl can take the server down for ever.
"""

from __future__ import annotations

import logging
import statistics
import threading
import uuid
from typing import Any

from botocore.exceptions import ClientError

from localaws.core.context import Context
from localaws.core.errors import AwsError
from localaws.glue.crawling.catalog import Changes
from localaws.glue.crawling.crawl import Cancelled, CrawlFailed, crawl
from localaws.glue.crawling.log import GROUP, CrawlLog

_LOG = logging.getLogger(__name__)
_HISTORY = 1000
_INTERRUPTED = "Internal Service Exception: the server ended during the crawl, for the second time"
#: how long an orderly stop of the server waits for crawls to notice.
_STOP_SECONDS = 5

_lock = threading.Lock()
_running: dict[str, tuple[threading.Thread, threading.Event]] = {}
_shutting_down = threading.Event()


def not_found(name: str) -> AwsError:
    """AWS's words for an unknown crawler."""
    return AwsError(f"Crawler entry with name {name} does not exist", code="EntityNotFoundException", status=400)


def begin(ctx: Context, name: str) -> None:
    """
    Start a crawl in a thread of its own.

    :raises AwsError: EntityNotFoundException, or CrawlerRunningException.
    """
    crawl_id = str(uuid.uuid4())
    started = ctx.now()

    def mark(crawler: dict[str, Any]) -> None:
        if crawler["State"] != "READY":
            message = f"Crawler with name {name} has already started"
            raise AwsError(message, code="CrawlerRunningException", status=400)
        crawler.update(State="RUNNING", _CrawlId=crawl_id, _Started=started, _Attempt=1)

    entry = {"CrawlId": crawl_id, "State": "RUNNING", "StartTime": started, **_log_names(name, crawl_id)}
    with ctx.store.transaction():
        if ctx.store.update("crawler", name, mark) is None:
            raise not_found(name)
        _remember(ctx, name, entry)
        # Inside the transaction: whoever reads RUNNING finds the thread.
        thread = _thread(ctx, name, crawl_id)
    thread.start()


def _thread(ctx: Context, name: str, crawl_id: str) -> threading.Thread:
    cancelled = threading.Event()
    thread = threading.Thread(target=_run, args=(ctx, name, crawl_id, cancelled), name=f"crawl-{name}", daemon=True)
    with _lock:
        _running[name] = (thread, cancelled)
    return thread


def cancel(ctx: Context, name: str) -> None:
    """
    Ask a crawl to stop; it ends CANCELLED as soon as it notices.

    :raises AwsError: EntityNotFoundException, CrawlerNotRunningException or CrawlerStoppingException.
    """

    def mark(crawler: dict[str, Any]) -> None:
        if crawler["State"] == "READY":
            raise AwsError(f"Crawler with name {name} isn't running", code="CrawlerNotRunningException", status=400)
        if crawler["State"] == "STOPPING":
            raise AwsError(f"Crawler with name {name} is stopping", code="CrawlerStoppingException", status=400)
        crawler.update(State="STOPPING", _Cancelled=True)

    if ctx.store.update("crawler", name, mark) is None:
        raise not_found(name)
    with _lock:
        entry = _running.get(name)
    if entry:
        entry[1].set()


def _run(ctx: Context, name: str, crawl_id: str, cancelled: threading.Event) -> None:
    log = CrawlLog(ctx.client("logs"), name, crawl_id)
    status, error, changes = "FAILED", "", Changes()
    try:
        crawler = ctx.store.get("crawler", name)
        if crawler is None:
            raise CrawlFailed("the crawler was deleted")
        crawl(ctx, crawler, crawl_id, cancelled, log, changes)
        status = "SUCCEEDED"
    except Cancelled:
        if _shutting_down.is_set():
            log("WARN", "The server stops; it crawls again when it is back")
            log.flush()
            return
        status = "CANCELLED"
        log("INFO", "The crawl was stopped")
    except (CrawlFailed, ClientError) as reason:
        error = str(reason)
    except Exception as reason:  # the thread's outermost frame: a crawler must not stay RUNNING for ever
        _LOG.exception("crawl %s of crawler %s failed", crawl_id, name)
        error = f"Internal Service Exception: {reason}"
    if error:
        log("ERROR", error)
    finish(ctx, name, status, error, changes, log)
    with _lock:
        # Since it is READY again, the next crawl may have begun.
        if _running.get(name, (None,))[0] is threading.current_thread():
            del _running[name]


def finish(ctx: Context, name: str, status: str, error: str, changes: Changes, log: CrawlLog) -> None:
    """Go from STOPPING to READY, with LastCrawl, metrics and history written."""
    ended = ctx.now()
    ctx.store.update("crawler", name, lambda crawler: crawler.update(State="STOPPING"))
    log("BENCHMARK", "Crawler has finished running and is in state READY")
    log.flush()

    def close(crawler: dict[str, Any]) -> None:
        started, crawl_id = crawler.pop("_Started"), crawler.pop("_CrawlId")
        crawler.pop("_Attempt", None)
        crawler.pop("_Cancelled", None)
        crawler["State"] = "READY"
        crawler["LastCrawl"] = {"Status": status, "StartTime": started, **_log_names(name, crawl_id)}
        if error:
            crawler["LastCrawl"]["ErrorMessage"] = error[:2048]
        runtimes = [*crawler.get("_Runtimes", []), (ended - started).total_seconds()][-_HISTORY:]
        crawler["_Runtimes"] = runtimes
        crawler["_Metrics"] = {
            "LastRuntimeSeconds": runtimes[-1],
            "MedianRuntimeSeconds": statistics.median(runtimes),
            "TablesCreated": len(changes.tables_created),
            "TablesUpdated": len(changes.tables_updated),
            "TablesDeleted": len(changes.tables_deleted),
        }

    with ctx.store.transaction():
        _close_history(ctx, name, status, error, changes)
        ctx.store.update("crawler", name, close)


def recover(ctx: Context) -> None:
    """At a server's start: run again what its end interrupted, or end it."""
    for crawler in ctx.store.all("crawler"):
        name = crawler["Name"]
        with _lock:
            if crawler["State"] == "READY" or name in _running:
                continue
        log = CrawlLog(ctx.client("logs"), name, crawler["_CrawlId"])
        if crawler.get("_Cancelled"):
            finish(ctx, name, "CANCELLED", "", Changes(), log)
        elif crawler["_Attempt"] > 1:
            log("ERROR", _INTERRUPTED)
            finish(ctx, name, "FAILED", _INTERRUPTED, Changes(), log)
        else:
            log("WARN", "The server ended during the crawl; it begins again")
            log.flush()
            ctx.store.update("crawler", name, lambda record: record.update(State="RUNNING", _Attempt=2))
            _thread(ctx, name, crawler["_CrawlId"]).start()


def shut_down() -> None:
    """At an orderly stop of the server: end the threads, and wait a little for them; the crawls go on at its start."""
    _shutting_down.set()
    with _lock:
        entries = list(_running.values())
    for _, cancelled in entries:
        cancelled.set()
    for thread, _ in entries:
        thread.join(_STOP_SECONDS)


def _log_names(name: str, crawl_id: str) -> dict[str, str]:
    return {"LogGroup": GROUP, "LogStream": name, "MessagePrefix": crawl_id}


def _remember(ctx: Context, name: str, entry: dict[str, Any]) -> None:
    history = ctx.store.get("crawl-history", name) or {"Crawls": []}
    history["Crawls"] = [entry, *history["Crawls"]][:_HISTORY]
    ctx.store.put("crawl-history", name, history)


def _close_history(ctx: Context, name: str, status: str, error: str, changes: Changes) -> None:
    state = {"SUCCEEDED": "COMPLETED", "CANCELLED": "STOPPED", "FAILED": "FAILED"}[status]

    def close(history: dict[str, Any]) -> None:
        entry = history["Crawls"][0]
        entry.update(State=state, EndTime=ctx.now(), DPUHour=0.0, Summary=_summary(changes))
        if error:
            entry["ErrorMessage"] = error[:2048]

    ctx.store.update("crawl-history", name, close)


def _summary(changes: Changes) -> str:
    counts = {
        "TABLE": (changes.tables_created, changes.tables_updated, changes.tables_deleted),
        "PARTITION": (changes.partitions_created, changes.partitions_updated, changes.partitions_deleted),
    }
    parts = [
        f'"{kind}":{{"ADD":{len(added)},"UPDATE":{len(updated)},"DELETE":{len(deleted)}}}'
        for kind, (added, updated, deleted) in counts.items()
    ]
    return f"{{{','.join(parts)}}}"
