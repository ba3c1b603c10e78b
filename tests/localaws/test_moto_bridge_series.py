"""moto's lists that only grow: what is on disk of them, and that they do not grow for ever."""

from __future__ import annotations

import copy
import pickle
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from localaws_kit import LocalAws

from localaws.moto_bridge import series
from localaws.moto_bridge.bodies import Bodies, Body
from localaws.moto_bridge.series import Series


@pytest.fixture
def bodies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bodies]:
    monkeypatch.setattr(series, "PIECE", 10)
    monkeypatch.setattr(Body, "restored", set())
    # Set, and not put back: a Series that is freed later must still find one.
    Body.bodies = Bodies(tmp_path)
    yield Body.bodies


def files(bodies: Bodies) -> set[str]:
    return {path.name for path in bodies.folder.iterdir()}


def test_a_series_comes_back_as_it_was(bodies: Bodies) -> None:
    kept = Series(range(25))
    again = pickle.loads(pickle.dumps(kept))
    assert isinstance(again, Series) and again == list(range(25))
    again += [25, 26]
    again.append(27)
    assert pickle.loads(pickle.dumps(again)) == list(range(28))
    assert Body.restored == files(bodies) == {f"{kept._name}-0", f"{kept._name}-1"}


def test_a_full_piece_is_written_once_and_the_rest_only_when_it_has_changed(bodies: Bodies) -> None:
    kept = Series(range(25))
    first = pickle.dumps(kept)
    (bodies.folder / f"{kept._name}-0").write_bytes(b"not written again")
    rest = kept._rest
    assert pickle.dumps(kept) == first and kept._rest is rest
    kept.extend(range(25, 31))
    pickle.dumps(kept)
    assert pickle.loads((bodies.folder / f"{kept._name}-2").read_bytes()) == list(range(20, 30))
    assert pickle.loads(kept._rest) == [30]
    assert (bodies.folder / f"{kept._name}-0").read_bytes() == b"not written again"


def test_the_oldest_pieces_go_and_their_files_after_the_next_snapshot(
    bodies: Bodies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "MOST", 30)
    kept = Series(range(30))
    pickle.dumps(kept)
    kept.append(30)
    assert kept == list(range(10, 31))
    assert bodies.take_dead() == [f"{kept._name}-0"]
    # As long as it was when the rest was last pickled, and yet another.
    kept += range(31, 40)
    assert pickle.loads(pickle.dumps(kept)) == list(range(10, 40))
    kept.extend(range(40, 95))
    assert kept == list(range(70, 95)), "more at once than there may be"
    assert pickle.loads(pickle.dumps(kept)) == list(range(70, 95))
    dead = {f"{kept._name}-{number}" for number in range(4)}
    assert dead <= set(bodies.take_dead()) | {f"{kept._name}-0"}


def test_with_the_stream_its_files_go(bodies: Bodies) -> None:
    kept = Series(range(20))
    pickle.dumps(kept)
    names = files(bodies)
    twin = copy.deepcopy(kept)
    del kept
    assert set(bodies.take_dead()) == names
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
    own_localaws.stop()
    folder = own_localaws.home / "localaws" / "moto"
    assert len(list((folder / "s3").iterdir())) == 3, "two pieces of the stream, one of CloudWatch"
    own_localaws.restart()
    logs.put_log_events(logGroupName="/g", logStreamName="s", logEvents=[{"timestamp": now, "message": "last"}])
    own_localaws.stop()
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
    own_localaws.restart()
    assert len(list((folder / "s3").iterdir())) == 1
