"""The scheduler against a clock that the test sets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from localaws.core.context import Context
from localaws.core.credentials import Credentials
from localaws.core.errors import AwsError
from localaws.core.store import Store
from localaws.glue.crawling import runs, scheduler

NOON = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)


class Clocked(Context):
    """A context whose present is set by hand."""

    present = NOON

    def now(self) -> datetime:  # type: ignore[override]
        return type(self).present


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[Clocked]:
    Clocked.present = NOON
    store = Store(":memory:")
    yield Clocked(tmp_path, "http://127.0.0.1:1", "us-east-1", store, Credentials("key", "secret"))
    store.close()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(runs, "begin", lambda ctx, name: names.append(name))
    return names


def schedule(ctx: Context, name: str, expression: str, state: str = "SCHEDULED") -> None:
    crawler = {"Name": name, "Schedule": {"ScheduleExpression": expression, "State": state}}
    ctx.store.put("crawler", name, crawler)


def test_only_what_falls_due_in_between_starts_and_once(ctx: Clocked, started: list[str]) -> None:
    schedule(ctx, "each-minute", "cron(* * * * ? *)")
    schedule(ctx, "at-five", "cron(5 12 * * ? *)")
    schedule(ctx, "later", "cron(6 12 * * ? *)")
    schedule(ctx, "off", "cron(* * * * ? *)", "NOT_SCHEDULED")
    ctx.store.put("crawler", "none", {"Name": "none"})
    scheduler.fire_due(ctx, NOON, NOON + timedelta(minutes=4, seconds=30))
    assert started == ["each-minute", "at-five"]
    scheduler.fire_due(ctx, NOON, NOON)
    assert started == ["each-minute", "at-five"]


def test_crawler_that_still_runs_is_passed_over(ctx: Clocked, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(ctx: Context, name: str) -> None:
        begun.append(name)
        raise AwsError("already started", code="CrawlerRunningException", status=400)

    begun: list[str] = []
    monkeypatch.setattr(runs, "begin", busy)
    schedule(ctx, "one", "cron(* * * * ? *)")
    schedule(ctx, "two", "cron(* * * * ? *)")
    scheduler.fire_due(ctx, NOON, NOON + timedelta(minutes=1))
    assert begun == ["one", "two"]


def test_thread_fires_when_the_clock_has_come_there_and_ends_when_told(
    ctx: Clocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    fired = threading.Event()
    asked: list[Any] = []

    def begin(ctx: Context, name: str) -> None:
        asked.append(name)
        fired.set()

    monkeypatch.setattr(runs, "begin", begin)
    monkeypatch.setattr(scheduler, "_stop", threading.Event())
    monkeypatch.setattr(scheduler, "_wake", threading.Event())
    schedule(ctx, "soon", "cron(1 12 * * ? *)")
    scheduler.start(ctx)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "crawler-scheduler"]
    Clocked.present = NOON + timedelta(minutes=1)
    scheduler.notice()
    assert fired.wait(30)
    scheduler.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert asked == ["soon"]
