"""moto's lists that only grow: what is on disk of them, and that they do not grow for ever."""

from __future__ import annotations

import contextlib
import copy
import sqlite3
import time
from collections.abc import Iterator

import boto3
import pytest
from localaws_kit import LocalAws

from localaws.moto_bridge import series
from localaws.moto_bridge.series import Series


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    monkeypatch.setattr(series, "PIECE", 10)
    with contextlib.closing(sqlite3.connect(":memory:")) as opened:
        opened.executescript(series.SCHEMA)
        yield opened


def stored(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    return connection.execute("SELECT start, count FROM series ORDER BY start").fetchall()


def test_a_series_comes_back_as_it_was(connection: sqlite3.Connection) -> None:
    kept = Series(range(25))
    kept.wrote(kept.write(connection))
    again = series.restore(connection, kept.name)
    assert isinstance(again, Series) and again == list(range(25)) and not again.grown
    again += [25, 26]
    again.append(27)
    assert again.grown
    again.wrote(again.write(connection))
    assert series.restore(connection, kept.name) == list(range(28))


def test_only_what_is_new_is_stored_and_again_where_the_commit_failed(connection: sqlite3.Connection) -> None:
    kept = Series(range(25))
    kept.wrote(kept.write(connection))
    connection.commit()
    kept.append(25)
    kept.write(connection)
    connection.rollback()
    kept.append(26)
    kept.wrote(kept.write(connection))
    assert stored(connection) == [(0, 25), (25, 2)]
    assert series.restore(connection, kept.name) == list(range(27))


def test_the_oldest_items_go(connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MOST", 30)
    kept = Series(range(10))
    for end in (20, 30, 40):
        kept.wrote(kept.write(connection))
        kept.extend(range(end - 10, end))
    kept.wrote(kept.write(connection))
    assert kept == list(range(10, 40))
    assert stored(connection) == [(10, 10), (20, 10), (30, 10)]
    kept.extend(range(40, 95))
    assert kept == list(range(70, 95)), "more at once than there may be"
    kept.wrote(kept.write(connection))
    assert stored(connection) == [(70, 25)]
    assert series.restore(connection, kept.name) == list(range(70, 95))


def test_a_copy_of_a_series_is_a_plain_list() -> None:
    twin = copy.deepcopy(Series(range(20)))
    assert type(twin) is list and twin == list(range(20))


def test_many_log_lines_and_metric_data_survive_a_kill(own_localaws: LocalAws) -> None:
    logs, cloudwatch = boto3.Session().client("logs"), boto3.Session().client("cloudwatch")
    logs.create_log_group(logGroupName="/g")
    logs.create_log_stream(logGroupName="/g", logStreamName="s")
    now = int(time.time() * 1000)
    for start in range(0, 2500, 500):
        lines = [{"timestamp": now, "message": f"line {number}"} for number in range(start, start + 500)]
        logs.put_log_events(logGroupName="/g", logStreamName="s", logEvents=lines)
    for _ in range(3):
        data = [{"MetricName": "m", "Value": 1.0} for _ in range(500)]
        cloudwatch.put_metric_data(Namespace="n", MetricData=data)
    own_localaws.kill()
    own_localaws.restart()
    logs.put_log_events(logGroupName="/g", logStreamName="s", logEvents=[{"timestamp": now, "message": "last"}])
    own_localaws.kill()
    own_localaws.restart()
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = logs.get_log_events(logGroupName="/g", logStreamName="s", startFromHead=True, **token)
        if token.get("nextToken") == page["nextForwardToken"]:
            break
        found += [event["message"] for event in page["events"]]
        token = {"nextToken": page["nextForwardToken"]}
    assert found == [*(f"line {number}" for number in range(2500)), "last"]
    day = {"StartTime": time.time() - 3600, "EndTime": time.time() + 3600, "Period": 86400}
    counted = cloudwatch.get_metric_statistics(Namespace="n", MetricName="m", Statistics=["SampleCount"], **day)
    assert sum(point["SampleCount"] for point in counted["Datapoints"]) == 1500
    logs.delete_log_stream(logGroupName="/g", logStreamName="s")
    own_localaws.stop()
    with contextlib.closing(sqlite3.connect(own_localaws.home / "localaws" / "moto" / "moto.db")) as database:
        assert database.execute("SELECT DISTINCT sum(count) FROM series GROUP BY name").fetchall() == [(1500,)]
