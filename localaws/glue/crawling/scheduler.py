"""Starts scheduled crawlers when their cron expressions fire; what fell due while the server was down is lost."""

from __future__ import annotations

import logging
import threading
from datetime import datetime

from localaws.core.context import Context
from localaws.core.cron import Cron
from localaws.core.errors import AwsError
from localaws.glue.crawling import runs

_LOG = logging.getLogger(__name__)
#: the clock may be set, or the machine sleep: look again at least this often while anything is scheduled.
_LOOK_AGAIN_SECONDS = 60.0

_wake = threading.Event()
_stop = threading.Event()


def start(ctx: Context) -> None:
    """Run the scheduler in a thread of its own until :func:`stop`."""
    threading.Thread(target=_loop, args=(ctx, ctx.now()), name="crawler-scheduler", daemon=True).start()


def notice() -> None:
    """Wake the scheduler: a schedule was set, changed or removed."""
    _wake.set()


def stop() -> None:
    """End the thread."""
    _stop.set()
    _wake.set()


def _loop(ctx: Context, since: datetime) -> None:
    while not _stop.is_set():
        now = ctx.now()
        try:
            fire_due(ctx, since, now)
            seconds = _seconds_to_next(ctx, now)
        except Exception:  # the thread's outermost frame: one bad crawler must not end all schedules
            _LOG.exception("the crawler scheduler failed; it continues")
            seconds = _LOOK_AGAIN_SECONDS
        since = now
        _wake.wait(seconds)
        _wake.clear()


def fire_due(ctx: Context, since: datetime, now: datetime) -> None:
    """Start each scheduled crawler whose expression fires in ``since`` < t <= ``now``; once, however often it does."""
    for name, cron in _scheduled(ctx):
        due = cron.next_after(since)
        if due is None or due > now:
            continue
        try:
            runs.begin(ctx, name)
        except AwsError as error:
            _LOG.warning("scheduled crawl of %s not started: %s", name, error.message)


def _seconds_to_next(ctx: Context, now: datetime) -> float | None:
    moments = [due for _, cron in _scheduled(ctx) if (due := cron.next_after(now))]
    if not moments:
        return None
    return min(max((min(moments) - now).total_seconds(), 0.0), _LOOK_AGAIN_SECONDS)


def _scheduled(ctx: Context) -> list[tuple[str, Cron]]:
    return [
        (crawler["Name"], Cron.parse(crawler["Schedule"]["ScheduleExpression"]))
        for crawler in ctx.store.all("crawler")
        if crawler.get("Schedule", {}).get("State") == "SCHEDULED"
    ]
